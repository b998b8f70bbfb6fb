"""The questions of an operator in a hurry: where it stands, the last sales, what is unpaid."""

from __future__ import annotations

from typing import Any

from lnbits.helpers import urlsafe_short_hash

from .. import clock, crud
from ..books import MOMENT
from ..database import Row, db
from ..errors import BadInput, DatabaseBusy, NotConfigured, SatMachineError, StateConflict
from . import halts
from .connection import set_polling
from .needs import Need, read_needs
from .overview import read_overview
from .readiness import require_schema

ROWS_MAX = 1_000


async def require_books() -> None:
    """Raise NotReady where there is nothing to read, or tables of another version."""
    await require_schema()


async def standing() -> tuple[dict[str, Any], list[Need]]:
    """The state of the whole, and what needs a person, worst first."""
    found = await read_overview(running=False)
    return found, await read_needs(found)


async def stop_everything(actor: str) -> bool:
    """The emergency stop (SAT-36): no settlement begins after it. True when it is on record.

    The switch must work always: where it cannot be written together with the audit trail (tables
    of another version, a journal that allows no common commit), it is set alone. Raises
    NotConfigured when there is nothing to stop.
    """
    try:
        await set_polling(False, actor)
        return True
    except (NotConfigured, DatabaseBusy):
        raise
    except SatMachineError:
        await crud.write(
            "UPDATE satoshimachine.lamassu_config SET polling_enabled = :no", {"no": False}
        )
        return False


async def halt(scope: str, subject: str, reason: str, actor: str) -> bool:
    """Halt something. True when it is on record; where that cannot be written, it is set alone.

    Raises BadInput for what there is not, StateConflict when it is halted, DatabaseBusy.
    """
    try:
        await halts.put(scope, subject, reason, actor)
        return True
    except (BadInput, StateConflict, DatabaseBusy):
        raise
    except SatMachineError:
        await crud.write(
            "INSERT INTO satoshimachine.halts (id, scope, subject, reason, set_by, set_us)"
            " VALUES (:id, :scope, :subject, :reason, :actor, :now)",
            {
                "id": urlsafe_short_hash(),
                "scope": scope,
                "subject": subject,
                "reason": reason,
                "actor": actor,
                "now": clock.now_us(),
            },
        )
        return False


async def last_cash_outs(count: int) -> list[Row]:
    """The newest sales, newest first."""
    return await crud.fetch_rows(
        "SELECT t.lamassu_transaction_id, t.status, t.hold_code, t.machine_name, t.fiat_code,"
        " t.fiat_minor, t.total_sats, t.confirmed_sats, t.failed_sats, t.commission_sats,"
        f" {MOMENT} AS moment_us FROM satoshimachine.lamassu_transactions t"
        f" ORDER BY {MOMENT} DESC, t.id DESC LIMIT :count",
        {"count": min(count, ROWS_MAX)},
    )


async def waiting() -> tuple[list[Row], list[Row], list[Row]]:
    """What is not paid: cash-outs that are not settled, failed shares, failed commissions."""
    most = {"most": ROWS_MAX}
    cash_outs = await crud.fetch_rows(
        "SELECT t.lamassu_transaction_id, t.status, t.hold_code, t.error_message, t.crypto_atoms,"
        f" t.fiat_minor, t.fiat_code, {MOMENT} AS moment_us"
        " FROM satoshimachine.lamassu_transactions t"
        " WHERE t.status IN ('pending', 'watching', 'held', 'processing', 'failed')"
        f" ORDER BY {MOMENT}, t.id LIMIT :most",
        most,
    )
    shares = await crud.fetch_rows(
        "SELECT s.lamassu_transaction_id, s.client_id, s.amount_sats, s.error_message,"
        " s.attempts, s.cash_out_us AS moment_us, (SELECT username FROM"
        " satoshimachine.dca_clients c WHERE c.id = s.client_id) AS username"
        " FROM satoshimachine.dca_payments s WHERE s.status = 'failed' AND s.origin = 'observed'"
        " ORDER BY s.updated_us, s.id LIMIT :most",
        most,
    )
    commissions = await crud.fetch_rows(
        "SELECT t.lamassu_transaction_id, t.commission_sats, t.commission_message,"
        f" {MOMENT} AS moment_us FROM satoshimachine.lamassu_transactions t"
        " WHERE t.commission_status = 'failed' AND t.status = 'completed'"
        " ORDER BY t.confirmed_at_us, t.id LIMIT :most",
        most,
    )
    return cash_outs, shares, commissions


async def open_findings() -> list[Row]:
    """What a reconciliation found and nobody has dealt with, the newest first."""
    return await crud.fetch_rows(
        "SELECT code, subject_kind, subject_id, expected, actual FROM satoshimachine.findings"
        " WHERE status = 'open' ORDER BY last_us DESC, id LIMIT :most",
        {"most": ROWS_MAX},
    )


def database_name() -> str:
    """Which database this is about, without its password."""
    if db.type == "SQLITE":
        return f"SQLite, {db.path}"
    address = db.engine.url
    return f"PostgreSQL, {address.host or 'this machine'}:{address.port or ''}/{address.database}"
