"""The start-up check: money work begins only where one commit really covers ledger and wallets.

Run once by every process before its first money work, and again on demand. Its lines are shown on
the page; a failed one names the next step (design.md 4).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from importlib.util import find_spec

from lnbits.db import SQLITE
from loguru import logger

from .. import clock, crud
from ..adapters import marker
from ..adapters.audit import record
from ..adapters.settlement import InterruptedCommits, Rollback, interrupted_commits, settlement
from ..adapters.wallet_rows import ID_PREFIX, write_legs
from ..database import BooksConnection
from ..domain.plan import Leg, LegKind
from ..errors import DatabaseBusy, DependencyMissing, InvariantViolation, NotReady, SatMachineError
from ..legacy import unknown_shapes
from ..lnbits_version import require_supported
from ..migrations import SCHEMA_VERSION
from ..models import Check
from ..uncancelled import uncancelled
from . import halts
from .gates import EVERYTHING, RESTORE, RESTORE_ACCEPTED, close_gate
from .takeover import take_over

# LNbits' database is locked while one slice is compared.
LEGS_PER_SLICE = 2_000
LNBITS_VERSION = "lnbits_version"
LEG = "leg_key, from_wallet_id, to_wallet_id, amount_sats, checking_id_in, checking_id_out"

_lines: list[Check] = []
_lock = asyncio.Lock()


def last_lines() -> list[Check]:
    """The lines of the last check in this process; empty before the first."""
    return list(_lines)


async def require_ready() -> None:
    """Raise when this process must not move money: NotReady, or DatabaseBusy to try again.

    Success is remembered for the life of the process; anything else is looked at again next time,
    so that a mended database needs no restart. The tables are looked at each time: another process
    may have upgraded them under this one.
    """
    async with _lock:
        if not _lines or not all(_is_fine(line) for line in _lines):
            await check_all()
        for line in _lines:
            if line.ok is None:
                raise DatabaseBusy(line.detail)
            if not _is_fine(line):
                if line.name == LNBITS_VERSION:
                    await halts.put_automatic(
                        EVERYTHING, halts.LNBITS_VERSION, line.detail, line.hint
                    )
                raise NotReady(f"{line.name}: {line.detail}", hint=line.hint)
        await schema_version()


def _is_fine(line: Check) -> bool:
    """A missing package only closes the way to the ATM; what is stored can be settled."""
    return line.ok is True or line.code == DependencyMissing.code


async def check_all() -> list[Check]:
    """Run the checks in order, up to the first that fails: what follows rests on it."""
    lines: list[Check] = []
    for name, check in CHECKS:
        try:
            lines.append(Check(name=name, ok=True, detail=await check()))
        except SatMachineError as exc:
            ok = None if isinstance(exc, DatabaseBusy) else False
            lines.append(Check(name=name, ok=ok, detail=exc.message, hint=exc.hint, code=exc.code))
            if not _is_fine(lines[-1]):
                break
    _lines[:] = lines
    return lines


async def check_again(actor: str) -> list[Check]:
    """The checks once more because a person asked for them."""
    forget()
    lines = await check_all()
    failed = next((line.name for line in lines if not line.ok), None)

    async def work(conn: BooksConnection) -> None:
        detail = {"failed": failed}
        await record(conn, "checks_run", "system", detail, actor=actor, now_us=clock.now_us())

    try:
        await settlement(work)
    except SatMachineError as exc:  # the database that failed them takes no entry, either
        logger.warning(f"event=checks_not_written_down reason={exc.message}")
    return lines


async def require_schema() -> None:
    """Raise NotReady while the tables are not those this code was written for."""
    global _schema_is_right
    if not _schema_is_right:
        await schema_version()
        _schema_is_right = True


_schema_is_right = False


def forget() -> None:
    """Check again at the next money work."""
    _lines.clear()


async def _packages() -> str:
    if find_spec("asyncssh") is None:
        raise DependencyMissing(
            "The Python package asyncssh is not installed, so the ATM server cannot be reached",
            hint="Run: pip install asyncssh (in LNbits' environment), then restart LNbits.",
        )
    return f"asyncssh {version('asyncssh')}"


async def _lnbits_version() -> str:
    return require_supported()


async def schema_version() -> str:
    """The number of the last migration. Raises NotReady while it is not this code's."""
    stored = await crud.fetch_row(
        "SELECT version FROM dbversions WHERE db = :db", {"db": "satmachineadmin"}
    )
    number = int(stored["version"]) if stored else 0
    if number == SCHEMA_VERSION:
        return f"version {number}"
    if number > SCHEMA_VERSION:
        raise NotReady(
            f"The database is at version {number}, this extension at {SCHEMA_VERSION}",
            hint="Install the newer extension again.",
        )
    strange = await uncancelled(unknown_shapes(crud.db))
    if strange:
        raise NotReady(
            f"Tables of an unknown extension are in the way: {', '.join(strange)}",
            hint="They were left untouched. Move them out of the database, then restart LNbits.",
        )
    raise NotReady(
        f"The database is at version {number}, this extension needs {SCHEMA_VERSION}",
        hint="Restart LNbits: it upgrades the database at its start. If it stays like this,"
        " LNbits' log says why.",
    )


async def _trial() -> str:
    """Write one movement as a settlement does, read its balances, and roll it back."""
    leg = Leg("trial:share", LegKind.SHARE, "trial-source", "trial-target", 21)

    async def work(conn: BooksConnection) -> None:
        ids = await write_legs(
            conn, [leg], cash_out_id="trial", secret=b"trial", memo="trial", now_us=clock.now_us()
        )
        rows = await conn.rows_in(
            "SELECT checking_id, wallet_id, amount, fee, status FROM apipayments"
            " WHERE checking_id IN ({marks})",
            [ids[leg.key].checking_id_in, ids[leg.key].checking_id_out],
        )
        found = sorted((r["wallet_id"], int(r["amount"]), int(r["fee"])) for r in rows)
        if found != [("trial-source", -21000, 0), ("trial-target", 21000, 0)]:
            raise InvariantViolation("This LNbits stores wallet rows in another way")
        raise Rollback(None)

    await settlement(work)
    return "a trial settlement was written, read and rolled back"


async def _journals() -> str:
    async def work(conn: BooksConnection) -> InterruptedCommits:
        found = interrupted_commits()
        for path in found.stale:
            path.unlink(missing_ok=True)  # we hold both write locks: nobody commits now
        raise Rollback(found)

    found = await settlement(work)
    if found.moved:
        raise NotReady(
            f"The SQLite files were moved after an interrupted commit: {', '.join(found.moved)}",
            hint="Put back the files as they were when LNbits was stopped, to the same path, and"
            " start LNbits there once before you move them.",
        )
    return f"{len(found.stale)} cleared away" if found.stale else "nothing left over"


async def _wallets_agree() -> str:
    """Every leg has its wallet rows, and the wallets hold no row of ours without a leg."""
    legs, rows, missing, after = 0, 0, 0, ""
    while True:
        part = await _compare_slice(after)
        legs, rows, missing = legs + part[0], rows + part[1], missing + part[2]
        if part[0] < LEGS_PER_SLICE:
            break
        after = part[3]
    unknown = await _rows_in_wallets() - (rows - missing)
    facts = {"rows_missing_in_wallets": missing, "rows_unknown_to_ledger": unknown}
    if not missing and not unknown:
        return f"{legs} movements, all in the wallets"
    if facts == await crud.get_meta(RESTORE_ACCEPTED):
        return f"they differ as was accepted: {missing} rows missing, {unknown} unknown"
    await close_gate(
        RESTORE,
        f"Ledger and wallets do not agree: {missing} rows are missing in the wallets,"
        f" {unknown} wallet rows are unknown to the ledger",
        "One of the databases was put back from a backup. Put back both from the same moment,"
        " or compare and resume.",
        facts,
    )
    return "they do not agree: see what needs you"


async def _compare_slice(after: str) -> tuple[int, int, int, str]:
    async def work(conn: BooksConnection) -> tuple[int, int, int, str]:
        legs = await conn.rows(
            f"SELECT {LEG} FROM satoshimachine.settlement_legs WHERE leg_key > :after UNION ALL"
            f" SELECT {LEG} FROM satoshimachine.correction_legs WHERE leg_key > :after"
            " ORDER BY leg_key LIMIT :most",
            {"after": after, "most": LEGS_PER_SLICE},
        )
        wanted = {}
        for leg in legs:
            msat = int(leg["amount_sats"]) * 1000
            wanted[leg["checking_id_in"]] = (leg["to_wallet_id"], msat)
            if leg["checking_id_out"]:
                wanted[leg["checking_id_out"]] = (leg["from_wallet_id"], -msat)
        found = await conn.rows_in(
            "SELECT checking_id, wallet_id, amount FROM apipayments"
            " WHERE checking_id IN ({marks}) AND status = 'success'",
            list(wanted),
        )
        there = {r["checking_id"]: (r["wallet_id"], int(r["amount"])) for r in found}
        missing = sum(there.get(key) != facts for key, facts in wanted.items())
        raise Rollback((len(legs), len(wanted), missing, legs[-1]["leg_key"] if legs else after))

    return await settlement(work)


async def _rows_in_wallets() -> int:
    async def work(conn: BooksConnection) -> int:
        # GLOB uses SQLite's index; PostgreSQL's order of text depends on its locale.
        match = "GLOB :sqlite" if conn.type == SQLITE else "LIKE :postgres"
        values = (
            {"sqlite": f"{ID_PREFIX}*"} if conn.type == SQLITE else {"postgres": f"{ID_PREFIX}%"}
        )
        row = await conn.row(
            f"SELECT COUNT(*) AS n FROM apipayments WHERE checking_id {match}", values
        )
        raise Rollback(int(row["n"]) if row else 0)

    return await settlement(work)


async def _restored() -> str:
    row = await crud.fetch_row(
        "SELECT COALESCE(MAX(seq), 0) AS seq FROM satoshimachine.ledger_entries"
    )
    seq = int(row["seq"]) if row else 0
    reason = marker.doubt(seq)
    if reason:
        await close_gate(
            RESTORE,
            f"A database seems to have been put back: {reason}",
            "Check that ledger and wallets are from the same moment, then resume.",
            {"ledger_seq": seq},
        )
        return "put back: see what needs you"
    if not seq:
        marker.begin()
    return "as it was left"


CHECKS: tuple[tuple[str, Callable[[], Awaitable[str]]], ...] = (
    ("packages", _packages),
    (LNBITS_VERSION, _lnbits_version),
    ("database_schema", schema_version),
    ("interrupted_commits", _journals),
    ("trial_settlement", _trial),
    ("ledger_and_wallets", _wallets_agree),
    ("restored_backup", _restored),
    # Last: its opening entries move the marker that the check before it reads.
    ("earlier_books", take_over),
)
