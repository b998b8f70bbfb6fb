"""No list and no sum reads a whole big table: the plans of the queries that the routes run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from satmachineadmin.dev import sample_rows
from support.operator import Operator, ago

pytestmark = pytest.mark.sqlite_only  # its plans do not depend on how many rows there are

# They grow with every sale. Everything else has as many rows as an operator has clients, alerts,
# settings or deposits.
BIG = {
    "lamassu_transactions",
    "dca_payments",
    "ledger_entries",
    "settlement_legs",
    "audit_log",
    "apipayments",
}
# A whole index is read where any row may be the answer: to sort by a column that is not the order
# of the index, to find a part of an id, to count a list that is not narrowed (at most COUNT_MAX).
# A sum never reads one.
WHOLE_INDEX = re.compile(r"SCAN .* USING (COVERING )?INDEX")
METRICS = "/satmachineadmin/api/v1/metrics"
CLIENT, CASH_OUT = "{client}", "{cash_out}"
FILTERS: list[dict[str, Any]] = [
    {},
    {"offset": 100},
    {"status": "completed"},
    {"status": "held,failed"},
    {"from": "2026-01-01", "to": "2026-12-31"},
    {"machine": "m", "coin": "LN", "currency": "GTQ"},
    {"client": CLIENT},
    {"shares": "failed"},
    {"search": "abc"},
    {"sortby": "total_sats", "direction": "desc"},
    {"sortby": "fiat_minor", "direction": "asc"},
    {"sortby": "status", "direction": "asc"},
]
PATHS: list[tuple[str, dict[str, Any]]] = [
    *(("transactions", one) for one in FILTERS),
    *((path, {}) for path in ("status", "needs", "summary", "charts", "funds", "facets", "polls")),
    ("charts", {"days": 92}),
    ("clients", {}),
    ("clients", {"activity": True}),
    ("clients", {"sortby": "remaining"}),
    ("clients", {"sortby": "last_share"}),
    (f"clients/{CLIENT}", {}),
    (f"clients/{CLIENT}/balance", {}),
    (f"clients/{CLIENT}/sheet", {}),
    (f"clients/{CLIENT}/distributions", {}),
    ("deposits", {}),
    ("deposits", {"status": "pending"}),
    (f"transactions/{CASH_OUT}", {}),
    (f"transactions/{CASH_OUT}/distributions", {}),
    ("audit", {}),
    ("audit", {"search": "settled"}),
    ("audit", {"action": "cash_out_settled", "offset": 10}),
    ("audit", {"actor": "system", "sortby": "at_us"}),
    ("audit", {"subject": CASH_OUT}),
    ("audit", {"from": "2026-01-01", "to": "2026-12-31"}),
    ("audit/actions", {}),
    ("audit/head", {}),
    ("corrections", {}),
    ("corrections", {"client_id": CLIENT}),
]


@pytest.fixture
def asked() -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """Every query that goes to the database from now on, with its values."""
    from satmachineadmin.database import SqliteConnection

    found: list[tuple[str, dict[str, Any]]] = []
    original = SqliteConnection.rows

    async def rows(self: Any, query: str, values: Any = None) -> Any:
        found.append((query, dict(values or {})))
        return await original(self, query, values)

    SqliteConnection.rows = rows  # type: ignore[method-assign]
    yield found
    SqliteConnection.rows = original  # type: ignore[method-assign]


async def test_no_query_of_the_page_reads_a_whole_big_table(
    operator: Operator, asked: list[tuple[str, dict[str, Any]]]
) -> None:
    client = await operator.add_client("5000")
    sale = sample_rows.sale(fiat=100, confirmed_at=ago(hours=1))
    await operator.lamassu.insert(sale)
    await operator.poll()
    ids = {CLIENT: client, CASH_OUT: sale["id"]}
    bad = []
    for path, params in PATHS:
        asked.clear()
        for mark, value in ids.items():
            path = path.replace(mark, value)
            params = {name: value if v == mark else v for name, v in params.items()}
        await operator.api("GET", path, params=params)
        queries = [one for one in asked if one[0].lstrip().upper().startswith(("SELECT", "WITH"))]
        assert queries, path
        for query, values in list(queries):
            bad += [f"{path} {params}: {step}\n{query}" for step in await _scans(query, values)]
    assert not bad, "\n\n".join(bad)


async def test_no_metric_reads_a_whole_big_table(
    operator: Operator, asked: list[tuple[str, dict[str, Any]]]
) -> None:
    """They are read every minute, so none of them may grow with the books."""
    answer = await operator.http.get(METRICS)
    assert answer.status_code == 200, answer.text
    queries = [one for one in asked if one[0].lstrip().upper().startswith("SELECT")]
    assert 15 < len(queries) < 60
    bad = [f"{step}\n{query}" for query, values in queries for step in await _scans(query, values)]
    assert not bad, "\n\n".join(bad)


async def _scans(query: str, values: dict[str, Any]) -> list[str]:
    """The steps of a plan that go through all rows of a big table."""
    from satmachineadmin.database import own

    steps = await own(lambda conn: conn.rows(f"EXPLAIN QUERY PLAN {query}", values))
    named = re.findall(r"(?:FROM|JOIN) (?:satoshimachine\.)?(\w+) (?:AS )?(\w+)", query)
    aliases = {alias: table for table, alias in named}
    found = []
    for step in (str(row["detail"]) for row in steps):
        table = re.match(r"SCAN (?:satoshimachine\.)?(\w+)", step)
        limited = "LIMIT" in query and "SUM(" not in query
        if table is None or (limited and WHOLE_INDEX.match(step)):
            continue
        if aliases.get(table[1], table[1]) in BIG:
            found.append(step)
    return found


async def test_a_scan_would_be_seen(operator: Operator) -> None:
    queries = [
        "SELECT * FROM satoshimachine.lamassu_transactions t WHERE t.attempts = 3",
        "SELECT SUM(fiat_minor) AS n FROM satoshimachine.dca_payments",
        "SELECT reference FROM satoshimachine.ledger_entries e",
    ]
    for query in queries:
        assert await _scans(query, {}), query
