"""What health says: each finding's stable code, its sentence, and the next step.

The page says them in the reader's language by `code` and `facts`; the sentences here are the
English ones, and what the API, the alerts and the log say. Facts are numbers and plain strings.
"""

from __future__ import annotations

from dataclasses import dataclass, field

Facts = dict[str, int | float | str]


@dataclass(frozen=True)
class Found:
    """How one thing is."""

    state: str
    detail: str
    hint: str = ""
    code: str = ""
    facts: Facts = field(default_factory=dict)


TEST_BUTTON = "Press 'Test connection': it says which step fails."
CHOOSE_SOURCE = "Choose a source wallet that exists under Setup, Connection."
CHOOSE_COMMISSION = "Choose another one under Setup, Connection; what waits is paid by itself."
START_RECONCILIATION = "Start one under Books, Reconciliation."
RIGHT_CLOCKS = "Let both servers set their clocks by NTP."
LNBITS_LOG = "Look at LNbits' log."

SAID: dict[str, tuple[str, str]] = {
    "held.none": ("None", ""),
    "held.some": (
        "{count} cash-outs wait for you, the oldest for {age}",
        "Open them under Cash-outs: process or skip each.",
    ),
    "unsettled.none": ("None", ""),
    "unsettled.some": (
        "{count} cash-outs and {shares} shares are not paid, the oldest for {age}",
        "Open it: its message says what it waits for. Everybody else is paid meanwhile.",
    ),
    "wallet.holds": ("It holds {sats} sats", ""),
    "source_wallet.none": ("No source wallet is chosen", CHOOSE_SOURCE),
    "commission_wallet.none": ("None is chosen: commission stays in the source wallet", ""),
    "runway.no_wallet": ("No source wallet is chosen", "Choose one under Setup, Connection."),
    "runway.credit": ("Each sale brings its own sats", ""),
    "runway.idle": ("{sats} sats are free; nothing was paid lately", ""),
    "runway.days": (
        "{sats} sats are free, enough for {days} days",
        "Add sats to the source wallet.",
    ),
    "halts.none": ("Nothing is halted", ""),
    "halts.some": (
        "In place: {count}; the first: {scope}, {reason}",
        "Look at the reason; resume or lift it under Setup, Health.",
    ),
    "lnbits.supported": ("{version}", ""),
    "trial.not_yet": ("The start-up check has not run yet", "Check again."),
    "trial.fine": ("{count} start-up checks are fine", ""),
    "schema.right": ("Version {number}", ""),
    "audit_chain.not_yet": ("It was not walked yet", "Check now."),
    "audit_chain.broken": (
        "Entry {seq}: {why}",
        "Keep a copy of both databases; the audit trail's page names the entry.",
    ),
    "audit_chain.right": ("{count} entries are right, looked at {age} ago", "Check now."),
    "reconciliation.findings": (
        "{count} findings are open",
        "Open Books, Reconciliation: each finding says what can be done.",
    ),
    "reconciliation.not_yet": ("None has ended yet", START_RECONCILIATION),
    "reconciliation.failed": ("The last one failed: {message}", START_RECONCILIATION),
    "reconciliation.ended": (
        "The last one ended {age} ago: {matches} of {total} match",
        START_RECONCILIATION,
    ),
    "disk.room": ("{free} of {total} are free", "Make room on LNbits' disk."),
    "database_size.is": ("{size}", ""),
    "no_connection": ("No connection is saved", "Finish the setup."),
    "ssh.none": ("No SSH tunnel is used", ""),
    "ssh.poll_came_through": ("The last poll came through", ""),
    "source.not_tried": ("It was not tried yet", TEST_BUTTON),
    "source.not_reached": ("It was not reached", TEST_BUTTON),
    "source.came_through": ("The last look came through", ""),
    "database.read": ("The last poll read {count} rows", ""),
    "database.behind": ("The ATM server was not reached", TEST_BUTTON),
    "host_key.none": ("No SSH server is set up", ""),
    "host_key.not_accepted": (
        "No host key is accepted",
        "Compare the fingerprint with the server's own and accept it.",
    ),
    "host_key.shown": ("The accepted key was shown", ""),
    "heartbeat.off": ("Automatic work is switched off", "Switch it on when you are ready."),
    "heartbeat.never": ("No poll has succeeded yet", "Poll now."),
    "heartbeat.last": (
        "The last successful poll was {age} ago",
        "Poll now; if it fails, its answer says what to do.",
    ),
    "last_sale.none": ("No sale is known yet", ""),
    "last_sale.was": ("The last sale was {age} ago", ""),
    "clock.not_yet": ("It was not measured yet", "Poll now."),
    "clock.difference": ("The ATM server's clock is {seconds} s ahead", RIGHT_CLOCKS),
    "unreadable": ("It cannot be looked at: {why}", LNBITS_LOG),
}
# What adapters/wallet_rows.py finds wrong with a wallet, and how the page tells it apart.
PROBLEMS = {
    "the wallet does not exist": "missing",
    "the wallet was deleted": "deleted",
    "the wallet is shared, not a plain lightning wallet": "shared",
}
for _problem, _kind in PROBLEMS.items():
    SAID[f"source_wallet.{_kind}"] = (f"It cannot be used: {_problem}", CHOOSE_SOURCE)
    SAID[f"commission_wallet.{_kind}"] = (f"It cannot be used: {_problem}", CHOOSE_COMMISSION)

# What was said where it happened, with its own sentence and next step: the page names the kind in
# the reader's language and keeps the sentence, which names the server, the table or the entry.
GATE, ERROR, OTHER = "gate", "error", "OTHER"
OTHER_CODES = (
    *("DEPENDENCY_MISSING", "NOT_CONFIGURED", "SECRET_UNREADABLE", "NOT_READY", "DATABASE_BUSY"),
    *("DATABASE_FAILED", "INVARIANT_VIOLATION", "GRANTS_BEYOND_NEED"),
)


def said(state: str, code: str, **facts: int | float | str) -> Found:
    """A finding by its code; what is well has no next step."""
    sentence, hint = SAID[code]
    return Found(state, sentence.format(**facts), hint if state != "ok" else "", code, facts)


def passed_on(
    state: str, kind: str, code: str | None, message: str, hint: str, known: set[str]
) -> Found:
    """What something else said of itself; a code that is not known is one of many."""
    name = code if code in known else OTHER
    return Found(state, message, hint, f"{kind}.{name}", {"message": message})
