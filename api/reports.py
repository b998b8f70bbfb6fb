"""Routes: the reports. They read and change nothing; what takes long answers how far it is."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from .. import books, clock, crud
from ..errors import NotFound
from ..services import reports_answers, reports_commission, reports_wallets, slow, snapshots
from ..services.export_csv import MEDIA_TYPE, csv_chunks, file_name
from ..services.periods import Period, last_month, read_period
from ..services.reports_sections import read_sections
from ..services.reports_tables import SECTIONS, section_pages
from .routing import AnsweringRoute

router = APIRouter(route_class=AnsweringRoute)

FromDay = Annotated[str | None, Query(alias="from", max_length=10)]
ToDay = Annotated[str | None, Query(alias="to", max_length=10)]


@router.get("/reports/books")
async def get_books(first: FromDay = None, last: ToDay = None) -> dict[str, Any]:
    """The five sections (SAT-30 to SAT-34)."""
    return reports_answers.sections(await read_sections(await _period(first, last)))


@router.get("/reports/wallets")
async def get_wallets() -> dict[str, Any]:
    """The operator's wallets, what they owe, and LNbits against its node."""
    progress, found = await slow.asked("wallets", reports_wallets.read_wallets)
    if found is None:
        return _making(progress)
    return {"status": "done", **reports_answers.wallets(found)}


@router.get("/reports/commission")
async def get_commission(
    first: FromDay = None, last: ToDay = None, rule: str = reports_commission.OWN
) -> dict[str, Any]:
    """Every stored split by its own rule and by the others, and what each client got more or less
    than `rule` asked. Without days, the last month.
    """
    period = await _period(first, last)
    if first is None and last is None:
        period = last_month(period)
    reports_commission.refuse_long(period, rule)

    async def make(progress: slow.Progress) -> reports_commission.CommissionReport:
        return await reports_commission.read_commission(period, rule, progress)

    key = ("commission", period.start_us, period.end_us, period.time_zone, rule)
    progress, found = await slow.asked(key, make)
    if found is None:
        return _making(progress)
    return {"status": "done", **reports_answers.commission(found)}


@router.get("/reports/{section}.csv")
async def get_section_file(
    section: str, first: FromDay = None, last: ToDay = None
) -> StreamingResponse:
    """One section as a file; it is made whole before anything is sent. Raises NotFound."""
    if section not in SECTIONS:
        raise NotFound("The report has no such section")
    period = await _period(first, last)
    found = await read_sections(period)
    table, _ = SECTIONS[section]
    chunks = [piece async for piece in csv_chunks(table, section_pages(section, found))]
    name = file_name(table.name, clock.now_us(), period.time_zone)
    return StreamingResponse(
        iter(chunks),
        media_type=MEDIA_TYPE,
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
        },
    )


@router.get("/clients/{client_id}/snapshots")
async def get_snapshots(
    client_id: str, limit: Annotated[int, Query(ge=1, le=snapshots.HISTORY_MAX)] = 14
) -> dict[str, Any]:
    """What the client had at the end of each day (SAT-16), newest first."""
    await books.get_client(client_id)
    found = await snapshots.history(client_id, limit)
    return {"data": [reports_answers.snapshot(day) for day in found], "total": len(found)}


async def _period(first: str | None, last: str | None) -> Period:
    return read_period(first, last, (await crud.get_settings()).time_zone)


def _making(progress: slow.Progress) -> dict[str, Any]:
    return {"status": "running", **asdict(progress)}
