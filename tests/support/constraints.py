"""What the database itself refuses: every constraint and trigger of our tables, with a violator.

Each guard has a row or a statement that violates it and nothing else. `problems` compares the two
with the live schema in both directions: a guard that nobody violates here is named (a new one
cannot come untested), and so is a violator that is let through (a guard is gone). It works on
anything that speaks as `Bench` does, so that the proof can give it a damaged schema, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from . import constraints_corrections as more
from . import constraints_health as health
from . import constraints_reconciliation as runs
from . import constraints_runbook as runbook
from . import constraints_watch as watch

SCHEMA = "satoshimachine"
Values = dict[str, Any]

# One row of each table that the database takes.
ROWS: dict[str, Values] = {
    "dca_clients": {"id": "c", "user_id": "u", "wallet_id": "w"},
    "dca_deposits": {
        "id": "d",
        "client_id": "c",
        "amount": 1.0,
        "currency": "GTQ",
        "amount_minor": 100,
    },
    "lamassu_transactions": {
        "id": "t",
        "lamassu_transaction_id": "L",
        "status": "completed",
        "crypto_code": "BTC",
        "fiat_code": "GTQ",
        "source_row": "{}",
        "observed_us": 1,
        "total_sats": 100,
        "base_sats": 90,
        "commission_sats": 10,
        "confirmed_sats": 50,
        "failed_sats": 30,
        "operator_remainder_sats": 10,
    },
    "dca_payments": {
        "id": "p",
        "client_id": "c",
        "amount_sats": 50,
        "amount_fiat": 1.0,
        "exchange_rate": 50.0,
        "transaction_type": "flow",
        "status": "confirmed",
        "leg_key": "L:share:c",
        "payment_hash": "h",
        "currency": "GTQ",
        "fiat_minor": 100,
        "updated_us": 1,
    },
    "settlement_legs": {
        "leg_key": "L:share:c",
        "cash_out_id": "t",
        "kind": "share",
        "from_wallet_id": "s",
        "to_wallet_id": "w",
        "amount_sats": 50,
        "payment_hash": "h",
        "checking_id_in": "in",
        "checking_id_out": "out",
        "moved_us": 1,
    },
    "ledger_balances": {"account": "client:c", "unit": "GTQ", "balance": 100, "last_seq": 1},
    "ledger_entries": {
        "seq": 1,
        "posting": "settled",
        "account": "client:c",
        "unit": "GTQ",
        "amount": 100,
        "balance_before": 0,
        "balance_after": 100,
        "reference": "d",
        "created_us": 1,
    },
    "lamassu_config": {
        "id": "one",
        "host": "h",
        "port": 5432,
        "database_name": "lamassu",
        "username": "u",
        "created_us": 1,
        "updated_us": 1,
    },
    "operator_settings": {"name": "n", "value": "1", "updated_us": 1},
    "meta": {"name": "n", "value": "1"},
    "polls": {"id": "p", "cause": "timer", "started_us": 1, "result": "ok"},
    "source_hours": {"hour_us": 1, "rows": 1, "digest": "d"},
    "leases": {"name": "n", "holder": "h", "expires_us": 1},
    "balance_snapshots": {
        "account": "operator",
        "unit": "sat",
        "day": "2026-01-31",
        "balance": 1,
        "last_seq": 1,
        "taken_us": 1,
    },
    "idempotency_keys": {"key": "k", "request_hash": "h", "created_us": 1},
    "alerts": {
        "id": "a",
        "dedupe_key": "k",
        "kind": "k",
        "severity": "info",
        "message": "m",
        "hint": "h",
        "first_us": 1,
        "last_us": 1,
    },
    "audit_log": {
        "seq": 1,
        "at_us": 1,
        "actor": "system",
        "action": "a",
        "subject": "s",
        "detail": "{}",
    },
    "earlier_rows": {"table_name": "t", "row_id": "r", "row_json": "{}"},
    "previews": {
        "id": "p",
        "request": "{}",
        "shown": "{}",
        "effect_hash": "h",
        "expires_us": 1,
    },
    **more.ROWS,
    **health.ROWS,
    **runs.ROWS,
    **runbook.ROWS,
    **watch.ROWS,
}

# Columns with a default that must not be NULL all the same; those of ROWS come on top.
DEFAULTED = {
    "dca_clients": "dca_mode status created_at updated_at",
    "dca_deposits": "status created_at",
    "lamassu_transactions": "clock_difference_us attempts clients_count origin",
    "dca_payments": "created_at attempts origin",
    "lamassu_config": "polling_enabled use_ssh_tunnel ssh_port",
    "polls": "full_comparison rows_read new_rows settled left_pending",
    "alerts": "times escalations",
    **health.DEFAULTED,
    **runs.DEFAULTED,
    **watch.DEFAULTED,
}
# Columns of ROWS that may be NULL: they are there for the sake of a CHECK.
NULLABLE = {
    "lamassu_transactions": "total_sats base_sats commission_sats confirmed_sats failed_sats"
    " operator_remainder_sats",
    "dca_payments": "payment_hash",
    "settlement_legs": "from_wallet_id checking_id_out",
    **more.NULLABLE,
    **runbook.NULLABLE,
}

PRIMARY_KEYS = {
    "dca_clients": "id",
    "dca_deposits": "id",
    "lamassu_transactions": "id",
    "dca_payments": "id",
    "settlement_legs": "leg_key",
    "ledger_balances": "account unit",
    "ledger_entries": "seq",
    "lamassu_config": "id",
    "operator_settings": "name",
    "meta": "name",
    "polls": "id",
    "source_hours": "hour_us",
    "leases": "name",
    "balance_snapshots": "account unit day",
    "idempotency_keys": "key",
    "alerts": "id",
    "audit_log": "seq",
    "earlier_rows": "table_name row_id",
    "previews": "id",
    **more.PRIMARY_KEYS,
    **health.PRIMARY_KEYS,
    **runs.PRIMARY_KEYS,
    **runbook.PRIMARY_KEYS,
    **watch.PRIMARY_KEYS,
}
UNIQUES = (
    *more.UNIQUES,
    *runs.UNIQUES,
    ("lamassu_transactions", "lamassu_transaction_id"),
    ("dca_payments", "leg_key"),
    ("settlement_legs", "payment_hash"),
    ("settlement_legs", "checking_id_in"),
    ("settlement_legs", "checking_id_out"),
    ("alerts", "dedupe_key"),
)
APPEND_ONLY = (
    "ledger_entries",
    "audit_log",
    "settlement_legs",
    "balance_snapshots",
    *more.APPEND_ONLY,
    *health.APPEND_ONLY,
    *runs.APPEND_ONLY,
    *runbook.APPEND_ONLY,
)

_UNPAID = {"status": "failed", "payment_hash": None}
_FUNDING = {"kind": "funding", "from_wallet_id": None, "checking_id_out": None}

# (table, name on PostgreSQL, how the expression begins on SQLite, rows that violate only this).
CHECKS: tuple[tuple[str, str, str, tuple[Values, ...]], ...] = (
    (
        "dca_deposits",
        "dca_deposits_status_check",
        "status IN ('pending', 'confirmed', 'cancelled')",
        ({"status": "spent"},),
    ),
    (
        "dca_deposits",
        "dca_deposits_amount_minor_check",
        "amount_minor > 0",
        ({"amount_minor": 0}, {"amount_minor": -1}),
    ),
    (
        "dca_deposits",
        "dca_deposits_check",
        "(status = 'confirmed') = (effective_us IS NOT NULL)",
        ({"status": "confirmed"}, {"effective_us": 1}),
    ),
    (
        "lamassu_transactions",
        "lamassu_transactions_status_check",
        "status IN ('pending', 'watching',",
        ({"status": "paid"},),
    ),
    (
        "lamassu_transactions",
        "lamassu_transactions_commission_status_check",
        "commission_status IN (",
        ({"commission_status": "lost"},),
    ),
    (
        "lamassu_transactions",
        "lamassu_transactions_origin_check",
        "origin IN (",
        ({"origin": "elsewhere", "status": "pending", "total_sats": None},),
    ),
    (
        "lamassu_transactions",
        "lamassu_transactions_check",
        "origin = 'earlier' OR total_sats IS NULL OR (",
        (
            {"total_sats": 101},
            {"confirmed_sats": 51},
            {"base_sats": -1, "commission_sats": 101, "operator_remainder_sats": -81},
            {"base_sats": 101, "commission_sats": -1, "operator_remainder_sats": 21},
            {"confirmed_sats": -1, "operator_remainder_sats": 61},
            {"failed_sats": -1, "operator_remainder_sats": 41},
            {"confirmed_sats": 61, "operator_remainder_sats": -1},
        ),
    ),
    (
        "lamassu_transactions",
        "lamassu_transactions_check1",
        "status <> 'completed' OR total_sats IS NOT NULL",
        ({"total_sats": None},),
    ),
    (
        "lamassu_transactions",
        "lamassu_transactions_check2",
        "status <> 'skipped' OR operator_reason IS NOT NULL",
        ({"status": "skipped"},),
    ),
    (
        "dca_payments",
        "dca_payments_origin_check",
        "origin IN (",
        ({"origin": "elsewhere"},),
    ),
    (
        "dca_payments",
        "dca_payments_check",
        "origin = 'earlier' OR (status IN (",
        ({**_UNPAID, "status": "lost"}, {"amount_sats": 0}, {"fiat_minor": 0}),
    ),
    (
        "dca_payments",
        "dca_payments_check1",
        "origin = 'earlier' OR (status = 'confirmed') = (payment_hash IS NOT NULL)",
        ({"payment_hash": None}, {**_UNPAID, "payment_hash": "h"}),
    ),
    (
        "settlement_legs",
        "settlement_legs_kind_check",
        "kind IN (",
        ({"kind": "gift"},),
    ),
    (
        "settlement_legs",
        "settlement_legs_amount_sats_check",
        "amount_sats >= 1",
        ({"amount_sats": 0}, {"amount_sats": -1}),
    ),
    (
        "settlement_legs",
        "settlement_legs_check",
        "(kind = 'funding') = (from_wallet_id IS NULL)",
        ({"kind": "funding"}, {**_FUNDING, "kind": "share"}),
    ),
    (
        "settlement_legs",
        "settlement_legs_check1",
        "(from_wallet_id IS NULL) = (checking_id_out IS NULL)",
        ({"checking_id_out": None}, {**_FUNDING, "checking_id_out": "out"}),
    ),
    (
        "ledger_balances",
        "ledger_balances_check",
        "balance >= 0 OR account IN ('sold', 'deposits')",
        ({"balance": -1}, {"account": "operator", "unit": "sat", "balance": -1}),
    ),
    (
        "ledger_entries",
        "ledger_entries_amount_check",
        "amount <> 0",
        ({"amount": 0, "balance_after": 0},),
    ),
    (
        "ledger_entries",
        "ledger_entries_check",
        "balance_after = balance_before + amount",
        ({"balance_after": 101}, {"balance_before": 1}),
    ),
    ("polls", "polls_cause_check", "cause IN (", ({"cause": "nobody"},)),
    ("polls", "polls_result_check", "result IN (", ({"result": "maybe"},)),
    ("alerts", "alerts_severity_check", "severity IN (", ({"severity": "loud"},)),
    *more.CHECKS,
    *health.CHECKS,
    *runs.CHECKS,
    *runbook.CHECKS,
    *watch.CHECKS,
)


@dataclass(frozen=True)
class Guard:
    """Something the database refuses, by a name that is the same on both databases."""

    kind: str  # not_null | primary_key | unique | check | trigger | foreign_key
    table: str
    what: str

    def __str__(self) -> str:
        return f"{self.kind} {self.table}: {self.what}"


@dataclass(frozen=True)
class Violator:
    """Rows that go in, and then the one that must not, or a statement."""

    guard: Guard
    first: tuple[Values, ...] = ()
    row: Values = field(default_factory=dict)
    statement: str = ""


class Bench(Protocol):
    """A database with our tables, for which nothing is ever committed."""

    async def guards(self) -> set[Guard]:
        """What is declared in the live schema."""

    async def attempt(self, table: str, violator: Violator) -> Guard | str | None:
        """What refused the last step: a guard, the text of another error, None when it went in."""


def expected() -> set[Guard]:
    """Every guard that has a violator."""
    return {violator.guard for violator in violators()}


def violators() -> Iterator[Violator]:
    """All of them, by table."""
    for table, row in ROWS.items():
        needed = {*row, *DEFAULTED.get(table, "").split()} - set(NULLABLE.get(table, "").split())
        for column in sorted(needed):
            yield Violator(Guard("not_null", table, column), row={**row, column: None})
        yield _same(table, Guard("primary_key", table, PRIMARY_KEYS[table]))
    for table, column in UNIQUES:
        yield _same(table, Guard("unique", table, column))
    for table, name, _, changes in CHECKS:
        for change in changes:
            yield Violator(Guard("check", table, name), row={**ROWS[table], **change})
    for table in APPEND_ONLY:
        column = PRIMARY_KEYS[table].split()[0]
        for event, words in (
            ("update", f"UPDATE {SCHEMA}.{table} SET {column} = {column}"),
            ("delete", f"DELETE FROM {SCHEMA}.{table}"),
        ):
            yield Violator(
                Guard("trigger", table, f"{table}_no_{event}"), (ROWS[table],), statement=words
            )


def _same(table: str, guard: Guard) -> Violator:
    """A second row that is another one in every key but this."""
    keys = [PRIMARY_KEYS[table], *(column for name, column in UNIQUES if name == table)]
    second = dict(ROWS[table])
    for key in keys:
        if key != guard.what:
            column = key.split()[0]
            second[column] = 2 if isinstance(second[column], int) else f"{second[column]} 2"
    return Violator(guard, (ROWS[table],), second)


def check_name(table: str, expression: str) -> str:
    """What PostgreSQL calls the check that SQLite only knows by its text."""
    flat = " ".join(expression.split())
    for owner, name, begins, _ in CHECKS:
        if owner == table and flat.startswith(begins):
            return name
    return flat


async def problems(bench: Bench, only: str | None = None) -> list[str]:
    """What is wrong with this schema, or with one table; empty when every guard refuses."""
    found, wanted = await bench.guards(), expected()
    if only:
        found = {guard for guard in found if guard.table == only}
        wanted = {guard for guard in wanted if guard.table == only}
    wrong = [f"nobody violates {guard}" for guard in sorted(found - wanted, key=str)]
    wrong += [f"{guard} is gone" for guard in sorted(wanted - found, key=str)]
    for table, row in ROWS.items():
        if only not in (None, table):
            continue
        taken = await bench.attempt(table, Violator(Guard("none", table, ""), row=row))
        if taken is not None:
            wrong.append(f"a right row of {table} was refused by {taken}")
    for violator in violators():
        if violator.guard not in wanted:
            continue
        by = await bench.attempt(violator.guard.table, violator)
        if by != violator.guard:
            let = "let through" if by is None else f"refused by something else, {by}"
            wrong.append(f"a row against {violator.guard} was {let}")
    return wrong
