"""The opening books: what an earlier extension of the same id left, entered once and shown.

The migrations copied its rows (legacy.py). Here, in one commit, the ledger gets its opening entries
and money work is stopped until the operator has seen what was found. Sats are not entered: what the
earlier extension paid is in the wallets, and this ledger proves only what this product moved.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from loguru import logger

from .. import clock, crud
from ..adapters.audit import record
from ..adapters.ledger import (
    DEPOSITS,
    DISPENSED,
    Entry,
    client_account,
    overpaid_account,
    post,
)
from ..adapters.settlement import settlement
from ..database import BooksConnection
from ..domain import earlier
from ..domain.alert_said import Words
from ..domain.days import US_PER_S
from ..domain.money import decimal_text
from ..domain.states import DepositState
from ..models import DAILY_LIMIT_MAX
from .alerts import raise_alert
from .gates import TAKEOVER

SHOWN_MAX = 50  # of each kind of finding; the count beside it is complete
START_BEFORE_CONFIG_US = 24 * 3600 * US_PER_S  # SAT-67, where it never polled
HINT = (
    "Compare the balances with your own records, look at what was left out, overpaid or never"
    " paid, check the start point, and accept. Passwords were stored in the clear: change them."
)

COUNTED = {
    "clients": "dca_clients",
    "deposits": "dca_deposits",
    "payments": "dca_payments",
    "transactions": "lamassu_transactions",
    "config": "lamassu_config",
}
FINDINGS = {
    # One client, one sale, several payments: the earlier extension paid it more than once.
    "payments_doubled": """
        SELECT lamassu_transaction_id, client_id, COUNT(*) AS times,
            CAST(SUM(amount_sats) AS BIGINT) AS amount_sats
        FROM satoshimachine.dca_payments
        WHERE origin = 'earlier' AND status = 'confirmed' AND lamassu_transaction_id IS NOT NULL
        GROUP BY lamassu_transaction_id, client_id HAVING COUNT(*) > 1
        """,
    # Never retried by this extension: nobody knows whether those sats moved.
    "payments_not_confirmed": """
        SELECT id, client_id, lamassu_transaction_id, amount_sats, status
        FROM satoshimachine.dca_payments WHERE origin = 'earlier' AND status <> 'confirmed'
        """,
    "known_only_from_payments": """
        SELECT lamassu_transaction_id, confirmed_sats FROM satoshimachine.lamassu_transactions
        WHERE origin = 'earlier' AND id = 'earlier:' || lamassu_transaction_id
        """,
}

Account = tuple[str, str]  # client id, currency
Facts = dict[str, Any]


@dataclass
class Opening:
    """One client's books in one currency, in minor units."""

    credited: int = 0  # confirmed deposits
    withdrawn: int = 0  # confirmed deposits of less than nothing
    charged: int = 0  # confirmed payments

    @property
    def overpaid(self) -> int:
        """What was taken out beyond what came in."""
        return max(0, self.withdrawn + self.charged - self.credited)


async def take_over() -> str:
    """Enter the opening books unless that was done; what it says is a line of the readiness list.

    Raises DatabaseBusy when another writer is in the way; nothing was changed then.
    """
    state = await crud.get_meta(TAKEOVER)
    if state is None:
        kept = await crud.fetch_row("SELECT row_id FROM satoshimachine.earlier_rows LIMIT 1")
        if kept is None:
            return "no earlier extension was here"
        state = await settlement(_enter)
    if state.get("accepted"):
        return "taken over and accepted"
    return "taken over: see what needs you"


async def _enter(conn: BooksConnection) -> Mapping[str, Any]:
    stored: Mapping[str, Any] | None = await crud.get_meta(TAKEOVER, conn)
    if stored is not None:  # another process was faster
        return stored
    now_us = clock.now_us()
    openings = await _openings(conn)
    entries = [entry for key in sorted(openings) for entry in _entries(key, openings[key])]
    await post(conn, TAKEOVER, entries, now_us=now_us)
    facts = await _facts(conn, openings)
    facts["start_at_us"] = await _settings(conn, now_us)
    counts = facts["counts"]
    message = (
        f"The books of an earlier extension were taken over: {counts['clients']} clients,"
        f" {counts['deposits']} deposits, {counts['payments']} payments and"
        f" {counts['transactions']} cash-outs. Nothing is paid before you have looked"
    )
    body = {"message": message, "hint": HINT, "since_us": now_us, "facts": facts}
    await crud.set_meta(TAKEOVER, body, conn)
    await record(conn, "earlier_books_taken_over", TAKEOVER, body, now_us=now_us)
    await raise_alert(conn, f"gate:{TAKEOVER}", TAKEOVER, "critical", Words(message, HINT))
    logger.warning(f"event=earlier_books_taken_over counts={counts}")
    return body


# -- opening entries --------------------------------------------------------------------------


async def _openings(conn: BooksConnection) -> dict[Account, Opening]:
    """What came in and went out by the earlier books. A deposit the operator confirmed since then
    has its own entries.
    """
    openings: dict[Account, Opening] = defaultdict(Opening)
    for row in await conn.rows(
        "SELECT client_id, currency, SUM(amount_minor) AS minor FROM satoshimachine.dca_deposits"
        " WHERE status = 'confirmed' AND decided_by = :by GROUP BY client_id, currency",
        {"by": earlier.DECIDED_BY},
    ):
        openings[row["client_id"], row["currency"]].credited += int(row["minor"])
    for row in await conn.rows(
        "SELECT client_id, currency, SUM(fiat_minor) AS minor FROM satoshimachine.dca_payments"
        " WHERE status = 'confirmed' AND origin = 'earlier' GROUP BY client_id, currency"
    ):
        minor = int(row["minor"])
        opening = openings[row["client_id"], row["currency"]]
        opening.charged += max(0, minor)
        opening.credited += max(0, -minor)  # payments of less than nothing gave fiat back
    for old in await _left_out(conn, "dca_deposits"):
        minor_or_none = earlier.deposit_minor(old)
        if old["status"] == DepositState.CONFIRMED.value and (minor_or_none or 0) < 0:
            client_id = earlier.plain(old["client_id"]) or ""
            openings[client_id, old["currency"]].withdrawn -= minor_or_none or 0
    return dict(openings)


def _entries(account: Account, opening: Opening) -> list[Entry]:
    """Opening entries that leave the client max(0, credited - withdrawn - charged).

    In the order in which no balance falls below zero. What was taken out beyond what came in cannot
    come from the client: it goes from the outside account `deposits`, as the operator's own cash
    did, to `overpaid:<client>`. So dispensed and overpaid together are what was charged, and what
    was withdrawn without cover.
    """
    client_id, currency = account
    client = client_account(client_id)
    credited = max(0, opening.credited - opening.withdrawn)
    charged = min(opening.charged, credited)

    def moved(source: str, target: str, minor: int) -> list[Entry]:
        return [
            Entry(source, currency, -minor, TAKEOVER, client_id),
            Entry(target, currency, minor, TAKEOVER, client_id),
        ]

    return [
        *moved(DEPOSITS, client, credited),
        *moved(client, DISPENSED, charged),
        *moved(DEPOSITS, overpaid_account(client_id), opening.overpaid),
    ]


async def _left_out(conn: BooksConnection, table: str) -> list[earlier.Old]:
    """Kept rows that could not become one of ours: dirt, so few."""
    found = await conn.rows(
        f"SELECT row_json FROM satoshimachine.earlier_rows e WHERE e.table_name = :kept AND"
        f" NOT EXISTS (SELECT 1 FROM satoshimachine.{table} n WHERE n.id = e.row_id)"
        " ORDER BY e.row_id",
        {"kept": table},
    )
    return [earlier.read(row["row_json"]) for row in found]


# -- settings ---------------------------------------------------------------------------------


async def _settings(conn: BooksConnection, now_us: int) -> int | None:
    """Go on where it stopped: its last poll, unless a start point is set; returns the start point.

    A sale from before that the earlier extension missed comes in by an earlier start point; what
    it stored or paid never comes again, whatever the start point.
    """
    settings = await crud.get_settings(conn)
    used = earlier.newest_active(await _kept(conn, "lamassu_config"))
    changes: Facts = {}
    limit = earlier.whole(used.get("max_daily_limit_gtq")) if used else None
    if limit is not None and 1 <= limit <= DAILY_LIMIT_MAX:
        changes["max_daily_limit"] = limit
    if settings.start_at_us is None:
        newest = await conn.row(
            "SELECT MAX(confirmed_at_us) AS us FROM satoshimachine.lamassu_transactions"
            " WHERE origin = 'earlier' AND crypto_atoms IS NOT NULL"
        )
        created_us = earlier.instant(used["created_at"]) if used else None
        changes["start_at_us"] = (
            (earlier.instant(used["last_successful_poll"]) if used else None)
            or (earlier.instant(used["last_poll_time"]) if used else None)
            or (newest["us"] if newest else None)
            or (created_us - START_BEFORE_CONFIG_US if created_us else None)
        )
    await crud.save_settings({k: v for k, v in changes.items() if v is not None}, now_us, conn)
    start_us: int | None = changes.get("start_at_us", settings.start_at_us)
    return start_us


async def _kept(conn: BooksConnection, table: str) -> list[earlier.Old]:
    found = await conn.rows(
        "SELECT row_json FROM satoshimachine.earlier_rows WHERE table_name = :kept",
        {"kept": table},
    )
    return [earlier.read(row["row_json"]) for row in found]


# -- what the operator is shown -----------------------------------------------------------------


async def _facts(conn: BooksConnection, openings: Mapping[Account, Opening]) -> Facts:
    clients = await conn.rows("SELECT id FROM satoshimachine.dca_clients")
    known = {row["id"] for row in clients}
    return {
        "counts": await _counts(conn),
        "sats": await _sats(conn),
        "deposits_left_out": _shown(
            [
                {
                    **{
                        name: earlier.plain(old[name])
                        for name in ("id", "client_id", "amount", "currency", "status")
                    },
                    "reason": earlier.deposit_problem(old) or "its id was taken",
                }
                for old in await _left_out(conn, "dca_deposits")
            ]
        ),
        "clients_overpaid": _shown(
            [
                {
                    "client_id": client_id,
                    "currency": currency,
                    "amount": decimal_text(opening.overpaid, currency),
                }
                for (client_id, currency), opening in sorted(openings.items())
                if opening.overpaid
            ]
        ),
        "clients_unknown": _shown(
            [{"client_id": x} for x in sorted({key[0] for key in openings} - known)]
        ),
        "payments_left_out": _shown(
            [{"id": earlier.plain(old["id"])} for old in await _left_out(conn, "dca_payments")]
        ),
        **{name: await _found(conn, query) for name, query in FINDINGS.items()},
    }


def _shown(findings: list[Facts]) -> Facts:
    return {"count": len(findings), "first": findings[:SHOWN_MAX]}


async def _found(conn: BooksConnection, query: str) -> Facts:
    counted = await conn.row(f"SELECT COUNT(*) AS n FROM ({query}) found")
    first = await conn.rows(f"SELECT * FROM ({query}) found ORDER BY 1, 2 LIMIT {SHOWN_MAX}")
    return {"count": int(counted["n"]) if counted else 0, "first": [dict(row) for row in first]}


async def _counts(conn: BooksConnection) -> Facts:
    """How many rows of each kind were there."""
    found = await conn.rows(
        "SELECT table_name, COUNT(*) AS n FROM satoshimachine.earlier_rows GROUP BY table_name"
    )
    counts = {row["table_name"]: int(row["n"]) for row in found}
    return {word: counts.get(table, 0) for word, table in COUNTED.items()}


async def _sats(conn: BooksConnection) -> Facts:
    """What it paid, and what of the clients' base it never passed on."""
    row = await conn.row(
        "SELECT CAST(COALESCE(SUM(confirmed_sats), 0) AS BIGINT) AS paid,"
        " CAST(COALESCE(SUM(operator_remainder_sats), 0) AS BIGINT) AS kept"
        " FROM satoshimachine.lamassu_transactions WHERE origin = 'earlier'"
    )
    return {
        "paid_sats": int(row["paid"]) if row else 0,
        "not_passed_on_sats": int(row["kept"]) if row else 0,
        "note": "These sats are in the wallets. The ledger of sats begins at zero: it proves only"
        " what this extension moves.",
    }
