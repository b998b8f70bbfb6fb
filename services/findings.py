"""Findings: a defect is raised once, counted when it is met again, and ends in one of three ways.

Open, acknowledged (a person knows, with a note), resolved: by a correction, or by itself when a run
looked again and it was gone. One that comes back, or an acknowledged one whose evidence changed, is
open again. Nothing is ever deleted; every step is a note that nobody can edit.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from lnbits.helpers import urlsafe_short_hash

from .. import clock, crud
from ..adapters.audit import SYSTEM, record
from ..adapters.settlement import settlement
from ..database import BooksConnection, Row
from ..domain.verdicts import Difference, Link
from ..errors import NotFound, StateConflict

BY_ITSELF = "resolved by itself"
NOTES_MAX = 500
EVIDENCE_MAX = 20  # the first ones tell what happened


@dataclass(frozen=True)
class Found:
    """A defect of one subject, as a run saw it."""

    code: str
    link: Link
    subject_kind: str  # cash_out, source_row, wallet_row, account, entry, deposit, share, leg
    subject_id: str
    expected: str
    actual: str
    difference_sats: int | None = None
    cash_out_id: str | None = None
    client_id: str | None = None
    wallet_id: str | None = None
    unit: str | None = None
    evidence: tuple[Difference, ...] = ()

    @property
    def fingerprint(self) -> str:
        """The same defect has the same one, in whatever run."""
        name = f"{self.link.value}\0{self.subject_kind}\0{self.subject_id}"
        return hashlib.sha256(name.encode()).hexdigest()


def of_cash_out(cash_out_id: str, differing: Sequence[Difference]) -> Found:
    """The finding of a cash-out: named by its first differing link, with all of them."""
    first = differing[0]
    return Found(
        first.code,
        first.link,
        "cash_out",
        cash_out_id,
        _said(first, first.expected),
        _said(first, first.actual),
        first.sats,
        cash_out_id,
        first.client_id,
        first.wallet_id,
        evidence=tuple(differing[:EVIDENCE_MAX]),
    )


def _said(one: Difference, value: str) -> str:
    """A value with the name of what it is, where that is a name and no long id."""
    named = one.link in (Link.SOURCE, Link.SNAPSHOT, Link.PLAN, Link.LEDGER, Link.AUDIT)
    return f"{one.what}: {value}" if named or one.code == "totals_differ" else value


def evidence_text(found: Found) -> str:
    """The evidence as it is stored; the same evidence is the same text."""
    return json.dumps([asdict(one) for one in found.evidence], sort_keys=True)


async def raise_findings(
    conn: BooksConnection, found: Sequence[Found], run_id: str
) -> dict[str, str]:
    """Raise, count once more, or open again; fingerprint -> finding id."""
    now_us, ids = clock.now_us(), {}
    prints = {one.fingerprint: one for one in found}
    known = {
        row["fingerprint"]: row
        for row in await conn.rows_in(
            "SELECT * FROM satoshimachine.findings WHERE fingerprint IN ({marks})", list(prints)
        )
    }
    for fingerprint, one in prints.items():
        before = known.get(fingerprint)
        if before is None:
            ids[fingerprint] = await _insert(conn, one, run_id, now_us)
        else:
            ids[fingerprint] = str(before["id"])
            await _again(conn, before, one, run_id, now_us)
    return ids


async def _insert(conn: BooksConnection, one: Found, run_id: str, now_us: int) -> str:
    finding_id = urlsafe_short_hash()
    values = {name: value for name, value in vars(one).items() if name != "evidence"}
    row = {
        **values,
        "id": finding_id,
        "link": one.link.value,
        "fingerprint": one.fingerprint,
        "status": "open",
        "first_run_id": run_id,
        "last_run_id": run_id,
        "first_us": now_us,
        "last_us": now_us,
        "evidence": evidence_text(one),
    }
    await conn.insert_rows("satoshimachine.findings", [row])
    await _note(conn, finding_id, SYSTEM, "raised", f"{one.expected} -> {one.actual}", now_us)
    return finding_id


async def _again(conn: BooksConnection, before: Row, one: Found, run_id: str, now_us: int) -> None:
    evidence = evidence_text(one)
    changed = evidence != before["evidence"] or one.actual != before["actual"]
    opens = before["status"] == "resolved" or (before["status"] == "acknowledged" and changed)
    await conn.execute(
        "UPDATE satoshimachine.findings SET code = :code, expected = :expected, actual = :actual,"
        " difference_sats = :sats, last_run_id = :run, last_us = :now, times = times + 1,"
        " evidence = :evidence, client_id = :client, wallet_id = :wallet WHERE id = :id",
        {
            "code": one.code,
            "expected": one.expected,
            "actual": one.actual,
            "sats": one.difference_sats,
            "run": run_id,
            "now": now_us,
            "evidence": evidence,
            "client": one.client_id,
            "wallet": one.wallet_id,
            "id": before["id"],
        },
    )
    if opens:
        await conn.execute(
            "UPDATE satoshimachine.findings SET status = 'open', resolved_us = NULL,"
            " resolved_by = NULL, resolution = NULL, correction_id = NULL WHERE id = :id",
            {"id": before["id"]},
        )
        text = f"{one.expected} -> {one.actual}"
        await _note(conn, str(before["id"]), SYSTEM, "reopened", text, now_us)


async def resolve_gone(
    conn: BooksConnection, ids: Collection[str], run_id: str, seen: Collection[str]
) -> int:
    """Resolve these findings but those of `seen`: a run looked again, and they were gone."""
    gone = [one for one in ids if one not in seen]
    for finding_id in gone:
        await _end(conn, finding_id, SYSTEM, BY_ITSELF, run_id, None)
    return len(gone)


async def resolve(
    conn: BooksConnection,
    finding_id: str,
    *,
    actor: str,
    resolution: str,
    correction_id: str | None = None,
) -> None:
    """A correction mended it, in its own transaction. Raises NotFound or StateConflict."""
    row = await find(finding_id, conn)
    if row["status"] == "resolved":
        raise StateConflict("This finding is resolved already")
    await _end(conn, finding_id, actor, resolution, None, correction_id)
    detail = {"resolution": resolution, "correction_id": correction_id}
    now_us = clock.now_us()
    await record(conn, "finding_resolved", finding_id, detail, actor=actor, now_us=now_us)


async def _end(
    conn: BooksConnection,
    finding_id: str,
    actor: str,
    resolution: str,
    run_id: str | None,
    correction_id: str | None,
) -> None:
    now_us = clock.now_us()
    await conn.execute(
        "UPDATE satoshimachine.findings SET status = 'resolved', resolved_us = :now,"
        " resolved_by = :actor, resolution = :resolution, correction_id = :correction,"
        " last_run_id = COALESCE(:run, last_run_id) WHERE id = :id AND status <> 'resolved'",
        {
            "now": now_us,
            "actor": actor,
            "resolution": resolution,
            "correction": correction_id,
            "run": run_id,
            "id": finding_id,
        },
    )
    await _note(conn, finding_id, actor, "resolved", resolution, now_us)


async def acknowledge(finding_id: str, note: str, actor: str) -> Row:
    """A person knows of it. Raises NotFound, or StateConflict when it is not open."""

    async def work(conn: BooksConnection) -> Row:
        hit = await conn.changed(
            "UPDATE satoshimachine.findings SET status = 'acknowledged'"
            " WHERE id = :id AND status = 'open'",
            _id(finding_id),
        )
        row = await find(finding_id, conn)
        if hit != 1:
            raise StateConflict(f"This finding is {row['status']}, not open")
        await _write_down(conn, finding_id, actor, "acknowledged", note)
        return row

    return await settlement(work)


async def add_note(finding_id: str, note: str, actor: str) -> Row:
    """Write something down about it. Raises NotFound."""

    async def work(conn: BooksConnection) -> Row:
        row = await find(finding_id, conn)
        await _write_down(conn, finding_id, actor, "note", note)
        return row

    return await settlement(work)


async def _write_down(
    conn: BooksConnection, finding_id: str, actor: str, kind: str, text: str
) -> None:
    now_us = clock.now_us()
    await _note(conn, finding_id, actor, kind, text, now_us)
    await record(conn, f"finding_{kind}", finding_id, {"note": text}, actor=actor, now_us=now_us)


async def _note(
    conn: BooksConnection, finding_id: str, actor: str, kind: str, text: str, now_us: int
) -> None:
    row = {
        "id": urlsafe_short_hash(),
        "finding_id": finding_id,
        "at_us": now_us,
        "actor": actor,
        "kind": kind,
        "text": text,
    }
    await conn.insert_rows("satoshimachine.finding_notes", [row])


def _id(finding_id: str) -> dict[str, Any]:
    return {"id": finding_id}


async def find(finding_id: str, conn: BooksConnection | None = None) -> Row:
    """One finding. Raises NotFound."""
    row = await crud.fetch_row(
        "SELECT * FROM satoshimachine.findings WHERE id = :id", _id(finding_id), conn
    )
    if row is None:
        raise NotFound("There is no such finding")
    return row


async def notes_of(finding_id: str) -> list[Row]:
    """Its life, oldest first."""
    return await crud.fetch_rows(
        "SELECT * FROM satoshimachine.finding_notes WHERE finding_id = :id"
        f" ORDER BY at_us, id LIMIT {NOTES_MAX}",
        _id(finding_id),
    )


async def unresolved(
    conn: BooksConnection, clause: str, values: Mapping[str, Any] | None = None
) -> list[Row]:
    """Open and acknowledged findings of a kind, at most so many as a run can look at again."""
    return await conn.rows(
        "SELECT id, link, subject_id, subject_kind, cash_out_id, last_run_id"
        f" FROM satoshimachine.findings WHERE status IN ('open', 'acknowledged') AND {clause}"
        " ORDER BY id LIMIT 100000",
        values,
    )


async def met_in(conn: BooksConnection, ids: Sequence[str], run_id: str) -> set[str]:
    """Those of these findings that this run met."""
    query = "SELECT id FROM satoshimachine.findings WHERE id IN ({marks}) AND last_run_id = :run"
    return {str(row["id"]) for row in await conn.rows_in(query, ids, {"run": run_id})}


async def counts(conn: BooksConnection | None = None) -> dict[str, int]:
    """How many findings are in each state."""
    rows = await crud.fetch_rows(
        "SELECT status, COUNT(*) AS n FROM satoshimachine.findings GROUP BY status", None, conn
    )
    found = {str(row["status"]): int(row["n"]) for row in rows}
    return {status: found.get(status, 0) for status in ("open", "acknowledged", "resolved")}
