"""A stored weekly audit to take away: of its own period and moment, and whole (SAT-58)."""

from __future__ import annotations

import csv
import io
import json
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from zipfile import ZipFile

import pytest
from satmachineadmin import crud
from satmachineadmin.dev import sample_rows
from satmachineadmin.services import weekly, weekly_files
from support.damage import damaged
from support.operator import Operator
from support.trouble import pass_time

BASE = "/satmachineadmin/api/v1/dca"
S = "satoshimachine"


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


async def taken(operator: Operator, report_id: str) -> tuple[dict[str, Any], dict[str, bytes]]:
    """(the manifest, the other files by name), as a reader of the download has them."""
    answer = await operator.http.get(f"{BASE}/weekly-reports/{report_id}/files.zip")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/zip"
    with ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        files = {one.split("/")[1]: archive.read(one) for one in archive.namelist()}
    manifest = json.loads(files.pop("manifest.json"))
    assert set(manifest["files"]) == set(files)
    for name, said in manifest["files"].items():
        assert said["sha256"] == sha256(files[name]).hexdigest()
        assert said["bytes"] == len(files[name])
    return manifest, files


def rows_of(data: bytes) -> list[dict[str, str]]:
    """The lines of a file without those that close it, which are proved to agree with them."""
    text = data.decode("utf-8-sig")
    found = list(csv.DictReader(io.StringIO(text, newline="")))
    end = found.pop()
    rows = [row for row in found if row["row"] != "SUM"]
    first = list(end)[1]
    assert (end["row"], end[first]) == ("END", f"{len(rows)} rows")
    return rows


async def test_what_it_lists_is_of_its_own_moment(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await operator.add_client("30000")
    await operator.lamassu.insert([sample_rows.sale(fiat=100)])
    await operator.poll()
    made = await operator.api("POST", "weekly-reports", expect=201)
    manifest, files = await taken(operator, made["id"])
    assert {int(name[0]) for name in files if name.endswith(".csv")} == set(range(1, 9))
    for name, data in files.items():
        if name.endswith(".csv"):
            assert len(rows_of(data)) == manifest["files"][name]["rows"], name
            assert not manifest["files"][name]["cut"]
    assert json.loads(files["report.json"]) == made

    (line,) = rows_of(files["1-books-clients.csv"])
    assert (line["client_id"], line["deposits"], line["ok"]) == (client, "30000.00", "yes")
    tables = {row["table"]: int(row["rows"]) for row in rows_of(files["2-tables.csv"])}
    assert tables["lamassu_transactions"] == 1
    assert manifest["files"]["2-tables.csv"]["source"] == weekly_files.COUNTED
    (moved,) = rows_of(files["3-commission.csv"])
    told = next(item for item in manifest["items"] if item["name"] == "commission")["counted"]
    assert int(moved["sats"]) == int(moved["moved_sats"]) == told["moved_sats"] > 0
    # The file's times are the operator's own: another day than UTC's for some hours.
    apart = instant(made["made_at"]) - instant(moved["time"])
    assert timedelta() <= apart < timedelta(minutes=5), moved["time"]
    (split,) = rows_of(files["5-splits.csv"])
    assert (split["cash_out_id"], split["difference_sats"]) == (moved["cash_out_id"], "0")
    steps = {row["step"]: row["ok"] for row in rows_of(files["6-connection.csv"])}
    assert steps["database"] == "yes"
    assert manifest["files"]["7-polls.csv"]["agrees_with_report"]
    assert manifest["audit"]["unchanged"] is True

    # What is settled, polled and deposited afterwards is not the report's.
    pass_time(monkeypatch, timedelta(hours=1))
    await operator.add_client("500")
    await operator.lamassu.insert([sample_rows.sale(fiat=200)])
    await operator.poll()
    later, files_later = await taken(operator, made["id"])
    assert files_later == files
    assert later["audit"] == manifest["audit"]


async def test_a_file_that_is_cut_says_so(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        await operator.poll()
    made = await operator.api("POST", "weekly-reports", expect=201)
    monkeypatch.setattr(weekly_files, "ROWS_PER_SLICE", 2)
    manifest, files = await taken(operator, made["id"])
    polls = rows_of(files["7-polls.csv"])
    assert len(polls) >= 3
    assert polls == sorted(polls, key=lambda row: row["started_at"])
    assert manifest["files"]["7-polls.csv"]["agrees_with_report"]
    monkeypatch.setattr(weekly_files, "ROWS_MAX", 1)
    manifest, files = await taken(operator, made["id"])
    assert manifest["files"]["7-polls.csv"]["cut"]
    assert len(rows_of(files["7-polls.csv"])) == 1


async def test_formulas_earlier_reports_and_an_edited_one(operator: Operator) -> None:
    """A report of an earlier version has fewer facts; one that was edited does not pass."""
    made = await operator.api("POST", "weekly-reports", expect=201)
    row = await weekly.find(made["id"])
    alert = {"kind": "health", "severity": "critical", "message": '=HYPERLINK("x")', "times": 1}
    items = [{**item, "facts": {}} for item in made["items"]]
    for item in items:
        del item["read_at"]
    items[7]["facts"] = {"polls": {"SOURCE_TIMEOUT": 2}, "alerts": [{**alert, "resolved_us": None}]}
    earlier = {**row, "id": "earlier", "report": json.dumps(items)}
    names = ", ".join(earlier)
    marks = ", ".join(f":{name}" for name in earlier)
    await crud.write(f"INSERT INTO {S}.weekly_reports ({names}) VALUES ({marks})", earlier)
    manifest, files = await taken(operator, "earlier")
    assert manifest["audit"] is None
    (told,) = rows_of(files["8-errors-alerts.csv"])
    assert told["message"] == "'" + alert["message"]
    assert rows_of(files["8-errors.csv"])[0]["failed_polls"] == "2"
    assert rows_of(files["1-books-clients.csv"]) == []
    async with weekly_files._lock:
        await operator.api("GET", "weekly-reports/earlier/files.zip", expect=409)
    await operator.api("GET", "weekly-reports/nosuch/files.zip", expect=404)
    await damaged(f"UPDATE {S}.weekly_reports SET report = report || ' ' WHERE id <> 'earlier'")
    edited, _ = await taken(operator, made["id"])
    assert edited["audit"]["unchanged"] is False


async def test_a_deposit_that_nobody_confirmed_is_in_it(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In two of its items, as decimal text, and summed per currency."""
    client = await operator.add_client("0")
    body = {"client_id": client, "amount": "1234.50", "currency": "GTQ"}
    deposit = await operator.api("POST", "deposits", json=body)
    pass_time(monkeypatch, timedelta(days=8))
    made = await operator.api("POST", "weekly-reports", expect=201)
    await operator.api("PUT", f"deposits/{deposit['id']}/status", json={"status": "confirmed"})
    _, files = await taken(operator, made["id"])
    (late,) = rows_of(files["4-deposits.csv"])
    assert (late["deposit_id"], late["amount"]) == (deposit["id"], "1234.50")
    assert late["created_at"][:10] == deposit["created_at"][:10]
    assert "SUM,1 rows,,GTQ,1234.50," in files["4-deposits.csv"].decode()
    assert rows_of(files["1-books-deposits.csv"])[0]["deposit_id"] == deposit["id"]
