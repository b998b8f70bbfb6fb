"""The process that compares slices beside LNbits: its answers, and every way it can fail."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from satmachineadmin.adapters import compare_process
from satmachineadmin.adapters.compare_process import CompareFailed, CompareProcess
from satmachineadmin.domain.tie_slice import Slice
from satmachineadmin.services import reconcile_compare
from satmachineadmin.services.reconcile_compare import Comparer, comparer

SOME = 3 * compare_process.ROWS_PER_MESSAGE + 7


def unreadable(count: int = SOME) -> Slice:
    """Rows without columns: each of them is named, wherever it is compared."""
    rows = [{"id": f"c{n}", "lamassu_transaction_id": f"l{n}"} for n in range(count)]
    return Slice(rows, {}, {"l1": {"id": "l1"}})


def alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2]
    except FileNotFoundError:
        return False


@pytest.fixture
async def beside() -> AsyncIterator[CompareProcess]:
    started = await CompareProcess.start()
    yield started
    await started.stop()
    assert not alive(started._process.pid)


async def test_it_answers_what_is_found_here(beside: CompareProcess) -> None:
    for _ in range(2):
        assert await beside.differing(unreadable()) == unreadable().differing()
    assert await beside.differing(Slice((), {}, None)) == set()
    assert len(unreadable().differing()) == SOME


async def test_it_gives_lnbits_the_way(beside: CompareProcess) -> None:
    assert os.getpriority(os.PRIO_PROCESS, beside._process.pid) > 0


async def test_it_inherits_nothing(beside: CompareProcess) -> None:
    """LNbits' environment holds its secrets."""
    assert Path(f"/proc/{beside._process.pid}/environ").read_bytes() == b""


async def test_when_it_is_killed_the_rest_is_compared_here(beside: CompareProcess) -> None:
    compare = Comparer(beside)
    assert len(await compare.differing(unreadable())) == SOME
    os.kill(beside._process.pid, signal.SIGKILL)
    assert len(await compare.differing(unreadable())) == SOME
    assert compare._beside is None


async def test_a_silent_one_is_given_up(
    beside: CompareProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compare_process, "ANSWER_LIMIT_S", 0.05)
    os.kill(beside._process.pid, signal.SIGSTOP)
    compare = Comparer(beside)
    assert len(await compare.differing(unreadable())) == SOME
    assert not alive(beside._process.pid)


async def test_an_answer_to_another_question_is_none(beside: CompareProcess) -> None:
    """Somebody who was cancelled left it unread."""
    asking = asyncio.ensure_future(beside.differing(unreadable()))
    while not beside._asked:
        await asyncio.sleep(0)
    while not asking.done():  # one cancellation may be lost in asyncio.wait_for
        asking.cancel()
        await asyncio.sleep(0)
    beside._answered = beside._asked  # as if nothing were on its way
    with pytest.raises(CompareFailed, match="in place of"):
        await beside.differing(unreadable())


@pytest.mark.parametrize("python", ["", "/usr/sbin/uwsgi", "/nowhere/python3"])
async def test_without_a_python_to_start_it_is_compared_here(
    monkeypatch: pytest.MonkeyPatch, python: str
) -> None:
    monkeypatch.setattr(sys, "executable", python)
    with pytest.raises(CompareFailed):
        await CompareProcess.start()
    async with comparer(reconcile_compare.PROCESS_FROM) as compare:
        assert compare._beside is None
        assert len(await compare.differing(unreadable())) == SOME


async def test_what_says_something_else_is_not_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(compare_process, "PROGRAM", tmp_path / "other.py")
    (tmp_path / "other.py").write_text("print('Welcome to another program')")
    with pytest.raises(CompareFailed):
        await CompareProcess.start()


async def test_only_a_large_run_has_one() -> None:
    async with comparer(reconcile_compare.PROCESS_FROM - 1) as small:
        assert small._beside is None
    async with comparer(reconcile_compare.PROCESS_FROM) as large:
        assert large._beside is not None
        process = large._beside._process
    assert not alive(process.pid)


def test_it_ends_with_the_process_that_started_it() -> None:
    """Also when that one is killed: nothing is left running on the operator's machine."""
    program = textwrap.dedent("""
        import asyncio, os
        from satmachineadmin.adapters.compare_process import CompareProcess

        async def main():
            started = await CompareProcess.start()
            print(started._process.pid, flush=True)
            os.kill(os.getpid(), 9)

        asyncio.run(main())
        """)
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": ":".join(sys.path)},
        stdout=subprocess.PIPE,
        check=False,
        timeout=60,
    )
    assert done.returncode == -signal.SIGKILL
    left = int(done.stdout)
    for _ in range(200):
        if not alive(left):
            return
        asyncio.run(asyncio.sleep(0.02))
    pytest.fail("it is still there")
