"""The evidence in one download: whole, as it was written, and without a secret."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from loguru import logger
from satmachineadmin.dev import sample_rows
from support.machine import fetch
from support.operator import BASE, Operator

SECRET = "a-word-that-nobody-else-uses"
PASSPHRASE = "the second person's long words"


async def test_it_is_whole_and_hides_what_is_secret(operator: Operator, tmp_path: Path) -> None:
    from satmachineadmin.services.dump import check_dump

    await operator.add_client()
    await operator.lamassu.insert(sample_rows.sale())
    await operator.poll()
    limits = {"above_sats": 1_000, "new_passphrase": PASSPHRASE}
    await operator.api("PUT", "approval", json=limits)
    await operator.api("POST", "config", json=operator.connection(password=SECRET))
    (sealed,) = await fetch("SELECT * FROM satoshimachine.lamassu_config")
    (approval,) = await fetch("SELECT * FROM satoshimachine.meta WHERE name = 'second_approval'")
    (own,) = await fetch("SELECT * FROM satoshimachine.meta WHERE name = 'installation_secret'")

    answer = await operator.http.get(f"{BASE}/exports/evidence.zip")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/zip"
    with ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        archive.extractall(tmp_path)
    (folder,) = tmp_path.iterdir()
    assert answer.headers["content-disposition"].endswith(f'"{folder.name}.zip"')
    assert check_dump(folder) == []
    rows = list(csv.DictReader((folder / "audit_log.csv").read_text().splitlines()))
    head = json.loads((folder / "audit_head.json").read_text())
    assert next(row for row in rows if int(row["seq"]) == head["seq"])["entry_hash"] == head["hash"]
    assert json.loads((folder / "manifest.json").read_text())["versions"]["schema"]
    assert len(list(csv.DictReader((folder / "dca_payments.csv").read_text().splitlines()))) == 1
    everything = "".join(path.read_text() for path in folder.iterdir())
    hidden = [SECRET, PASSPHRASE, sealed["password"], json.loads(own["value"])]
    hidden += [json.loads(approval["value"])[name] for name in ("hash", "salt")]
    assert not [one for one in hidden if str(one) in everything]


@pytest.fixture
def kept() -> Iterator[Any]:
    """Our lines are kept, as while LNbits runs, in files that this test alone writes."""
    from satmachineadmin.adapters import event_log

    files = [event_log.path(), event_log.path().with_name(event_log.OLDER_NAME)]
    for file in files:
        file.unlink(missing_ok=True)
    event_log.begin()
    yield event_log
    event_log.end()
    for file in files:
        file.unlink(missing_ok=True)


async def log_of(operator: Operator) -> str:
    answer = await operator.http.get(f"{BASE}/exports/evidence.zip")
    with ZipFile(io.BytesIO(answer.content)) as archive:
        (name,) = [one for one in archive.namelist() if one.endswith("/log.txt")]
        return archive.read(name).decode()


async def test_the_log_of_the_period_is_in_it_without_a_secret(
    operator: Operator, kept: Any
) -> None:
    """Of our lines only those that say an event; a traceback shows values and is left out."""
    assert "0 lines" in await log_of(operator)
    await operator.api("POST", "config", json=operator.connection(password=SECRET))
    refused = await operator.http.post(f"{BASE}/manual-poll")
    assert not refused.is_success
    await operator.api("POST", "config", json=operator.connection())
    await operator.add_client()
    row = sample_rows.sale()
    await operator.lamassu.insert(row)
    await operator.poll()
    logger.patch(lambda record: record.update(name="lnbits.app")).info("event=theirs")
    ours = logger.patch(lambda record: record.update(name=f"{kept.PACKAGE}.tasks"))
    try:
        raise ValueError(SECRET)
    except ValueError:
        ours.exception("event=tick_crashed")
    ours.info("no event")
    ours.warning("event=two\nlines")
    found = await log_of(operator)
    first, *lines = found.splitlines()
    assert f"from {lines[0].split(' ')[0]} to " in first
    assert f"event=cash_out_settled id={row['id']}" in found
    assert "WARNING event=poll_failed code=" in found
    assert "ERROR event=tick_crashed exception=ValueError" in found
    assert all(" event=" in line for line in lines)
    assert not [one for one in (SECRET, "theirs", "no event", "Traceback") if one in found]
    assert kept.path().stat().st_mode & 0o777 == 0o600


async def test_the_log_is_bounded_and_outlives_a_restart(
    operator: Operator, kept: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = logger.patch(lambda record: record.update(name=f"{kept.PACKAGE}.tasks"))
    monkeypatch.setattr(kept, "LINES_MAX", 10)
    for number in range(25):
        ours.info(f"event=number n={number}")
        if number == 12:
            kept.begin()  # as after a restart
    numbers = [int(line.rsplit("=", 1)[1]) for line in kept.lines()]
    assert numbers == list(range(10, 25))
    monkeypatch.setattr(kept, "BYTES_MAX", 4_000)
    for _ in range(9):
        ours.info(f"event=long {'x' * 5_000}")
    files = (kept.path(), kept.path().with_name(kept.OLDER_NAME))
    assert all(0 < file.stat().st_size <= 4_000 for file in files)
    await operator.api("GET", "status")


async def test_one_at_a_time(operator: Operator) -> None:
    from satmachineadmin.services import evidence

    async with evidence._lock:
        refused = await operator.api("GET", "exports/evidence.zip", expect=409)
    assert refused["code"] == "STATE_CONFLICT"
