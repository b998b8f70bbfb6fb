"""Reading the books: lookups and lists of clients, deposits, cash-outs and shares."""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction

from lnbits.db import FilterModel

from .crud import fetch_row, fetch_rows
from .database import Row, own
from .domain.states import CashOutState
from .errors import NotFound
from .listing import COUNT_MAX, PAGE_MAX, Listing
from .listing import page as page

# The moment a cash-out is shown with. Never NULL, so that order and date range mean the same.
MOMENT = "COALESCE(t.confirmed_at_us, t.created_us, t.observed_us)"


class CashOutFilters(FilterModel):
    """What cash-outs can be filtered, searched and sorted by."""

    __search_fields__: list[str] = ["lamassu_transaction_id", "machine_name", "device_id"]
    __sort_fields__: list[str] | None = [
        "confirmed_at_us",
        "processed_us",
        "observed_us",
        "status",
        "total_sats",
        "fiat_minor",
    ]
    id: str | None
    lamassu_transaction_id: str | None
    status: str | None
    hold_code: str | None
    crypto_code: str | None
    fiat_code: str | None
    device_id: str | None
    machine_name: str | None
    commission_status: str | None
    origin: str | None
    confirmed_at_us: int
    processed_us: int
    observed_us: int
    total_sats: int
    fiat_minor: int
    failed_sats: int


class ShareFilters(FilterModel):
    """What shares can be filtered, searched and sorted by."""

    __search_fields__: list[str] = ["lamassu_transaction_id", "payment_hash", "client_id"]
    __sort_fields__: list[str] | None = [
        "cash_out_us",
        "amount_sats",
        "fiat_minor",
        "status",
        "updated_us",
    ]
    id: str | None
    client_id: str | None
    cash_out_id: str | None
    lamassu_transaction_id: str | None
    status: str | None
    currency: str | None
    payment_hash: str | None
    origin: str | None
    cash_out_us: int
    amount_sats: int
    fiat_minor: int
    updated_us: int


class DepositFilters(FilterModel):
    """What deposits can be filtered, searched and sorted by."""

    __search_fields__: list[str] = ["notes", "client_id"]
    __sort_fields__: list[str] | None = ["created_at", "amount_minor", "status", "effective_us"]
    id: str | None
    client_id: str | None
    status: str | None
    currency: str | None
    amount_minor: int
    created_at: datetime | None
    effective_us: int


class ClientFilters(FilterModel):
    """What clients can be filtered, searched and sorted by."""

    __search_fields__: list[str] = ["username", "user_id", "wallet_id", "id"]
    __sort_fields__: list[str] | None = [
        "username",
        "created_at",
        "status",
        "dca_mode",
        "remaining",
        "last_share",
    ]
    id: str | None
    user_id: str | None
    wallet_id: str | None
    username: str | None
    dca_mode: str | None
    status: str | None
    created_at: datetime | None


class PollFilters(FilterModel):
    """What polls can be filtered and sorted by."""

    __sort_fields__: list[str] | None = ["started_us"]
    id: str | None
    result: str | None
    cause: str | None
    started_us: int


class CorrectionFilters(FilterModel):
    """What corrections can be filtered, searched and sorted by."""

    __search_fields__: list[str] = ["note", "client_id", "reason_code"]
    __sort_fields__: list[str] | None = ["proposed_us", "decided_us", "sats", "kind", "status"]
    id: str | None
    batch_id: str | None
    kind: str | None
    status: str | None
    client_id: str | None
    cash_out_id: str | None
    finding_id: str | None
    reason_code: str | None
    sats: int
    proposed_us: int
    decided_us: int


class AuditFilters(FilterModel):
    """What the trail can be filtered and sorted by, in LNbits' own way."""

    __search_fields__: list[str] = []
    __sort_fields__: list[str] | None = ["seq", "at_us"]
    seq: int
    at_us: int


_TRANSACTIONS = "satoshimachine.lamassu_transactions"


def _found(column: str) -> str:
    """The values of a column that a search finds. They are few: its index is stepped through."""
    least = f"SELECT MIN({column}) FROM {_TRANSACTIONS}"
    return (
        f"WITH RECURSIVE found(value) AS ({least} UNION ALL"
        f" SELECT ({least} WHERE {column} > found.value) FROM found WHERE found.value IS NOT NULL)"
        " SELECT value FROM found WHERE lower(value) LIKE :search ESCAPE '!'"
    )


CASH_OUTS = Listing(
    "lamassu_transactions",
    MOMENT,
    CashOutFilters,
    sorts={"confirmed_at_us": MOMENT},
    search=(
        f"t.id IN (SELECT id FROM {_TRANSACTIONS} WHERE lamassu_transaction_id LIKE :search"
        " ESCAPE '!' OR lower(id) LIKE :search ESCAPE '!' UNION ALL"
        f" SELECT id FROM {_TRANSACTIONS} WHERE machine_name IN ({_found('machine_name')})"
        f" UNION ALL SELECT id FROM {_TRANSACTIONS} WHERE device_id IN ({_found('device_id')})"
        " UNION ALL SELECT cash_out_id FROM satoshimachine.settlement_legs"
        " WHERE payment_hash = :exact)"
    ),
)
SHARES = Listing("dca_payments", "COALESCE(t.cash_out_us, 0)", ShareFilters)
DEPOSITS = Listing(
    "dca_deposits",
    "t.created_at",
    DepositFilters,
    columns="t.*, (SELECT username FROM satoshimachine.dca_clients c WHERE c.id = t.client_id)"
    " AS username",
    search="(lower(COALESCE(t.notes, '') || ' ' || t.client_id || ' ' || t.id) LIKE :search"
    " ESCAPE '!' OR t.client_id IN (SELECT id FROM satoshimachine.dca_clients"
    " WHERE lower(username) LIKE :search ESCAPE '!'))",
)
CLIENTS = Listing(
    "dca_clients",
    "t.created_at",
    ClientFilters,
    sorts={
        "remaining": "(SELECT balance FROM satoshimachine.ledger_balances"
        " WHERE account = 'client:' || t.id AND unit = :currency)",
        "last_share": "(SELECT MAX(cash_out_us) FROM satoshimachine.dca_payments"
        " WHERE client_id = t.id)",
    },
)
CORRECTIONS = Listing(
    "corrections",
    "t.proposed_us",
    CorrectionFilters,
    columns="t.*, (SELECT username FROM satoshimachine.dca_clients c WHERE c.id = t.client_id)"
    " AS username",
)
POLLS = Listing("polls", "t.started_us", PollFilters)


async def get_client(client_id: str) -> Row:
    """Raises NotFound."""
    return await _one("dca_clients", client_id, "There is no such client")


async def get_deposit(deposit_id: str) -> Row:
    """With the client's name. Raises NotFound."""
    query = f"SELECT {DEPOSITS.columns} FROM satoshimachine.dca_deposits t WHERE t.id = :id"
    row = await fetch_row(query, {"id": deposit_id})
    if row is None:
        raise NotFound("There is no such deposit")
    return row


async def get_share(share_id: str) -> Row:
    """Raises NotFound."""
    return await _one("dca_payments", share_id, "There is no such share")


async def get_cash_out(cash_out_id: str) -> Row:
    """Raises NotFound."""
    return await _one("lamassu_transactions", cash_out_id, "There is no such cash-out")


async def find_cash_out(lamassu_id: str) -> Row | None:
    """The cash-out stored for this Lamassu id, or None."""
    return await fetch_row(
        "SELECT * FROM satoshimachine.lamassu_transactions WHERE lamassu_transaction_id = :id",
        {"id": lamassu_id},
    )


async def _one(table: str, row_id: str, missing: str) -> Row:
    row = await fetch_row(f"SELECT * FROM satoshimachine.{table} WHERE id = :id", {"id": row_id})
    if row is None:
        raise NotFound(missing)
    return row


async def count_shares(cash_out_id: str) -> int:
    """How many shares a cash-out has."""
    row = await fetch_row(
        "SELECT COUNT(*) AS n FROM satoshimachine.dca_payments WHERE cash_out_id = :id",
        {"id": cash_out_id},
    )
    return int(row["n"]) if row else 0


async def shares_of(cash_out_id: str) -> list[Row]:
    """All shares of a cash-out: as many as there were clients, at most PAGE_MAX."""
    return await fetch_rows(
        "SELECT s.*, c.username FROM satoshimachine.dca_payments s"
        " LEFT JOIN satoshimachine.dca_clients c ON c.id = s.client_id"
        f" WHERE s.cash_out_id = :id ORDER BY s.amount_sats DESC, s.client_id LIMIT {PAGE_MAX}",
        {"id": cash_out_id},
    )


async def client_names(client_ids: list[str]) -> dict[str, str | None]:
    """Client -> name, for at most a page of clients."""
    if not client_ids:
        return {}
    named = {f"v{i}": one for i, one in enumerate(client_ids[:PAGE_MAX])}
    marks = ", ".join(f":{name}" for name in named)
    rows = await fetch_rows(
        f"SELECT id, username FROM satoshimachine.dca_clients WHERE id IN ({marks})", named
    )
    return {str(row["id"]): row["username"] for row in rows}


async def events_of(subject: str) -> list[Row]:
    """What happened to a cash-out, client or deposit, oldest first."""
    return await fetch_rows(
        "SELECT * FROM satoshimachine.audit_log WHERE subject = :subject"
        f" ORDER BY seq LIMIT {PAGE_MAX}",
        {"subject": subject},
    )


async def ledger_sums(accounts: list[str]) -> list[Row]:
    """Per account and unit: what was credited in all, and what it holds; a page of accounts."""
    named = {f"v{i}": account for i, account in enumerate(accounts[:PAGE_MAX])}
    marks = ", ".join(f":{name}" for name in named)
    return await fetch_rows(
        f"""
        SELECT b.account, b.unit, b.balance,
            (SELECT COALESCE(SUM(e.amount), 0) FROM satoshimachine.ledger_entries e
             WHERE e.account = b.account AND e.unit = b.unit
               AND e.posting IN ('deposit_confirmed', 'takeover') AND e.amount > 0) AS credited,
            (SELECT COALESCE(SUM(e.amount), 0) FROM satoshimachine.ledger_entries e
             WHERE e.account = b.account AND e.unit = b.unit
               AND e.posting = 'balance_adjusted') AS adjusted
        FROM satoshimachine.ledger_balances b WHERE b.account IN ({marks})
        ORDER BY b.account, b.unit
        """,
        named,
    )


async def balances_of(accounts: list[str]) -> dict[str, list[Row]]:
    """Account -> its balances, for at most a page of accounts."""
    if not accounts:
        return {}
    query = (
        "SELECT account, unit, balance FROM satoshimachine.ledger_balances"
        " WHERE account IN ({marks}) ORDER BY unit"
    )
    rows = await own(lambda conn: conn.rows_in(query, accounts[:PAGE_MAX]))
    found: dict[str, list[Row]] = {account: [] for account in accounts}
    for row in rows:
        found[row["account"]].append(row)
    return found


async def newest_price(currency: str) -> Fraction | None:
    """Minor units per sat of the newest settled cash-out in this currency, or None."""
    row = await fetch_row(
        "SELECT fiat_minor, base_sats FROM satoshimachine.lamassu_transactions"
        " WHERE status = 'completed' AND fiat_code = :currency AND base_sats > 0 AND fiat_minor > 0"
        " ORDER BY confirmed_at_us DESC LIMIT 1",
        {"currency": currency},
    )
    return Fraction(int(row["fiat_minor"]), int(row["base_sats"])) if row else None


async def counts_by_status() -> dict[str, int]:
    """How many cash-outs are in each state, those that have any; counted up to COUNT_MAX."""
    rows = await fetch_rows(
        " UNION ALL ".join(
            f"SELECT '{state.value}' AS status, COUNT(*) AS n FROM (SELECT 1 FROM {_TRANSACTIONS}"
            f" WHERE status = '{state.value}' LIMIT {COUNT_MAX}) {state.value}"
            for state in CashOutState
        )
    )
    return {str(row["status"]): int(row["n"]) for row in rows if row["n"]}


async def failed_shares() -> tuple[int, int]:
    """(shares, sats) that wait in the source wallet."""
    row = await fetch_row(
        "SELECT COUNT(*) AS n, COALESCE(SUM(amount_sats), 0) AS sats"
        " FROM satoshimachine.dca_payments WHERE status = 'failed' AND origin = 'observed'"
    )
    return (int(row["n"]), int(row["sats"])) if row else (0, 0)


async def pending_deposits() -> int:
    """Deposits that nobody confirmed yet."""
    row = await fetch_row(
        "SELECT COUNT(*) AS n FROM satoshimachine.dca_deposits WHERE status = 'pending'"
    )
    return int(row["n"]) if row else 0
