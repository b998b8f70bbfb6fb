"""What should be in the operator's wallets by our movements, and what is (SAT-58, LSP-1, LSP-2).

A wallet's balance is the rows of ours in it and everything else: what the operator paid in or
took out is shown as its own sum and never guessed at, so that spending from the commission wallet
is no false alarm (C-SAT-q). Only our own rows are compared with our movements.

Both sides are read up to one second that is over, in slices: a settlement meanwhile is in neither.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from .. import clock, crud
from ..adapters.node import NodeBalance, node_balance
from ..adapters.wallet_rows import ID_PREFIX, balances_msat, wallet_problems
from ..database import BooksConnection, Row, own, stored_time
from ..domain.days import US_PER_S
from ..domain.money import MSAT_PER_SAT
from .slow import Progress

LEGS_PER_SLICE = 10_000
ROWS_PER_SLICE = 10_000
WALLETS_PER_SLICE = 200
# Tables of movements of one shape; corrections have one of their own.
LEG_TABLES = ("settlement_legs", "correction_legs")


@dataclass
class WalletLine:
    """One wallet of the operator. `legs`: kind -> sats, below zero where they left."""

    wallet_id: str
    role: str  # source, commission, both, earlier: one that was used before
    name: str | None = None
    problem: str | None = None
    legs: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    ours_msat: int = 0  # our rows in LNbits
    others_in_msat: int = 0
    others_out_msat: int = 0
    others_rows: int = 0

    @property
    def expected_sats(self) -> int:
        """What our movements leave in it, whatever else happens there."""
        return sum(self.legs.values())

    @property
    def balance_msat(self) -> int:
        """As LNbits counts it."""
        return self.ours_msat + self.others_in_msat + self.others_out_msat

    @property
    def difference_msat(self) -> int:
        """Our rows in LNbits less our movements; 0 is right."""
        return self.ours_msat - self.expected_sats * MSAT_PER_SAT


@dataclass(frozen=True)
class Owed:
    """Sats of a client whose shares failed."""

    client_id: str
    username: str | None
    sats: int


@dataclass(frozen=True)
class WalletReport:
    """All wallets of the operator, what lies in them for others, and LNbits against its node."""

    before_us: int
    wallets: list[WalletLine]
    accounts: dict[str, int]  # of the ledger, in sats; clients' summed
    owed: list[Owed]
    liabilities_msat: int  # all wallets of LNbits together
    in_flight_msat: int  # of that already taken off: outgoing payments that are not through
    node: NodeBalance


OWED_MAX = 1_000


async def read_wallets(progress: Progress) -> WalletReport:
    """Everything up to the second that has just ended."""
    before_us = clock.now_us() // US_PER_S * US_PER_S
    config = await crud.get_config()
    roles: dict[str, str] = {}
    if config and config.source_wallet_id:
        roles[config.source_wallet_id] = "source"
    if config and config.commission_wallet_id:
        both = config.commission_wallet_id in roles
        roles[config.commission_wallet_id] = "both" if both else "commission"
    lines = {wallet_id: WalletLine(wallet_id, role) for wallet_id, role in roles.items()}
    for table in await _leg_tables():
        await _add_legs(lines, set(roles), table, before_us, progress)
    for line in lines.values():
        await _add_rows(line, before_us, progress)
    await _name(lines)
    accounts, owed = await own(_accounts)
    liabilities, in_flight = await _lnbits()
    order = {"source": 0, "both": 0, "commission": 1, "earlier": 2}
    return WalletReport(
        before_us,
        sorted(lines.values(), key=lambda line: (order[line.role], line.wallet_id)),
        accounts,
        owed,
        liabilities,
        in_flight,
        await node_balance(),
    )


async def _leg_tables() -> list[str]:
    from .dump import table_names

    there = set(await table_names())
    return [table for table in LEG_TABLES if table in there]


async def _add_legs(
    lines: dict[str, WalletLine], known: set[str], table: str, before_us: int, progress: Progress
) -> None:
    """Sum our movements by wallet. A share's target is the client's business, unless it is one of
    the operator's own wallets.
    """
    names = {f"w{number}": wallet for number, wallet in enumerate(sorted(known))}
    marks = ", ".join(f":{name}" for name in names) or "''"
    after = ""
    while True:
        ends = await crud.fetch_rows(
            f"SELECT leg_key FROM satoshimachine.{table} WHERE leg_key > :after"
            f" ORDER BY leg_key LIMIT 1 OFFSET {LEGS_PER_SLICE - 1}",
            {"after": after},
        )
        until = " AND leg_key <= :until" if ends else ""
        values: dict[str, Any] = {"after": after, "before": before_us, **names}
        if ends:
            values["until"] = ends[0]["leg_key"]
        for row in await crud.fetch_rows(
            "SELECT kind, from_wallet_id, target, SUM(amount_sats) AS sats FROM (SELECT kind,"
            f" from_wallet_id, amount_sats, CASE WHEN kind <> 'share' OR to_wallet_id IN ({marks})"
            f" THEN to_wallet_id END AS target FROM satoshimachine.{table}"
            f" WHERE leg_key > :after AND moved_us < :before{until}) legs"
            " GROUP BY kind, from_wallet_id, target",
            values,
        ):
            _add_leg(lines, row)
        progress.done += LEGS_PER_SLICE
        if not ends:
            return
        after = str(ends[0]["leg_key"])


def _add_leg(lines: dict[str, WalletLine], row: Row) -> None:
    kind, sats = str(row["kind"]), int(row["sats"])
    own_kinds = ("funding", "commission")
    source, target = row["from_wallet_id"], row["target"]
    if source:  # only the operator's own wallets ever pay
        line = lines.setdefault(source, WalletLine(source, "earlier"))
        line.legs[kind] -= sats
    if target and (target in lines or kind in own_kinds):
        line = lines.setdefault(target, WalletLine(target, "earlier"))
        line.legs[kind] += sats


async def _add_rows(line: WalletLine, before_us: int, progress: Progress) -> None:
    """Sum LNbits' rows of one wallet by whose they are, as its own balance counts them."""
    after, before = "", stored_time(before_us)
    while True:

        async def work(conn: BooksConnection, after: str = after) -> Row | None:
            return await conn.row(ROWS, {"id": line.wallet_id, "after": after, "before": before})

        found = await own(work)
        if found is None or not found["n"]:
            return
        line.ours_msat += int(found["ours"] or 0)
        line.others_in_msat += int(found["others_in"] or 0)
        line.others_out_msat += int(found["others_out"] or 0)
        line.others_rows += int(found["others"] or 0)
        progress.done += int(found["n"])
        if int(found["n"]) < ROWS_PER_SLICE:
            return
        after = str(found["last"])


OURS = f"checking_id LIKE '{ID_PREFIX}%'"
ROWS = f"""
    SELECT COUNT(*) AS n, MAX(checking_id) AS last,
        SUM(CASE WHEN {OURS} THEN msat END) AS ours,
        SUM(CASE WHEN NOT {OURS} AND msat > 0 THEN msat END) AS others_in,
        SUM(CASE WHEN NOT {OURS} AND msat < 0 THEN msat END) AS others_out,
        SUM(CASE WHEN NOT {OURS} AND msat <> 0 THEN 1 ELSE 0 END) AS others
    FROM (
        SELECT p.checking_id, CASE WHEN p.time < :before AND (p.status = 'success' OR
            (p.status = 'pending' AND p.amount < 0)) THEN p.amount - ABS(p.fee) ELSE 0 END AS msat
        FROM apipayments p WHERE p.wallet_id = :id AND p.checking_id > :after
        ORDER BY p.checking_id LIMIT {ROWS_PER_SLICE}
    ) rows_of_it
"""


async def _name(lines: dict[str, WalletLine]) -> None:
    ids = sorted(lines)

    async def work(conn: BooksConnection) -> tuple[list[Row], dict[str, str | None]]:
        names = await conn.rows_in("SELECT id, name FROM wallets WHERE id IN ({marks})", ids)
        return names, await wallet_problems(conn, ids)

    names, problems = await own(work)
    for row in names:
        lines[str(row["id"])].name = row["name"]
    for wallet_id, problem in problems.items():
        lines[wallet_id].problem = problem


async def _accounts(conn: BooksConnection) -> tuple[dict[str, int], list[Owed]]:
    """The ledger's accounts of sats, and to whom something is owed."""
    rows = await conn.rows(
        "SELECT account, balance FROM satoshimachine.ledger_balances WHERE unit = 'sat'"
        " AND account NOT LIKE 'paid:%' AND account NOT LIKE 'owed:%' LIMIT 100"
    )
    accounts = {str(row["account"]): int(row["balance"]) for row in rows}
    for name in ("paid", "owed"):
        summed = await conn.row(
            "SELECT COALESCE(SUM(balance), 0) AS sats FROM satoshimachine.ledger_balances"
            f" WHERE unit = 'sat' AND account LIKE '{name}:%'"
        )
        accounts[name] = int(summed["sats"]) if summed else 0
    owed = await conn.rows(
        "SELECT SUBSTR(b.account, 6) AS client_id, b.balance, c.username"
        " FROM satoshimachine.ledger_balances b LEFT JOIN satoshimachine.dca_clients c"
        " ON 'owed:' || c.id = b.account WHERE b.unit = 'sat' AND b.account LIKE 'owed:%'"
        f" AND b.balance <> 0 ORDER BY b.balance DESC LIMIT {OWED_MAX}"
    )
    return accounts, [
        Owed(str(row["client_id"]), row["username"], int(row["balance"])) for row in owed
    ]


async def _lnbits() -> tuple[int, int]:
    """(what LNbits owes its users together, outgoing payments on their way), in msat."""
    ids = [
        str(row["id"]) for row in await crud.fetch_rows("SELECT id FROM wallets WHERE NOT deleted")
    ]
    liabilities = 0
    for start in range(0, len(ids), WALLETS_PER_SLICE):
        part = ids[start : start + WALLETS_PER_SLICE]

        async def work(conn: BooksConnection, part: list[str] = part) -> int:
            return sum((await balances_msat(conn, part)).values())

        liabilities += await own(work)
    rows = await crud.fetch_rows(
        "SELECT COALESCE(SUM(ABS(amount) + ABS(fee)), 0) AS msat FROM apipayments"
        " WHERE status = 'pending' AND amount < 0"
    )
    return liabilities, int(rows[0]["msat"])
