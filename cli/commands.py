"""What each command says. The facts come from services/, the words are for a person at a terminal
who may be in a hurry; nothing here changes anything but `stop` and `halt`.
"""

from __future__ import annotations

import argparse
import asyncio
import getpass
from typing import Any

from .. import clock, crud
from ..database import Row
from ..domain.money import CURRENCY_EXPONENT, decimal_text
from ..errors import NotConfigured
from ..models_reconciliation import Scope, ScopeKind
from ..services import audit_chain, dump, quick
from ..services import reconcile as runs
from ..services.periods import read_period
from ..services.reports_clients import ClientLine, read_clients
from .words import complain, grouped, say, table

FINE, WRONG, COULD_NOT_LOOK = 0, 1, 2
SHOWN_MAX = 20
# What is counted by the state itself and has no sentence of its own.
COUNTED = {
    "failed_shares": "{n} shares did not reach their client and are tried again",
    "held": "{n} cash-outs wait for you",
    "deposits_late": "{n} deposits are pending for more than 48 hours",
}


async def status(given: argparse.Namespace) -> int:
    """Where everything stands; 1 when something critical needs a person."""
    await quick.require_books()
    found, needs = await quick.standing()
    say(f"State: {found['state']}. {found['state_message']}.")
    say(f"Automatic work: {'on' if found['polling_enabled'] else 'OFF'}")
    say(f"Last successful poll: {found['last_successful_poll'] or 'never'}")
    counts = ", ".join(f"{n} {state}" for state, n in found["cash_outs"].items() if n)
    say(f"Cash-outs: {counts or 'none'}")
    say(f"Failed shares: {found['failed_shares']} ({grouped(found['failed_sats'])} sats)")
    say(f"Pending deposits: {found['pending_deposits']}")
    say()
    if not needs:
        say("Nothing needs you.")
    for need in needs:
        words = need.message or COUNTED.get(need.kind, need.kind).format(n=grouped(need.n))
        say(f"{need.severity.upper()}: {words}")
        if need.hint:
            say(f"  {need.hint}")
    return WRONG if any(need.severity == "critical" for need in needs) else FINE


async def stop(given: argparse.Namespace) -> int:
    """Switch automatic work off, on record where that can be."""
    try:
        recorded = await quick.stop_everything(_actor(given.by))
    except NotConfigured:
        say("Nothing is set up here, so nothing is polled and nothing is paid by itself.")
        return FINE
    say("STOPPED. No poll and no automatic payment begins from now on, also while LNbits runs.")
    say("A settlement that was being written has ended, whole or not at all.")
    if not recorded:
        complain("The audit trail could not be written; write this stop down yourself.")
    say("Switch it on again on the page, which shows first what would be paid.")
    return FINE if recorded else WRONG


async def halt(given: argparse.Namespace) -> int:
    """Stop one thing; it is lifted or resumed on the page."""
    recorded = await quick.halt(given.scope, given.subject, given.reason, _actor(given.by))
    say(f"HALTED: {given.scope} {given.subject}".rstrip())
    say("What it names does not begin from now on, also while LNbits runs; all else goes on.")
    if not recorded:
        complain("The audit trail could not be written; write this halt down yourself.")
    say("Lift it, or resume step by step, on the page under Setup, Health.")
    return FINE if recorded else WRONG


def _actor(name: str) -> str:
    """Who stopped it, as the audit trail names them."""
    try:
        login = getpass.getuser()
    except (KeyError, OSError):
        login = "unknown"
    return f"tools:{login}" + (f":{name}" if name else "")


async def balances(given: argparse.Namespace) -> int:
    """Every client's sum; 1 when one does not add up."""
    await quick.require_books()
    period = read_period(None, None, (await crud.get_settings()).time_zone)
    lines = await read_clients(period)
    headers = ("client", "cur", "deposits", "corrections", "shares", "balance", "off by", "sats")
    say(table(headers, [_client(line) for line in lines]))
    wrong = [line for line in lines if not line.ok]
    say()
    if wrong:
        say(f"WRONG: {len(wrong)} of {len(lines)} balances do not add up (column 'off by').")
        return WRONG
    say(f"All {len(lines)} balances add up: deposits + corrections - shares = balance.")
    return FINE


def _client(line: ClientLine) -> tuple[Any, ...]:
    amounts = (line.deposits, line.corrections, line.shares, line.stored, line.discrepancy)
    return (
        line.username or line.client_id,
        line.currency,
        *(_fiat(amount, line.currency).rjust(10) for amount in amounts),
        line.received_sats,
    )


def _fiat(minor: int | None, currency: str) -> str:
    if minor is None:
        return "-"
    known = currency in CURRENCY_EXPONENT
    return decimal_text(int(minor), currency) if known else f"{minor} (minor units)"


async def last(given: argparse.Namespace) -> int:
    """The newest cash-outs."""
    await quick.require_books()
    rows = await quick.last_cash_outs(max(1, given.count))
    headers = ("time (UTC)", "lamassu id", "status", "machine", "fiat", "total", "clients")
    say(
        table(
            (*headers, "owed", "commission"),
            [
                (
                    _time(row["moment_us"]),
                    row["lamassu_transaction_id"],
                    row["hold_code"] or row["status"],
                    row["machine_name"],
                    f"{_fiat(row['fiat_minor'], row['fiat_code'])} {row['fiat_code']}",
                    row["total_sats"],
                    row["confirmed_sats"],
                    row["failed_sats"],
                    row["commission_sats"],
                )
                for row in rows
            ],
        )
    )
    return FINE


async def unpaid(given: argparse.Namespace) -> int:
    """What is not completed; 1 when there is anything."""
    await quick.require_books()
    cash_outs, shares, commissions = await quick.waiting()
    say(f"\nCash-outs that are not settled: {_count(cash_outs)}")
    rows: list[tuple[Any, ...]] = [
        (
            _time(row["moment_us"]),
            row["lamassu_transaction_id"],
            row["status"],
            row["crypto_atoms"],
            row["hold_code"] or row["error_message"],
        )
        for row in cash_outs
    ]
    say(table(("time (UTC)", "lamassu id", "status", "sats", "why"), rows))
    say(f"\nShares that did not reach their client: {_count(shares)}")
    rows = [
        (
            _time(row["moment_us"]),
            row["lamassu_transaction_id"],
            row["username"] or row["client_id"],
            row["amount_sats"],
            row["attempts"],
            row["error_message"],
        )
        for row in shares
    ]
    say(table(("time (UTC)", "lamassu id", "client", "sats", "tries", "why"), rows))
    say(f"\nCommissions that did not reach their wallet: {_count(commissions)}")
    rows = [
        (
            _time(row["moment_us"]),
            row["lamassu_transaction_id"],
            row["commission_sats"],
            row["commission_message"],
        )
        for row in commissions
    ]
    say(table(("time (UTC)", "lamassu id", "sats", "why"), rows))
    return WRONG if cash_outs or shares or commissions else FINE


def _count(rows: list[Any]) -> str:
    return f"{len(rows)}" if len(rows) < quick.ROWS_MAX else f"the first {len(rows)}"


def _time(us: int | None) -> str | None:
    text = clock.iso(us)
    return text[:19].replace("T", " ") if text else None


async def reconcile(given: argparse.Namespace) -> int:
    """A whole run, stored as one from the page is; 1 when two sides differ, 2 when one of them
    could not be looked at.
    """
    await quick.require_books()
    run = await _ended(
        await runs.run_now(Scope(ScopeKind.EVERYTHING), cause="tool", actor=_actor(""))
    )
    counts = ("total", "matches", "mismatches", "errors", "in_flight")
    say(", ".join(f"{name.replace('_', ' ')}: {grouped(run[name])}" for name in counts))
    found = await quick.open_findings()
    for one in found[:SHOWN_MAX]:
        say(f"WRONG: {one['code']} of {one['subject_kind']} {one['subject_id']}")
        say(f"  expected {one['expected']}, found {one['actual']}")
    if len(found) > SHOWN_MAX:
        say(f"  and {grouped(len(found) - SHOWN_MAX)} more, on the page under Books")
    if run["status"] != "done" or run["errors"]:
        why = run["error_message"] or f"{run['errors']} items could not be looked at"
        complain(f"Could not look at everything: {why}")
        return WRONG if run["mismatches"] else COULD_NOT_LOOK
    if not run["mismatches"] and not found:
        say("Lamassu, plans, shares, ledger and LNbits' wallets say the same, to the sat.")
    return WRONG if run["mismatches"] or found else FINE


async def _ended(run_id: str) -> Row:
    """The run when it has ended; an LNbits that is up may have taken it over."""
    run = await runs.find(run_id)
    while run["status"] in ("queued", "running"):
        await asyncio.sleep(1)
        run = await runs.find(run_id)
    return run


async def verify(given: argparse.Namespace) -> int:
    """Walk the audit trail; 1 when an entry is not as it was written."""
    await quick.require_books()
    report = await audit_chain.verify(given.hash or None)
    say(f"Entries that are right: {grouped(report.entries)}")
    say(f"Head: entry {report.head_seq}, {report.head_hash}")
    if report.ok:
        say("The audit trail is as it was written. Keep the head elsewhere: a later 'verify' with")
        say("--hash proves that nothing before it was rewritten.")
        return FINE
    place = "" if report.bad_seq is None else f" at entry {report.bad_seq}"
    say(f"WRONG{place}: {report.why}")
    return WRONG


async def export(given: argparse.Namespace) -> int:
    """Everything into a dated folder."""
    folder, manifest = await dump.dump(
        given.folder, lambda name, rows: say(f"  {grouped(rows):>12} rows  {name}")
    )
    say(f"Written: {folder} ({len(manifest['files'])} files; passwords and keys are left out)")
    return FINE


async def check_export(given: argparse.Namespace) -> int:
    """1 when a file is not what the manifest says."""
    wrong = dump.check_dump(given.folder)
    for one in wrong:
        say(f"WRONG: {one}")
    if not wrong:
        say("Every file is as it was written.")
    return WRONG if wrong else FINE
