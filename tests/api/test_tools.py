"""The commands of an operator without the page: as processes, and what each of them finds."""

from __future__ import annotations

import csv
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest
from support.environment import CHECKOUT
from support.machine import change, fetch, picture
from support.operator import Operator
from support.sold_days import SoldDays, sell_some_days

EXPORTED_TOO = {"lnbits_wallet_rows.csv", "report.csv"}


@pytest.fixture
async def days(operator: Operator) -> SoldDays:
    return await sell_some_days(operator)


def tools(
    *arguments: str, folder: Path | None = None, file: Path = CHECKOUT / "tools.py", **more: str
) -> subprocess.CompletedProcess[str]:
    """Run it as a person does. `folder`: where, without the variables of these tests."""
    foreign = ("LNBITS_", "AUTH_", "PYTHONPATH")
    plain = {k: v for k, v in os.environ.items() if not k.startswith(foreign)}
    return subprocess.run(
        [sys.executable, str(file), *arguments],
        env={**(plain if folder else os.environ), "PWD": str(folder or CHECKOUT), **more},
        cwd=folder or CHECKOUT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


async def said(capsys: pytest.CaptureFixture[str], command: str, **more: Any) -> tuple[int, str]:
    """Run a command in this process: (exit code, what it wrote)."""
    from satmachineadmin.cli import commands

    capsys.readouterr()
    code = await getattr(commands, command)(Namespace(**more))
    return code, capsys.readouterr().out


async def test_it_tells_the_state_while_lnbits_runs_and_changes_nothing(
    operator: Operator, days: SoldDays
) -> None:
    before = await picture()
    done = tools("status")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "State: live" in done.stdout
    assert "7 completed" in done.stdout
    assert "2 watching" in done.stdout
    assert "Nothing needs you." in done.stdout
    assert await picture() == before
    assert "Traceback" not in done.stderr


async def test_stop_is_on_record_and_honoured(
    operator: Operator, days: SoldDays, capsys: pytest.CaptureFixture[str]
) -> None:
    code, text = await said(capsys, "stop", by="Ana")
    assert code == 0
    assert "STOPPED" in text
    [config] = await fetch("SELECT polling_enabled FROM satoshimachine.lamassu_config")
    assert not config["polling_enabled"]
    [entry] = await fetch(
        "SELECT actor, detail FROM satoshimachine.audit_log WHERE actor LIKE 'tools:%'"
    )
    assert entry["actor"].endswith(":Ana")
    assert json.loads(entry["detail"]) == {"enabled": False}
    overview = await operator.api("GET", "status")
    assert overview["state"] == "stopped"


async def test_stop_works_where_the_audit_trail_cannot_be_written(
    operator: Operator, capsys: pytest.CaptureFixture[str]
) -> None:
    await change("ALTER TABLE satoshimachine.audit_log RENAME TO audit_log_gone")
    try:
        code, text = await said(capsys, "stop", by="")
    finally:
        await change("ALTER TABLE satoshimachine.audit_log_gone RENAME TO audit_log")
    assert code == 1
    assert "STOPPED" in text
    [config] = await fetch("SELECT polling_enabled FROM satoshimachine.lamassu_config")
    assert not config["polling_enabled"]


async def test_the_quick_lists(
    operator: Operator, days: SoldDays, capsys: pytest.CaptureFixture[str]
) -> None:
    code, text = await said(capsys, "balances")
    assert code == 0
    assert "Ana" in text
    assert "All 3 balances add up" in text
    code, text = await said(capsys, "last", count=3)
    assert code == 0
    assert len([line for line in text.splitlines() if "Mercado" in line or "GTQ" in line]) >= 2
    code, text = await said(capsys, "unpaid")
    assert code == 1  # one sale is watched, one is held
    assert "not settled: 2" in text
    code, text = await said(capsys, "reconcile")
    assert code == 0, text
    assert "say the same, to the sat" in text
    [run] = await fetch("SELECT * FROM satoshimachine.reconciliation_runs")
    assert (run["cause"], run["status"], run["mismatches"]) == ("tool", "done", 0)
    code, text = await said(capsys, "verify", hash="")
    assert code == 0, text
    assert "as it was written" in text
    code, text = await said(capsys, "verify", hash="0" * 63 + "1")
    assert code == 1
    assert "shortened or rewritten" in text


async def test_a_balance_that_was_edited_is_named(
    operator: Operator, days: SoldDays, capsys: pytest.CaptureFixture[str]
) -> None:
    edit = "UPDATE satoshimachine.ledger_balances SET balance = balance {} WHERE account = :account"
    who = {"account": f"client:{days.clients[0]}"}
    await change(edit.format("+ 1"), who)
    code, text = await said(capsys, "balances")
    assert code == 1
    assert "1 of 3 balances do not add up" in text
    assert " 0.01" in text
    code, text = await said(capsys, "reconcile")
    assert code == 1
    assert f"client:{days.clients[0]}" in text
    await change(edit.format("- 1"), who)


async def test_the_export_is_everything_without_secrets(
    operator: Operator, days: SoldDays, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from satmachineadmin.services import dump

    secret = "only-in-this-test"
    await operator.api("POST", "config", json=operator.connection(ssh_password=secret))
    code, _ = await said(capsys, "export", folder=tmp_path)
    assert code == 0
    [folder] = tmp_path.iterdir()
    assert not folder.name.endswith(".partial")
    manifest = json.loads((folder / "manifest.json").read_text())
    tables = set(await dump.table_names())
    assert {f"{name}.csv" for name in tables} | EXPORTED_TOO == set(manifest["files"])
    for name in tables:
        with (folder / f"{name}.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        stored = await fetch(f"SELECT * FROM satoshimachine.{name}")
        assert len(rows) == len(stored) == manifest["files"][f"{name}.csv"]["rows"], name
    everything = "".join(path.read_text() for path in folder.iterdir())
    assert secret not in everything
    for row in await fetch("SELECT password, ssh_password FROM satoshimachine.lamassu_config"):
        assert not any(sealed and sealed in everything for sealed in row.values())
    for row in await fetch(
        "SELECT value FROM satoshimachine.meta WHERE name = 'installation_secret'"
    ):
        assert json.loads(row["value"]) not in everything
    legs = await fetch("SELECT checking_id_out FROM satoshimachine.settlement_legs")
    both = len(legs) + sum(leg["checking_id_out"] is not None for leg in legs)
    assert manifest["files"]["lnbits_wallet_rows.csv"]["rows"] == both
    code, _ = await said(capsys, "check_export", folder=folder)
    assert code == 0
    with (folder / "ledger_entries.csv").open("a") as file:
        file.write("one more\n")
    (folder / "polls.csv").unlink()
    code, text = await said(capsys, "check_export", folder=folder)
    assert code == 1
    assert "ledger_entries.csv was changed" in text
    assert "polls.csv is missing" in text


async def test_an_export_reads_slice_by_slice(
    operator: Operator, days: SoldDays, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from satmachineadmin.services import dump

    whole, _ = await dump.dump(tmp_path / "whole", lambda name, rows: None)
    monkeypatch.setattr(dump, "ROWS_PER_SLICE", 3)
    sliced, manifest = await dump.dump(tmp_path / "sliced", lambda name, rows: None)
    for name in manifest["files"]:
        left, right = (sorted((one / name).read_text().splitlines()) for one in (whole, sliced))
        assert left == right, name


async def test_a_table_without_a_key_is_exported_too(
    operator: Operator, days: SoldDays, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody's own, beside ours: it must not cost the whole export."""
    from satmachineadmin.services import dump

    monkeypatch.setattr(dump, "ROWS_PER_SLICE", 2)
    await change("CREATE TABLE satoshimachine.notes_of_mine (note TEXT, n BIGINT)")
    try:
        for number in range(5):
            note = f"INSERT INTO satoshimachine.notes_of_mine VALUES ('n{number}', {number})"
            await change(note)
        folder, _ = await dump.dump(tmp_path / "all", lambda name, rows: None)
    finally:
        await change("DROP TABLE satoshimachine.notes_of_mine")
    lines = (folder / "notes_of_mine.csv").read_text()
    assert all(f"n{number},{number}" in lines for number in range(5))


@pytest.mark.sqlite_only
async def test_it_works_while_lnbits_is_down_from_any_folder(
    operator: Operator, days: SoldDays, tmp_path: Path, environment: Any
) -> None:
    """LNbits' folder is found by its .env above the extension's own, whatever that is called."""
    lnbits = tmp_path / "lnbits"
    shutil.copytree(environment.data, lnbits / "kept")
    (lnbits / ".env").write_text("LNBITS_DATA_FOLDER=./kept\nAUTH_SECRET_KEY='x y'\n")
    inside = lnbits / "lnbits" / "extensions"
    inside.mkdir(parents=True)
    extension = inside / "odd name-1.0"
    extension.symlink_to(CHECKOUT, target_is_directory=True)
    done = tools("balances", folder=extension, file=Path("tools.py"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert str(Path("kept", "ext_satoshimachine.sqlite3")) in done.stdout
    assert "All 3 balances add up" in done.stdout


@pytest.mark.sqlite_only
async def test_where_there_is_no_lnbits_nothing_is_created(tmp_path: Path) -> None:
    done = tools("status", f"--lnbits={tmp_path}", folder=tmp_path)
    assert done.returncode == 2
    assert "There is no LNbits database" in done.stderr
    assert list(tmp_path.iterdir()) == []
    done = tools("export", folder=tmp_path)
    assert done.returncode == 2  # argparse: a folder is missing
    done = tools("status", "--lnbits", str(tmp_path / "nowhere"), folder=tmp_path)
    assert done.returncode == 2
    assert "there is no folder" in done.stderr


@pytest.mark.sqlite_only
async def test_a_busy_database_is_said_in_words(
    environment: Any, operator: Operator, capsys: pytest.CaptureFixture[str]
) -> None:
    """Somebody holds it and does not let go; the stop changed nothing and says so."""
    from satmachineadmin.cli import main

    with sqlite3.connect(environment.data / "ext_satoshimachine.sqlite3") as raw:
        raw.execute("BEGIN EXCLUSIVE")
        code = await main.answer(Namespace(command="stop", by=""))
        raw.rollback()
    assert code == 2
    assert "Another writer holds the database" in capsys.readouterr().err


@pytest.mark.postgres_only
async def test_a_database_that_is_gone_is_said_in_words(tmp_path: Path) -> None:
    url = "postgres://nobody:secret-word@127.0.0.1:1/nothing"
    done = tools("status", folder=tmp_path, LNBITS_DATABASE_URL=url)
    assert done.returncode == 2
    assert "Could not look" in done.stderr
    assert "Traceback" not in done.stderr
    assert "secret-word" not in done.stdout + done.stderr
