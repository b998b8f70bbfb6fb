"""Routes: the files an accountant takes away, with the same filters as the lists."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends
from fastapi.responses import StreamingResponse
from lnbits.db import Filters
from loguru import logger

from .. import books, clock, crud
from ..services import audit_list, export_tables, exports, findings_export, reconcile_view
from ..services.export_csv import MEDIA_TYPE, Table, csv_chunks, file_name
from ..services.list_filters import CASH_OUT_NAMES, DEPOSIT_NAMES
from .list_queries import AskedAudit, AskedCashOuts, AskedDeposits
from .routing import AnsweringRoute, page_filters

router = APIRouter(route_class=AnsweringRoute)

CashOutFilters = Annotated[
    Filters[Any], Depends(page_filters(books.CashOutFilters, CASH_OUT_NAMES, paging=False))
]
DepositFilters = Annotated[
    Filters[Any], Depends(page_filters(books.DepositFilters, DEPOSIT_NAMES, paging=False))
]
AuditFilters = Annotated[
    Filters[Any], Depends(page_filters(books.AuditFilters, audit_list.NAMES, paging=False))
]
FindingFilters = Annotated[
    Filters[Any], Depends(page_filters(reconcile_view.FindingFilters, paging=False))
]
ClientFilters = Annotated[Filters[Any], Depends(page_filters(books.ClientFilters, paging=False))]


@router.get("/exports/cash-outs.csv")
async def export_cash_outs(filters: CashOutFilters, query: AskedCashOuts) -> StreamingResponse:
    """Every cash-out as filtered."""
    zone = await _zone()
    pages = exports.cash_out_pages(exports.asked_cash_outs(filters, query, zone))
    return await _answer(export_tables.CASH_OUTS, pages, zone)


@router.get("/exports/shares.csv")
async def export_shares(filters: CashOutFilters, query: AskedCashOuts) -> StreamingResponse:
    """Every share of the cash-outs as filtered; with `client`, only this client's."""
    zone = await _zone()
    pages = exports.share_pages(exports.asked_cash_outs(filters, query, zone))
    return await _answer(export_tables.SHARES, pages, zone)


@router.get("/exports/report.csv")
async def export_report(filters: CashOutFilters, query: AskedCashOuts) -> StreamingResponse:
    """Every cash-out with every share of it (SAT-38), as filtered."""
    zone = await _zone()
    pages = exports.report_pages(exports.asked_cash_outs(filters, query, zone))
    return await _answer(export_tables.REPORT, pages, zone)


@router.get("/exports/deposits.csv")
async def export_deposits(filters: DepositFilters, query: AskedDeposits) -> StreamingResponse:
    """Every deposit as filtered."""
    zone = await _zone()
    pages = exports.deposit_pages(exports.asked_deposits(filters, query, zone))
    return await _answer(export_tables.DEPOSITS, pages, zone)


@router.get("/exports/clients.csv")
async def export_clients(filters: ClientFilters) -> StreamingResponse:
    """Every client as filtered, a line a currency."""
    zone = await _zone()
    pages = exports.client_pages(exports.asked_clients(filters, zone))
    return await _answer(export_tables.CLIENTS, pages, zone)


@router.get("/exports/audit.csv")
async def export_audit(filters: AuditFilters, query: AskedAudit) -> StreamingResponse:
    """Every entry of the audit trail as filtered, with all that its hash covers."""
    zone = await _zone()
    clauses = audit_list.audit_clauses(query, filters.search, zone)
    pages = audit_list.lines(filters, clauses, ZoneInfo(zone))
    return await _answer(audit_list.FILE, pages, zone)


@router.get("/exports/findings.csv")
async def export_findings(filters: FindingFilters) -> StreamingResponse:
    """Every finding of the reconciliations, as filtered."""
    zone = await _zone()
    pages = findings_export.lines(filters, ZoneInfo(zone))
    return await _answer(findings_export.FILE, pages, zone)


async def _zone() -> str:
    return (await crud.get_settings()).time_zone


async def _answer(table: Table, pages: exports.Pages, time_zone: str) -> StreamingResponse:
    """The file page by page.

    The first page is read before anything is sent: what fails then is an answer with a reason. What
    fails later can only cut the connection, and the file has no END line.
    """
    chunks = csv_chunks(table, pages)
    first = [await anext(chunks), await anext(chunks)]
    name = file_name(table.name, clock.now_us(), time_zone)
    return StreamingResponse(
        _all(first, chunks),
        media_type=MEDIA_TYPE,
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
            # LNbits would pack it, and what is packed ends like a whole file.
            "Content-Encoding": "identity",
        },
    )


class Unsendable(bytes):
    """A piece that goes through every middleware and that no server can send.

    LNbits puts several of Starlette's BaseHTTPMiddleware around a route. Each of them, when the
    body ends by an error, first ends the answer as if it were whole and raises afterwards, so that
    the reader never learns of it. What fails in the server itself closes the connection.
    """

    def __bool__(self) -> bool:
        return True

    def __len__(self) -> int:
        raise ConnectionAbortedError("the file could not be finished; see event=export_cut")


async def _all(first: list[bytes], rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    for chunk in first:
        yield chunk
    try:
        async for chunk in rest:
            yield chunk
    except Exception:
        logger.exception("event=export_cut")
        yield Unsendable()
        raise
