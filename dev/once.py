"""`make demo ONCE=1`: one poll over sales of every kind, told as tables, and every sum checked.

The checks use only what the HTTP API says and compare three books that must agree: LNbits'
wallets, the extension's cash-outs and shares, and the deposits the clients made.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from . import sample_rows as sample
from .console import grouped, say, table
from .demo_setup import CLIENTS, CURRENCY, Operation, set_up
from .embedded_lamassu import EmbeddedLamassu
from .lnbits_api import LnbitsApi

CENTS = 100
MSAT = 1000

# What must become of each family of sample rows.
EXPECTED = {"completed": sample.ELIGIBLE, "watching": sample.WATCHED, "held": sample.SUSPICIOUS}
# They look odd and settle: 100 sats less are within Lamassu's own tolerance, and a machine that
# was unpaired since is still a known one.
SETTLED_ANYWAY = {"received_short", "on_unpaired_device"}
DRAINS_THE_CLIENTS = "twenty_million_sats"  # last, so that the others still meet balances


@dataclass
class Books:
    """Everything the API says after the poll."""

    cash_outs: list[dict[str, Any]]
    shares: list[dict[str, Any]]
    clients: list[dict[str, Any]]
    deposited_minor: dict[str, int]  # client id -> confirmed deposits
    wallet_msat: dict[str, int]  # wallet id -> LNbits' balance


@dataclass
class Checks:
    """Statements about the books; every one is counted, the false ones are told."""

    made: int = 0
    failed: list[str] = field(default_factory=list)

    def equal(self, what: str, left: object, right: object) -> None:
        self.made += 1
        if left != right:
            self.failed.append(f"{what}: {left} is not {right}")


async def one_round(api: LnbitsApi, lamassu: EmbeddedLamassu) -> int:
    """Set up, sell, poll once, tell, check. 0 when everything adds up."""
    now = datetime.now(timezone.utc)
    say("setting up wallets, clients, deposits and the connection")
    operation = await set_up(api, lamassu, deposits_count_from=now - timedelta(days=2))
    kinds = await _sell(lamassu, now - timedelta(hours=2))
    say(f"{len(kinds)} sales are in Lamassu's database; polling once")
    await api.poll()
    books = await _read(api, operation)
    say("polled\n")

    _tell(books, operation, kinds)
    checks = Checks()
    _check_states(checks, books, kinds)
    _check_sums(checks, books, operation)
    await api.poll()
    again = await _read(api, operation)
    checks.equal("wallets after a second poll", again.wallet_msat, books.wallet_msat)
    checks.equal("cash-outs after a second poll", len(again.cash_outs), len(books.cash_outs))
    checks.equal("shares after a second poll", len(again.shares), len(books.shares))

    print()
    for failure in checks.failed:
        print(f"  WRONG  {failure}")
    say(f"{checks.made} sums and states checked, {len(checks.failed)} wrong")
    return 1 if checks.failed else 0


async def checked(api: LnbitsApi, operation: Operation) -> Checks:
    """Every sum of the books as they are now."""
    checks = Checks()
    _check_sums(checks, await _read(api, operation), operation)
    return checks


def _check_sums(checks: Checks, books: Books, operation: Operation) -> None:
    _check_cash_outs(checks, books)
    _check_clients(checks, books)
    _check_wallets(checks, books, operation)


async def _sell(lamassu: EmbeddedLamassu, first: datetime) -> dict[str, str]:
    """One row of every kind, a minute apart; row id -> kind."""
    builders = {**sample.ELIGIBLE, **sample.WATCHED, **sample.SUSPICIOUS, **sample.NOT_OURS}
    builders[DRAINS_THE_CLIENTS] = builders.pop(DRAINS_THE_CLIENTS)
    kinds, rows = {}, []
    for minute, (kind, build) in enumerate(builders.items()):
        moment = first + timedelta(minutes=minute)
        row = build()
        row["created"] = moment - timedelta(seconds=40)
        row["confirmed_at"] = moment if row["confirmed_at"] is not None else None
        kinds[str(row["id"])] = kind
        rows.append(row)
    await lamassu.insert(rows)
    return kinds


async def _read(api: LnbitsApi, operation: Operation) -> Books:
    cash_outs = await api.every("transactions")
    shares = []
    for row in cash_outs:
        if row["status"] == "completed":
            shares += await api.every(f"transactions/{row['id']}/distributions")
    deposited: Counter[str] = Counter()
    for deposit in await api.every("deposits"):
        if deposit["status"] == "confirmed":
            deposited[deposit["client_id"]] += deposit["amount_minor"]
    wallet_msat = {}
    for user_id in (api.user_id, *operation.user_ids.values()):
        for wallet in await api.wallets(user_id):
            wallet_msat[wallet.id] = wallet.balance_msat
    return Books(cash_outs, shares, await api.every("clients"), dict(deposited), wallet_msat)


def _tell(books: Books, operation: Operation, kinds: dict[str, str]) -> None:
    completed = [row for row in books.cash_outs if row["status"] == "completed"]
    print("Paid to clients\n")
    names = {client_id: name for name, client_id in operation.client_ids.items()}
    rows = []
    for client in sorted(books.clients, key=lambda c: names[c["id"]]):
        mine = [share for share in books.shares if share["client_id"] == client["id"]]
        mode = next(c.daily_limit for c in CLIENTS if c.name == names[client["id"]])
        rows.append(
            (
                names[client["id"]],
                f"fixed, {grouped(mode)} a day" if mode else "flow",
                len(mine),
                sum(share["amount_sats"] for share in mine),
                _money(sum(share["fiat_minor"] for share in mine)),
                _money(_remaining(client)),
            )
        )
    print(table(("client", "mode", "shares", "sats", "GTQ charged", "GTQ left"), rows))

    print("\nSettled cash-outs\n")
    amounts = ("total_sats", "confirmed_sats", "operator_remainder_sats", "commission_sats")
    rows = [
        (
            *(kinds[row["lamassu_transaction_id"]], row["crypto_code"], row["fiat"]),
            *(row[name] for name in amounts),
        )
        for row in reversed(completed)
    ]
    headers = ("sale", "coin", "GTQ", "total", "to clients", "operator", "commission")
    print(table(headers, rows))

    print("\nNot settled, and why\n")
    waiting = [
        (row["status"], kinds[row["lamassu_transaction_id"]], row["reason"] or "")
        for row in sorted(books.cash_outs, key=lambda r: (r["status"], r["reason"] or ""))
        if row["status"] != "completed"
    ]
    print(table(("state", "sale", "reason"), waiting))
    states = Counter(row["status"] for row in books.cash_outs)
    ignored = len(kinds) - len(books.cash_outs)
    told = ", ".join(f"{count} {state}" for state, count in states.items())
    print(f"\n  {told}; {ignored} of other coins or never paid were not stored\n", flush=True)


def _check_states(checks: Checks, books: Books, kinds: dict[str, str]) -> None:
    found = {kinds[row["lamassu_transaction_id"]]: row["status"] for row in books.cash_outs}
    for state, family in EXPECTED.items():
        for kind in family:
            expected = "completed" if kind in SETTLED_ANYWAY else state
            checks.equal(f"state of {kind}", found.get(kind), expected)
    for kind in sample.NOT_OURS:
        checks.equal(f"state of {kind}", found.get(kind), None)


def _check_cash_outs(checks: Checks, books: Books) -> None:
    """The identity of every settled cash-out, and its shares one by one."""
    for row in books.cash_outs:
        if row["status"] != "completed":
            continue
        sale = f"cash-out {row['lamassu_transaction_id']}"
        mine = [share for share in books.shares if share["cash_out_id"] == row["id"]]
        by_status: Counter[str] = Counter()
        for share in mine:
            by_status[share["status"]] += share["amount_sats"]
        base, commission = row["base_sats"], row["commission_sats"]
        parts = row["confirmed_sats"] + row["failed_sats"] + row["operator_remainder_sats"]
        checks.equal(f"{sale}, base and commission", base + commission, row["total_sats"])
        checks.equal(f"{sale}, parts of the base", parts, base)
        checks.equal(f"{sale}, confirmed shares", by_status["confirmed"], row["confirmed_sats"])
        checks.equal(f"{sale}, failed shares", by_status["failed"], row["failed_sats"])
        charged = sum(share["fiat_minor"] for share in mine)
        checks.equal(f"{sale}, fiat charged", charged, row["drawn_minor"])
        checks.equal(f"{sale}, number of shares", len(mine), row["clients_count"])


def _check_clients(checks: Checks, books: Books) -> None:
    """What a client paid in is charged or left; what they were charged for is in their wallet."""
    for client in books.clients:
        mine = [share for share in books.shares if share["client_id"] == client["id"]]
        charged = sum(share["fiat_minor"] for share in mine)
        paid = sum(s["amount_sats"] for s in mine if s["status"] == "confirmed")
        name = client["username"]
        deposited = books.deposited_minor[client["id"]]
        checks.equal(f"{name}, GTQ charged and left", charged + _remaining(client), deposited)
        checks.equal(f"{name}, wallet", books.wallet_msat[client["wallet_id"]], paid * MSAT)


def _check_wallets(checks: Checks, books: Books, operation: Operation) -> None:
    """What is in the operator's two wallets is what the cash-outs left there."""
    completed = [row for row in books.cash_outs if row["status"] == "completed"]
    total = sum(row["total_sats"] for row in completed)
    paid = sum(row["confirmed_sats"] for row in completed)
    moved = sum(r["commission_sats"] for r in completed if r["commission_status"] == "paid")
    source = books.wallet_msat[operation.source_wallet_id]
    commission = books.wallet_msat[operation.commission_wallet_id]
    checks.equal("source wallet", source, (total - paid - moved) * MSAT)
    checks.equal("commission wallet", commission, moved * MSAT)
    checks.equal("all wallets together", sum(books.wallet_msat.values()), total * MSAT)


def _remaining(client: dict[str, Any]) -> int:
    return sum(b["remaining_minor"] for b in client["balances"] if b["currency"] == CURRENCY)


def _money(minor: int) -> str:
    return f"{minor // CENTS:,}.{minor % CENTS:02d}"
