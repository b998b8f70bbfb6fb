"""Everything this extension keeps, as files in one dated folder (SAT-37 to SAT-39).

Every table of ours with all its columns, our rows in LNbits' wallets, the audit report of
transactions by share, and a manifest that says how many rows each file has and what its SHA-256
is. Secrets are left out. The folder gets its name when it is whole: one that ends in `.partial`
is not.

Tables are read by their primary key in slices, so that an LNbits that runs goes on. Each line is
right for the moment it was read; the manifest says between which two moments that was.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import platform
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lnbits.db import SQLITE, Filters

from .. import clock, crud
from ..books import CashOutFilters
from ..database import BooksConnection, Row, db, own
from ..domain.days import datetime_utc
from ..errors import BadInput, NotReady
from ..migrations import SCHEMA_VERSION
from . import export_tables
from .approval import META as SECOND_APPROVAL
from .export_csv import csv_chunks
from .exports import asked_cash_outs, report_pages
from .list_filters import CashOutQuery
from .overview import VERSION
from .secret import NAME as INSTALLATION_SECRET

ROWS_PER_SLICE = 2_000
LEFT_OUT = "(left out)"
SECRET_COLUMNS = {
    "lamassu_config": {"password", "ssh_password", "ssh_private_key", "ssh_key_passphrase"},
    "alert_channels": {"url_sealed", "secret_sealed"},
}
SECRET_METAS = (INSTALLATION_SECRET, SECOND_APPROVAL)
MANIFEST = "manifest.json"
WALLET_ROWS = "lnbits_wallet_rows"

Told = Callable[[str, int], None]


async def dump(parent: Path, told: Told) -> tuple[Path, dict[str, Any]]:
    """Write the folder; its path and the manifest. `told` hears of every file that is done.

    Raises BadInput where nothing can be written, NotReady where there are no tables.
    """
    began_us = clock.now_us()
    name = f"satmachineadmin-{datetime_utc(began_us):%Y%m%dT%H%M%SZ}"
    final, folder = parent / name, parent / f"{name}.partial"
    try:
        folder.mkdir(parents=True, mode=0o700)
    except OSError as exc:
        raise BadInput(
            f"Nothing can be written to {parent}: {exc.strerror}", hint="Name another folder."
        ) from exc
    files: dict[str, dict[str, Any]] = {}
    tables = await table_names()
    if not tables:
        raise NotReady("This extension has no tables here", hint="It never ran on this LNbits.")
    for table in tables:
        files[f"{table}.csv"] = await _write(folder / f"{table}.csv", _table_lines(table))
        told(f"{table}.csv", files[f"{table}.csv"]["rows"])
    files[f"{WALLET_ROWS}.csv"] = await _write(folder / f"{WALLET_ROWS}.csv", _wallet_lines())
    told(f"{WALLET_ROWS}.csv", files[f"{WALLET_ROWS}.csv"]["rows"])
    files["report.csv"] = await _write_report(folder / "report.csv")
    told("report.csv", files["report.csv"]["rows"])
    manifest = {
        "made_by": "satmachineadmin",
        "began": clock.iso(began_us),
        "ended": clock.iso(clock.now_us()),
        "versions": _versions(),
        "files": files,
        "left_out": {
            **{table: sorted(columns) for table, columns in SECRET_COLUMNS.items()},
            "meta": list(SECRET_METAS),
            WALLET_ROWS: ["preimage"],
        },
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")
    os.replace(folder, final)
    return final, manifest


def _versions() -> dict[str, Any]:
    return {
        "satmachineadmin": VERSION,
        "schema": SCHEMA_VERSION,
        "lnbits": version("lnbits"),
        "database": db.type,
        "python": platform.python_version(),
    }


async def table_names() -> list[str]:
    """Every table of ours that is in the database, whichever version made it."""
    if db.type == SQLITE:
        query = "SELECT name FROM satoshimachine.sqlite_master WHERE type = 'table'"
    else:
        query = (
            "SELECT table_name AS name FROM information_schema.tables"
            " WHERE table_schema = 'satoshimachine' AND table_type = 'BASE TABLE'"
        )
    found = await crud.fetch_rows(query)
    return sorted(str(row["name"]) for row in found if not row["name"].startswith("sqlite_"))


async def _columns(table: str) -> tuple[list[str], list[str]]:
    """(all columns in their order, the primary key in its order)."""
    if db.type == SQLITE:
        rows = await crud.fetch_rows(f'PRAGMA satoshimachine.table_info("{table}")')
        keys = sorted((row["pk"], str(row["name"])) for row in rows if row["pk"])
        return [str(row["name"]) for row in rows], [name for _, name in keys]
    rows = await crud.fetch_rows(
        "SELECT c.column_name AS name, k.ordinal_position AS pk FROM information_schema.columns c"
        " LEFT JOIN information_schema.table_constraints t ON t.table_schema = c.table_schema"
        " AND t.table_name = c.table_name AND t.constraint_type = 'PRIMARY KEY'"
        " LEFT JOIN information_schema.key_column_usage k ON k.table_schema = c.table_schema"
        " AND k.constraint_name = t.constraint_name AND k.table_name = c.table_name"
        " AND k.column_name = c.column_name"
        " WHERE c.table_schema = 'satoshimachine' AND c.table_name = :table"
        " ORDER BY c.ordinal_position",
        {"table": table},
    )
    keys = sorted((int(row["pk"]), str(row["name"])) for row in rows if row["pk"] is not None)
    return [str(row["name"]) for row in rows], [name for _, name in keys]


Lines = AsyncIterator[tuple[list[str], Sequence[Row]]]


async def _table_lines(table: str) -> Lines:
    """(columns, rows) a slice at a time, in the order of the primary key. A table without one is
    none of ours: it is counted through in the order of all its columns.
    """
    columns, key = await _columns(table)
    names = ", ".join(f'"{name}"' for name in columns)
    order = ", ".join(f'"{name}"' for name in key or columns)
    marks = ", ".join(f":k{number}" for number in range(len(key)))
    after: dict[str, Any] = {}
    skipped = 0
    while True:
        where = f"WHERE ({order}) > ({marks})" if after else ""
        rows = await crud.fetch_rows(
            f'SELECT {names} FROM satoshimachine."{table}" {where}'
            f" ORDER BY {order} LIMIT {ROWS_PER_SLICE} OFFSET {skipped}",
            after,
        )
        yield columns, [_without_secrets(table, row) for row in rows]
        if len(rows) < ROWS_PER_SLICE:
            return
        after = {f"k{number}": rows[-1][name] for number, name in enumerate(key)}
        skipped += 0 if key else len(rows)


def _without_secrets(table: str, row: Row) -> Row:
    hidden = set(SECRET_COLUMNS.get(table, ()))
    if table == "meta" and row["name"] in SECRET_METAS:
        hidden = {"value"}
    return {
        name: LEFT_OUT if name in hidden and value is not None else value
        for name, value in row.items()
    }


WALLET_COLUMNS = ["leg_key", "wallet_id", "checking_id", "payment_hash", "status", "amount_msat"]
WALLET_COLUMNS += ["fee_msat", "time", "memo", "external_id"]


async def _wallet_lines() -> Lines:
    """Our rows in LNbits' wallets, found by the movements they belong to."""
    shown = (
        "p.wallet_id, p.checking_id, p.payment_hash, p.status, p.amount AS amount_msat,"
        " p.fee AS fee_msat, p.time, p.memo, p.external_id"
    )
    after = ""

    async def read(conn: BooksConnection) -> tuple[list[Row], list[Row]]:
        legs = await conn.rows(
            "SELECT leg_key FROM satoshimachine.settlement_legs WHERE leg_key > :after"
            f" ORDER BY leg_key LIMIT {ROWS_PER_SLICE}",
            {"after": after},
        )
        if not legs:
            return [], []
        both = " UNION ALL ".join(
            f"SELECT l.leg_key, {shown} FROM satoshimachine.settlement_legs l"
            f" JOIN apipayments p ON p.wallet_id = l.{wallet} AND p.checking_id = l.{checking}"
            " WHERE l.leg_key > :after AND l.leg_key <= :last"
            for wallet, checking in (
                ("from_wallet_id", "checking_id_out"),
                ("to_wallet_id", "checking_id_in"),
            )
        )
        found = await conn.rows(both, {"after": after, "last": legs[-1]["leg_key"]})
        return legs, sorted(found, key=lambda row: (row["leg_key"], row["amount_msat"]))

    while True:
        legs, found = await own(read)
        yield WALLET_COLUMNS, found
        if len(legs) < ROWS_PER_SLICE:
            return
        after = str(legs[-1]["leg_key"])


async def _write(path: Path, lines: Lines) -> dict[str, Any]:
    """A plain CSV file: a header and a row a line, as the database holds it. NULL is empty."""
    rows = 0
    with path.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out, lineterminator="\n")
        begun = False
        async for columns, found in lines:
            if not begun:
                writer.writerow(columns)
                begun = True
            writer.writerows([_plain(row[name]) for name in columns] for row in found)
            rows += len(found)
    return _file_facts(path, rows)


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value


async def _write_report(path: Path) -> dict[str, Any]:
    """The audit report as the page gives it (docs/export.md), all cash-outs."""
    zone = (await crud.get_settings()).time_zone
    everything: Filters[Any] = Filters(model=CashOutFilters)
    pages = report_pages(asked_cash_outs(everything, CashOutQuery(), zone))
    rows = 0
    with path.open("wb") as out:
        async for chunk in csv_chunks(export_tables.REPORT, _counted(pages, counts := [0])):
            out.write(chunk)
        rows = counts[0]
    return _file_facts(path, rows)


async def _counted(pages: AsyncIterator[list[Any]], counts: list[int]) -> AsyncIterator[list[Any]]:
    async for page in pages:
        counts[0] += len(page)
        yield page


def _file_facts(path: Path, rows: int) -> dict[str, Any]:
    digest = hashlib.sha256()
    with path.open("rb") as written:
        while piece := written.read(1 << 20):
            digest.update(piece)
    return {"rows": rows, "bytes": path.stat().st_size, "sha256": digest.hexdigest()}


def check_dump(folder: Path) -> list[str]:
    """What of a folder is not what its manifest says; [] when all of it is."""
    manifest: Mapping[str, Any] = json.loads((folder / MANIFEST).read_text())
    wrong = []
    for name, said in manifest["files"].items():
        path = folder / name
        if not path.is_file():
            wrong.append(f"{name} is missing")
        elif _file_facts(path, said["rows"]) != said:
            wrong.append(f"{name} was changed")
    return wrong
