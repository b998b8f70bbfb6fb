"""Guards taken away one by one: each must be missed by a test (issue 3, item 6 and "Done when").

    python -m prove.mutants RESULT.json [--all] [--keep] [--only WORDS]

Two kinds. Every UNIQUE, PRIMARY KEY, NOT NULL, CHECK (and each comparison in it) and trigger of
migrations.py, on both databases (mutant_schema.py). And guards of the code: each is a replacement
of a text that must stand exactly once in its file (mutants_*.txt), run against the tests that
should notice (mutant_runner.py). Those tests run
with the guard in place first, so that only its absence can make them fail.
Without --all one third of the code mutants is run, every third of the list; --keep writes down
which test caught which.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .mutant_kinds import Mutant, everyone, keep
from .setting import CHECKOUT, ENVIRONMENT, Result, Row, say

EVERYONE = tuple(everyone())
MUTANTS = tuple(mutant for mutant in EVERYONE if not mutant.equivalent)
EVERY = 3  # of the code mutants one in so many runs without --all
SILENCE_S = 200  # a process that says nothing for so long is ended
TRIES = 2  # a mutant whose tests failed with the guard in place gets a new process once
SCHEMA_LIMIT_S = 300

Line = dict[str, Any]


def unfit() -> list[str]:
    """Mutants whose text is not what the list says: they would test nothing."""
    wrong = []
    for mutant in EVERYONE:
        times = (CHECKOUT / mutant.file).read_text().count(mutant.old)
        if times != 1:
            wrong.append(f"{mutant.name}: its text is there {times} times, not once")
    names = [mutant.name for mutant in EVERYONE]
    wrong += [f"{name} is there twice" for name in sorted(set(names)) if names.count(name) > 1]
    return wrong


def schema_row(database: str, folder: Path) -> Row:
    """The constraints and triggers, all of them."""
    row = Row("constraints and triggers, each taken away", "mutants", database=database)
    started = time.perf_counter()
    results = folder / f"schema-{database}.jsonl"
    with (folder / f"schema-{database}.log").open("w") as log:
        ended = subprocess.run(
            [sys.executable, "-m", "prove.mutant_schema", str(results)],
            cwd=CHECKOUT,
            env={**os.environ, "SATM_TEST_DB": database},
            stdout=log,
            stderr=log,
            timeout=SCHEMA_LIMIT_S,
            check=False,
        )
    lines = _lines(results)
    alike = sum(line["outcome"] == "equivalent" for line in lines)
    if alike:
        row.what += f" (but for {alike} that others imply)"
    row.total = row.covered = len(lines) - alike
    for line in lines:
        if line["outcome"] not in ("caught", "equivalent"):
            row.failed(f"{line['name']}: {line['why']}")
    if ended.returncode or not lines:
        row.failed(f"it did not end well: {_tail(folder / f'schema-{database}.log')}")
    row.seconds = round(time.perf_counter() - started, 1)
    return row


def code_row(database: str, chosen: Sequence[Mutant], folder: Path) -> tuple[Row, dict[str, str]]:
    """The guards of the code that are judged on this database, and what caught each."""
    of_this = [mutant for mutant in MUTANTS if mutant.database == database]
    mine = [mutant for mutant in chosen if mutant.database == database]
    what = "guards of the code, each taken away"
    if len(mine) < len(of_this):
        what += ", a part of them"
    row = Row(what, "mutants", len(mine), len(of_this))
    row.database = database
    started, caught = time.perf_counter(), {}
    for line in judge(mine, database, folder):
        if line["outcome"] != "caught":
            row.failed(f"{line['name']}: {line['outcome']}, {line['why']}")
            say(f"  {line['outcome']}: {line['name']}: {line['why']}")
        else:
            caught[line["name"]] = line["by"].removeprefix("tests/")
    row.seconds = round(time.perf_counter() - started, 1)
    return row, caught


def judge(mutants: Sequence[Mutant], database: str, folder: Path) -> list[Line]:
    """One process after the other, until each mutant has its line."""
    results = folder / f"code-{database}.jsonl"
    todo, tries, final = list(mutants), dict.fromkeys((m.name for m in mutants), 0), []
    while todo:
        before = len(_lines(results))
        _process(todo, database, folder, results)
        fresh = _lines(results)[before:]
        if not fresh:
            why = f"the process ended early: {_tail(folder / f'code-{database}.log')}"
            fresh = [{"name": todo[0].name, "outcome": "broken", "why": why, "by": ""}]
        for line in fresh:
            tries[line["name"]] += 1
            if line["outcome"] != "broken" or tries[line["name"]] >= TRIES:
                final.append(line)
                todo = [mutant for mutant in todo if mutant.name != line["name"]]
        say(f"  {len(final)} of {len(mutants)} on {database}")
    return final


def _process(todo: Sequence[Mutant], database: str, folder: Path, results: Path) -> None:
    task = folder / f"task-{database}.json"
    task.write_text(json.dumps([asdict(mutant) for mutant in todo]))
    with (folder / f"code-{database}.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "prove.mutant_runner", str(task), str(results)],
            cwd=CHECKOUT,
            env={**os.environ, "SATM_TEST_DB": database},
            stdout=log,
            stderr=log,
        )
        said, since = -1, time.monotonic()
        while process.poll() is None:
            time.sleep(0.2)
            now = len(_lines(results))
            if now != said:
                said, since = now, time.monotonic()
            elif time.monotonic() - since > SILENCE_S:
                process.kill()
                process.wait()


def _lines(path: Path) -> list[Line]:
    if not path.exists():
        return []
    return [json.loads(text) for text in path.read_text().splitlines()]


def _tail(log: Path) -> str:
    return " ".join(log.read_text(errors="replace").split())[-300:]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("result", type=Path)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--keep", action="store_true", help="note which test caught which")
    parser.add_argument("--only", default="", help="code mutants with this in their name")
    given = parser.parse_args()
    result = Result(given.result.resolve())
    chosen = MUTANTS if given.all or given.only else MUTANTS[::EVERY]
    chosen = tuple(mutant for mutant in chosen if given.only in mutant.name)
    try:
        wrong = unfit()
        texts = Row("the texts of the code mutants", "mutants", len(MUTANTS), len(MUTANTS))
        texts.database = "-"
        for why in wrong:
            texts.failed(why)
        if wrong:
            result.add(texts)
        with tempfile.TemporaryDirectory(prefix="satm-mutants-") as name:
            folder = Path(name)
            for database in ("sqlite", "postgres") if not given.only else ():
                result.add(schema_row(database, folder))
            for database in ("sqlite", "postgres"):
                row, caught = code_row(database, chosen, folder)
                result.add(row)
                if given.keep:
                    keep(caught)
    finally:
        ENVIRONMENT.remove()
    sys.exit(result.exit_code)


if __name__ == "__main__":
    main()
