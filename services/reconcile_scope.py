"""Which cash-outs a run compares: a slice at a time, in the order of their key."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from .. import crud
from ..database import BooksConnection, own
from ..listing import Clause
from ..models_reconciliation import Scope, ScopeKind
from .list_filters import CashOutQuery, cash_out_clauses

OBSERVED = "t.origin = 'observed'"
T = "satoshimachine.lamassu_transactions t"
ROWS_MAX = 100_000  # of what changed since the last run; more than that is a full run


def clauses_of(scope: Scope, time_zone: str) -> list[Clause]:
    """Conditions on the cash-outs. Raises BadInput for a day that is none."""
    if scope.kind is ScopeKind.CASH_OUT:
        sql = "(t.id = :one OR t.lamassu_transaction_id = :one)"
        return [Clause(sql, {"one": scope.cash_out})]
    query = CashOutQuery(
        from_day=scope.from_day,
        to_day=scope.to_day,
        machine=scope.machine,
        client=scope.client,
    )
    return cash_out_clauses(query, time_zone)


async def count_of(clauses: Sequence[Clause], ids: Sequence[str] | None) -> int:
    """How many there are, for the progress."""
    if ids is not None:
        return len(ids)
    where, values = _where(clauses)
    row = await crud.fetch_row(f"SELECT COUNT(*) AS n FROM {T} WHERE {where}", values)
    return int(row["n"]) if row else 0


async def slice_of(
    clauses: Sequence[Clause], ids: Sequence[str] | None, after: str, size: int
) -> list[str]:
    """The next ids after this one; empty at the end."""
    if ids is not None:
        start = bisect_right(ids, after)
        return list(ids[start : start + size])
    where, values = _where(clauses)
    rows = await crud.fetch_rows(
        f"SELECT t.id FROM {T} WHERE {where} AND t.id > :after ORDER BY t.id LIMIT {size}",
        {**values, "after": after},
    )
    return [str(row["id"]) for row in rows]


def _where(clauses: Sequence[Clause]) -> tuple[str, dict[str, object]]:
    values = {name: value for clause in clauses for name, value in clause.values.items()}
    return " AND ".join([OBSERVED, *(clause.sql for clause in clauses)]), values


async def narrowed(marks: dict[str, int]) -> list[str]:
    """Cash-outs that something happened to since the last good run, or that are not at rest."""

    async def work(conn: BooksConnection) -> set[str]:
        found: set[str] = set()
        for query, values in (
            (CHANGED, {"after": marks["last_audit"], "upto": marks["audit"]}),
            (POSTED, {"after": marks["last_ledger"], "upto": marks["ledger"]}),
            (NOT_AT_REST, {}),
            (WITH_FINDINGS, {}),
        ):
            rows = await conn.rows(f"{query} LIMIT {ROWS_MAX}", values)
            found |= {str(row["id"]) for row in rows}
        return found

    return sorted(await own(work))


async def changed_since(after: int, upto: int, word: str) -> list[str]:
    """Subjects of the audit trail whose action begins with this word."""
    rows = await crud.fetch_rows(
        "SELECT DISTINCT subject FROM satoshimachine.audit_log WHERE seq > :after"
        f" AND seq <= :upto AND action LIKE :word LIMIT {ROWS_MAX}",
        {"after": after, "upto": upto, "word": f"{word}%"},
    )
    return [str(row["subject"]) for row in rows]


# Every change of a cash-out is an entry of the audit trail, by its own id.
CHANGED = f"""
    SELECT DISTINCT t.id FROM satoshimachine.audit_log a JOIN {T} ON t.id = a.subject
    WHERE a.seq > :after AND a.seq <= :upto AND {OBSERVED}
"""
POSTED = f"""
    SELECT DISTINCT t.id FROM satoshimachine.ledger_entries e JOIN {T} ON t.id = e.cash_out_id
    WHERE e.seq > :after AND e.seq <= :upto AND {OBSERVED}
"""
NOT_AT_REST = f"""
    SELECT t.id FROM {T} WHERE {OBSERVED}
    AND t.status IN ('pending', 'watching', 'held', 'processing', 'failed')
"""
WITH_FINDINGS = """
    SELECT DISTINCT f.cash_out_id AS id FROM satoshimachine.findings f
    WHERE f.status IN ('open', 'acknowledged') AND f.subject_kind = 'cash_out'
"""
