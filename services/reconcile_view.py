"""What is read of reconciliations: runs, items, findings, and the sides of one cash-out."""

from __future__ import annotations

from typing import Any

from lnbits.db import FilterModel

from .. import crud
from ..database import Row, glance
from ..domain.tie_out import Sides, differences
from ..domain.verdicts import Difference
from ..errors import NotFound, SatMachineError
from ..listing import Listing
from .reconcile_cash_outs import sides_of
from .reconcile_sides import forged_rows
from .reconcile_source import read_now

PAYMENTS_MAX = 500


class RunFilters(FilterModel):
    """What runs can be filtered and sorted by."""

    __search_fields__: list[str] = []
    __sort_fields__: list[str] | None = ["queued_us"]
    id: str | None
    status: str | None
    kind: str | None
    cause: str | None


class ItemFilters(FilterModel):
    """What a run's items can be filtered by; those that match are counted, not kept."""

    __search_fields__: list[str] = []
    __sort_fields__: list[str] | None = ["id"]
    id: str | None
    verdict: str | None
    link: str | None
    code: str | None
    cash_out_id: str | None


class FindingFilters(FilterModel):
    """What findings can be filtered and sorted by."""

    __search_fields__: list[str] = []
    __sort_fields__: list[str] | None = ["last_us", "first_us"]
    id: str | None
    status: str | None
    link: str | None
    code: str | None
    cash_out_id: str | None
    client_id: str | None


RUNS = Listing("reconciliation_runs", "t.queued_us", RunFilters)
ITEMS = Listing("reconciliation_items", "t.id", ItemFilters, descending=False)
FINDINGS = Listing("findings", "t.last_us", FindingFilters)


async def cash_out_id_of(any_id: str) -> str:
    """Our id, given that or Lamassu's. Raises NotFound."""
    row = await crud.fetch_row(
        "SELECT id FROM satoshimachine.lamassu_transactions"
        " WHERE (id = :id OR lamassu_transaction_id = :id) AND origin = 'observed'",
        {"id": any_id},
    )
    if row is None:
        raise NotFound("There is no such cash-out")
    return str(row["id"])


async def four_sides(any_id: str) -> tuple[Sides, list[Difference], SatMachineError | None, Any]:
    """All sides now, what differs, why Lamassu could not be looked at, and what is information."""
    cash_out_id = await cash_out_id_of(any_id)
    row = await crud.fetch_row(
        "SELECT lamassu_transaction_id AS id FROM satoshimachine.lamassu_transactions"
        " WHERE id = :id",
        {"id": cash_out_id},
    )
    lamassu_id = str(row["id"]) if row else ""
    theirs, problem = await read_now([lamassu_id])
    sides = (await sides_of([cash_out_id], theirs))[cash_out_id]
    keys = [str(leg["leg_key"]) for leg in sides.legs][:PAYMENTS_MAX]
    forged: list[Row] = await glance(lambda conn: forged_rows(conn, keys))
    return sides, differences(sides), problem, forged


async def last_run() -> Row | None:
    """The newest run that ended, for the health answer."""
    return await crud.fetch_row(
        "SELECT * FROM satoshimachine.reconciliation_runs WHERE reconciled_at_us IS NOT NULL"
        " ORDER BY reconciled_at_us DESC LIMIT 1"
    )
