"""The evidence in one download: whole, as it was written, and without a secret."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from zipfile import ZipFile

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


async def test_one_at_a_time(operator: Operator) -> None:
    from satmachineadmin.services import evidence

    async with evidence._lock:
        refused = await operator.api("GET", "exports/evidence.zip", expect=409)
    assert refused["code"] == "STATE_CONFLICT"
