"""The files: the rows of the lists, sums that are the rows' sums, nothing held, nothing silent."""

from __future__ import annotations

import asyncio
import csv
import io
import re
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from support.machine import change, fetch
from support.operator import BASE, Operator
from support.sold_days import SoldDays, every, sell_some_days

FILES = ["cash-outs", "shares", "report", "deposits", "clients"]
NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
INSTANT = re.compile(r"[0-9-]{10}T[0-9:]{8}\.[0-9]{3}[+-][0-9]{2}:[0-9]{2}")
TEXTS = {"client", "machine", "notes", "reason", "problem"}


@pytest.fixture
async def days(operator: Operator) -> SoldDays:
    return await sell_some_days(operator)


class File:
    """A file as somebody else's program reads it."""

    def __init__(self, raw: bytes) -> None:
        text = raw.decode("utf-8-sig")
        assert raw.startswith(b"\xef\xbb\xbf")
        assert "\n" not in text.replace("\r\n", "")
        lines = list(csv.reader(io.StringIO(text, newline=""), strict=True))
        self.columns = lines[0]
        assert {len(line) for line in lines} == {len(self.columns)}
        named = [dict(zip(self.columns, line, strict=True)) for line in lines[1:]]
        self.rows = [line for line in named if line["row"].isdigit()]
        self.sums = {line["currency"]: line for line in named if line["row"] == "SUM"}
        self.end = named[-1] if named and named[-1]["row"] == "END" else None
        assert [line["row"] for line in self.rows] == [str(n + 1) for n in range(len(self.rows))]
        assert len(self.rows) + len(self.sums) + (self.end is not None) == len(named)

    def count(self, line: dict[str, str]) -> int:
        return int(line[self.columns[1]].removesuffix(" rows"))


async def fetched(operator: Operator, name: str, **params: Any) -> File:
    answer = await operator.http.get(f"{BASE}/exports/{name}.csv", params=params)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert re.fullmatch(
        rf'attachment; filename="satmachineadmin-{name}-[0-9]{{8}}T[0-9]{{6}}-0600\.csv"',
        answer.headers["content-disposition"],
    )
    file = File(answer.content)
    assert file.end is not None
    return file


def total(rows: list[dict[str, str]], column: str) -> Decimal:
    return sum((Decimal(row[column]) for row in rows if row[column]), Decimal(0))


async def test_the_closing_lines_are_the_sums_of_the_rows(
    operator: Operator, days: SoldDays
) -> None:
    for name in FILES:
        file = await fetched(operator, name)
        assert file.rows
        assert file.end is not None
        assert file.count(file.end) == len(file.rows)
        assert set(file.sums) == {row["currency"] for row in file.rows}
        firsts: dict[str, dict[str, str]] = {}
        for row in file.rows:
            firsts.setdefault(row.get("cash_out_id", row["row"]), row)
        for currency, said in file.sums.items():
            rows = [row for row in file.rows if row["currency"] == currency]
            assert file.count(said) == len(rows)
            for column in file.columns[2:]:
                if column == "currency" or not said[column]:
                    continue
                once = name == "report" and not column.startswith("client_")
                counted = list(firsts.values()) if once else rows
                counted = [row for row in counted if row["currency"] == currency]
                assert Decimal(said[column]) == total(counted, column), (name, column)
        for column in ("total_sats", "received_sats", "client_sats"):
            if column in file.columns:
                by_currency = [said for said in file.sums.values() if said[column]]
                assert Decimal(file.end[column]) == total(by_currency, column)


async def test_a_file_holds_what_its_list_shows(operator: Operator, days: SoldDays) -> None:
    for asked in (
        {},
        {"status": "completed,skipped"},
        {"currency": "USD"},
        {"client": days.clients[1], "coin": "LN"},
        {"from": days.midnight.date().isoformat()},
        {"search": days.ids[3]},
        {"status": "failed"},
    ):
        listed = {row["id"]: row for row in await every(operator, "transactions", **asked)}
        file = await fetched(operator, "cash-outs", **asked)
        assert {row["cash_out_id"] for row in file.rows} == set(listed), asked
        for row in file.rows:
            one = listed[row["cash_out_id"]]
            assert row["fiat"] == one["fiat"]
            assert row["total_sats"] == str(one["total_sats"] or "")
            assert datetime.fromisoformat(row["time"]) == trimmed(
                one["transaction_time"] or one["observed_at"]
            )
        report = await fetched(operator, "report", **asked)
        assert {row["cash_out_id"] for row in report.rows} == set(listed), asked
        shares = await fetched(operator, "shares", **asked)
        expected = {
            (share["lamassu_transaction_id"], share["client_id"], share["amount_sats"])
            for one in listed.values()
            for share in await operator.shares(one["id"])
            if share["client_id"] == asked.get("client", share["client_id"])
        }
        found = {(r["lamassu_id"], r["client_id"], int(r["sats"])) for r in shares.rows}
        assert found == expected, asked
        assert {r["client_id"] for r in report.rows if r["client_id"]} == {x[1] for x in expected}
    deposits = await fetched(operator, "deposits", client=days.clients[2])
    assert [(row["currency"], row["amount"]) for row in deposits.rows] == [("USD", "900.00")]
    clients = await fetched(operator, "clients", search="béla")
    assert [row["client_id"] for row in clients.rows] == [days.clients[1]]


def trimmed(iso: str) -> datetime:
    moment = datetime.fromisoformat(iso)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


async def test_the_report_has_the_columns_of_the_audit(operator: Operator, days: SoldDays) -> None:
    """SAT-38; a cash-out nobody had a share in stands there, too."""
    file = await fetched(operator, "report")
    settled = await operator.cash_out(days.ids[0])
    rows = [row for row in file.rows if row["cash_out_id"] == settled["id"]]
    assert len(rows) == settled["clients_count"] == 2
    for row in rows:
        assert row["lamassu_id"] == days.ids[0]
        assert (row["total_sats"], row["fiat"], row["currency"]) == (
            str(settled["total_sats"]),
            "100.00",
            "GTQ",
        )
        assert (row["commission_percent"], row["discount_percent"]) == ("5.5", "")
        assert row["distributable_sats"] == str(settled["base_sats"])
        assert row["commission_sats"] == str(settled["commission_sats"])
        assert row["payment_status"] == "confirmed"
        assert re.fullmatch("[0-9a-f]{64}", row["payment_hash"])
    skipped = await operator.cash_out(days.ids[7])
    (alone,) = [row for row in file.rows if row["cash_out_id"] == skipped["id"]]
    assert (alone["client_id"], alone["payment_hash"], alone["status"]) == ("", "", "skipped")


async def test_texts_cannot_become_formulas_and_numbers_stay_numbers(
    operator: Operator, days: SoldDays
) -> None:
    """A machine's or a client's name may hold anything."""
    await change(
        "UPDATE satoshimachine.lamassu_transactions SET machine_name = :name",
        {"name": ' "=HYPERLINK("x")\r\n,;\t'},
    )
    note = {"client_id": days.clients[0], "amount": "1", "notes": "@home"}
    await operator.api("POST", "deposits", json=note)
    for name in FILES:
        for row in (await fetched(operator, name)).rows:
            for column, cell in row.items():
                if column not in TEXTS and cell[:1] in ("-", "+", "=", "@"):
                    assert NUMBER.fullmatch(cell), (name, column, cell)
                if column.endswith(("_sats", "fiat", "amount")) and cell:
                    assert NUMBER.fullmatch(cell)
                if column == "time" or column.endswith("_at"):
                    assert not cell or INSTANT.fullmatch(cell), cell
    cash_outs = await fetched(operator, "cash-outs")
    assert {row["machine"] for row in cash_outs.rows} == {'\' "=HYPERLINK("x")\r\n,;\t'}
    assert "'-1+1 by hand" in {row["reason"] for row in cash_outs.rows}
    clients = await fetched(operator, "clients")
    assert {row["client"] for row in clients.rows} == {"Ana", '\'=Béla, "the" 2nd', "Carla"}
    assert "'@home" in {row["notes"] for row in (await fetched(operator, "deposits")).rows}


async def test_an_empty_file_says_so(operator: Operator) -> None:
    for name in FILES:
        file = await fetched(operator, name)
        assert (file.rows, file.sums) == ([], {})
        assert file.end is not None
        assert file.count(file.end) == 0


async def many_cash_outs(number: int) -> None:
    """By SQL: cash-outs of an earlier extension with two payments each, one without."""
    from satmachineadmin.adapters.settlement import settlement

    cash_outs = [
        {
            "id": f"cash-out-{n:06}",
            "lamassu_transaction_id": f"lamassu-{n:06}",
            "status": "completed",
            "crypto_code": "LN",
            "fiat_code": "GTQ",
            "fiat_minor": n,
            "confirmed_at_us": 1_790_000_000_000_000 + n // 7,  # several at one moment
            "source_row": "{}",
            "observed_us": 1,
            "total_sats": n,
            "origin": "earlier",
        }
        for n in range(number)
    ]
    shares = [
        {
            "id": f"share-{n:06}-{k}",
            "leg_key": f"share-{n:06}-{k}",
            "client_id": "client",
            "amount_sats": n,
            "amount_fiat": 0.0,
            "exchange_rate": 0.0,
            "transaction_type": "flow",
            "status": "confirmed",
            "cash_out_id": f"cash-out-{n:06}" if n % 100 else None,
            "currency": "GTQ",
            "fiat_minor": n,
            "cash_out_us": n,
            "updated_us": n,
            "origin": "earlier",
        }
        for n in range(number)
        for k in range(2)
    ]

    async def work(conn: Any) -> None:
        await conn.insert_rows("satoshimachine.lamassu_transactions", cash_outs)
        await conn.insert_rows("satoshimachine.dca_payments", shares)

    await settlement(work)


async def test_pages_meet_without_a_gap_and_memory_stays_flat(
    superuser: Any, clean_books: None
) -> None:
    """Six pages and more; what is held at once does not grow with the file."""
    from satmachineadmin.services import exports
    from satmachineadmin.services.list_filters import CashOutQuery

    number = 3_100
    await many_cash_outs(number)
    asked = exports.asked_cash_outs(_no_filters(), CashOutQuery(), "America/Guatemala")
    for pages, rows in (
        (exports.cash_out_pages, number),
        (exports.report_pages, 2 * number - number // 100),
        (exports.share_pages, 2 * number),
    ):
        seen, held = [], []
        tracemalloc.start()
        async for page in pages(asked):
            first = "share_id" if "share_id" in page[0].cells else "cash_out_id"
            seen += [(line.cells[first], line.cells.get("payment_status")) for line in page]
            held.append(len(page))
            tracemalloc.reset_peak()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert len(seen) == rows
        assert len(held) >= number // exports.PAGE_ROWS
        assert max(held) <= exports.BATCH_SHARES
        assert peak < 12_000_000
        whole = {one for one, _ in seen}
        assert len(whole) == (rows if pages is exports.share_pages else number)


def _no_filters() -> Any:
    from lnbits.db import Filters
    from satmachineadmin.books import CashOutFilters

    return Filters(model=CashOutFilters)


async def test_a_slow_reader_holds_no_lock(superuser: Any, clean_books: None) -> None:
    """Between two pages the books can be written; on SQLite even by another program."""
    from satmachineadmin.services import export_tables, exports
    from satmachineadmin.services.export_csv import csv_chunks
    from satmachineadmin.services.list_filters import CashOutQuery

    await many_cash_outs(1_600)
    asked = exports.asked_cash_outs(_no_filters(), CashOutQuery(), "America/Guatemala")
    chunks = csv_chunks(export_tables.REPORT, exports.report_pages(asked))
    raw = await anext(chunks) + await anext(chunks)
    await asyncio.wait_for(_write(), 5)
    async for chunk in chunks:
        raw += chunk
    file = File(raw)
    assert file.end is not None
    assert "cash-out-001599" not in {row["cash_out_id"] for row in file.rows}


async def _write() -> None:
    await change("UPDATE satoshimachine.lamassu_transactions SET attempts = 1")
    await change("DELETE FROM satoshimachine.lamassu_transactions WHERE id = 'cash-out-001599'")


async def test_a_failure_in_mid_stream_cuts_the_file(
    lnbits_app: FastAPI, superuser: Any, clean_books: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No END line, and the connection ends as broken: the caller's program notices."""
    from satmachineadmin.services import export_tables, exports
    from satmachineadmin.services.export_csv import csv_chunks
    from satmachineadmin.services.list_filters import CashOutQuery

    await many_cash_outs(1_600)
    asked = exports.asked_cash_outs(_no_filters(), CashOutQuery(), "America/Guatemala")
    real = exports.fetch_rows
    pages_read = 0

    async def failing(*args: Any) -> Any:
        nonlocal pages_read
        pages_read += 1
        if pages_read % 3 == 0:
            raise RuntimeError("the disk is gone")
        return await real(*args)

    monkeypatch.setattr(exports, "fetch_rows", failing)
    pages = exports.cash_out_pages(asked)
    sent = b""

    async def read() -> None:
        nonlocal sent
        async for chunk in csv_chunks(export_tables.CASH_OUTS, pages):
            sent += chunk

    with pytest.raises(RuntimeError, match="the disk is gone"):
        await read()
    assert b"cash-out-000999" in sent
    assert b"END" not in sent
    async with served(lnbits_app) as url, httpx.AsyncClient(headers=superuser.headers) as http:
        with pytest.raises(httpx.RemoteProtocolError):
            await http.get(f"{url}{BASE}/exports/cash-outs.csv")


@asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[str]:
    """The app behind the server that LNbits runs on, on a port of its own."""
    server = uvicorn.Server(
        uvicorn.Config(app, port=0, lifespan="off", ws="none", log_level="critical")
    )
    running = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    await running


async def test_a_failure_before_the_first_page_is_an_answer(
    superuser: Any, clean_books: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from satmachineadmin.errors import DatabaseBusy
    from satmachineadmin.services import exports

    async def busy(*args: Any) -> Any:
        raise DatabaseBusy("Another writer holds the database")

    monkeypatch.setattr(exports, "fetch_rows", busy)
    answer = await superuser.get(f"{BASE}/exports/report.csv")
    assert (answer.status_code, answer.json()["code"]) == (503, "DATABASE_BUSY")


async def test_whoever_stops_reading_leaves_nothing_behind(
    superuser: Any, clean_books: None
) -> None:
    from satmachineadmin.services import export_tables, exports
    from satmachineadmin.services.export_csv import csv_chunks
    from satmachineadmin.services.list_filters import CashOutQuery

    await many_cash_outs(1_100)
    asked = exports.asked_cash_outs(_no_filters(), CashOutQuery(), "America/Guatemala")
    chunks: AsyncIterator[bytes] = csv_chunks(
        export_tables.CASH_OUTS, exports.cash_out_pages(asked)
    )
    await anext(chunks)
    await anext(chunks)
    await chunks.aclose()  # type: ignore[attr-defined]
    await change("DELETE FROM satoshimachine.lamassu_transactions")
    assert await fetch("SELECT id FROM satoshimachine.lamassu_transactions") == []
