"""What alerts say: each sentence by its stable code, with the next step.

The page says them in the reader's language by code and facts; the sentences here are the English
ones, and what channels, the API and the log say. A sentence of two forms, `one | many`, is chosen
by `n`. Facts are numbers and plain strings; `threshold` and `unit` together are `{time}`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from ..errors import SatMachineError

Facts = dict[str, int | str]


@dataclass(frozen=True)
class Words:
    """A message and the next step. Without a code they are what something said of itself."""

    message: str
    hint: str
    code: str = ""
    facts: Facts = field(default_factory=dict)

    @property
    def stored(self) -> str | None:
        """The column `said` of an alert: JSON, or NULL where there is only the sentence."""
        return json.dumps({"code": self.code, **self.facts}, sort_keys=True) if self.code else None


EACH_FINDING = "Open each: it says which sides differ and what can be done."
OPEN_SETUP_WALLETS = "Choose another wallet in Setup; nothing is lost meanwhile."
COUNT_THE_CASH = "Count the cash, then confirm or cancel each."
COMPARE_BOTH = "Nothing was taken back. Compare both and correct by hand if needed."

SAID: dict[str, tuple[str, str]] = {
    "share_unsettled": (
        "{n} payout waits for more than {time} | {n} payouts wait for more than {time}",
        "Open the cash-outs that are pending and the failed shares: each says what it met.",
    ),
    "payouts_late": (
        "{n} payout is late by more than {time} | {n} payouts are late by more than {time}",
        "Mend what stops them, and tell the clients: Books, Alerts, Tell clients.",
    ),
    "share_failed": (
        "{sats} sats in {n} share of {name} wait: {problem}"
        " | {sats} sats in {n} shares of {name} wait: {problem}",
        "Mend or change the client's wallet; the shares are tried again by themselves.",
    ),
    "poll_late": (
        "No poll of Lamassu has succeeded for more than {time}",
        "Test the connection: it says which step fails.",
    ),
    "poll_silent": (
        "No poll of Lamassu has succeeded for more than {time}",
        "Test the connection, or switch automatic work on if somebody switched it off.",
    ),
    "wallet_unusable.source": (
        "The source wallet cannot be used: {problem}",
        OPEN_SETUP_WALLETS,
    ),
    "wallet_unusable.commission": (
        "The commission wallet cannot be used: {problem}",
        OPEN_SETUP_WALLETS,
    ),
    "runway_low": (
        "The source wallet lasts for fewer than {time}",
        "Fund the source wallet.",
    ),
    "balance_high": (
        "More than {sats} sats lie in the source wallet",
        "Move what is not needed here to a wallet that is not online.",
    ),
    "deposit_waits": (
        "{n} deposit has been unconfirmed for more than {time}"
        " | {n} deposits have been unconfirmed for more than {time}",
        COUNT_THE_CASH,
    ),
    "deposit_overdue": (
        "{n} deposit has been unconfirmed for more than {time}"
        " | {n} deposits have been unconfirmed for more than {time}",
        COUNT_THE_CASH,
    ),
    "commission_anomaly": (
        "The commission of cash-out {lamassu_id} is {sats} sats off its formula"
        " | The commission of cash-out {lamassu_id} is {sats} sats off its formula;"
        " {n} cash-outs are off in all",
        "Open it and compare; a correction puts it right.",
    ),
    "commission_failed": (
        "{sats} sats of commission wait: {problem}",
        "Choose another commission wallet; it is tried again by itself.",
    ),
    "reconciliation_difference.sats": (
        "The open findings differ by {sats} sats",
        EACH_FINDING,
    ),
    "reconciliation_difference.others": (
        "{n} open finding differs in something else than sats"
        " | {n} open findings differ in something else than sats",
        EACH_FINDING,
    ),
    "reconciliation_difference.both": (
        "The open findings differ by {sats} sats; {n} open finding differs in something else than"
        " sats | The open findings differ by {sats} sats; {n} open findings differ in something"
        " else than sats",
        EACH_FINDING,
    ),
    "reconciliation_mismatch": (
        "{n} open finding of the reconciliation | {n} open findings of the reconciliation",
        EACH_FINDING,
    ),
    "reconciliation_mismatch.first": (
        "The reconciliation found a difference: {expected} -> {actual}",
        "Open the finding: it says which sides differ and what can be done.",
    ),
    "runbook_review": (
        "The runbook was not signed for more than {time}",
        "Read it, correct the contacts, and sign it: Books, Runbook.",
    ),
    "channel_failed": (
        "The channel {name} took no message after {n} attempt"
        " | The channel {name} took no message after {n} attempts",
        "Send a test from Setup, Alerts: it says what is wrong.",
    ),
    "cash_out_held": (
        "Cash-out {lamassu_id} waits for you: {hold}",
        "Open it and process or skip it.",
    ),
    "source_changed.gone": (
        "Cash-out {lamassu_id} is gone in Lamassu, after it was {status} here",
        COMPARE_BOTH,
    ),
    "source_changed.facts": (
        "Cash-out {lamassu_id} has another {names} now in Lamassu, after it was {status} here",
        COMPARE_BOTH,
    ),
}


def said(code: str, **facts: int | str) -> Words:
    """An alert's words by its code. Raises KeyError for a code or a fact there is none of."""
    # PostgreSQL adds whole numbers up to a Decimal, which JSON does not know.
    facts = {name: one if isinstance(one, str) else int(one) for name, one in facts.items()}
    message, hint = SAID[code]
    one, _, many = message.partition(" | ")
    form = many if many and facts.get("n") != 1 else one
    shown = {**facts, "time": _time(facts)} if "threshold" in facts else facts
    return Words(form.format(**shown), hint, code, facts)


def words_of(error: SatMachineError) -> Words:
    """What an error says of itself."""
    return Words(error.message, error.hint)


def _time(facts: Facts) -> str:
    number, unit = facts["threshold"], str(facts["unit"])
    return f"{number} {unit.rstrip('s') if number == 1 else unit}"
