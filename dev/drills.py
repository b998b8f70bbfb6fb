"""`make demo DRILLS=1`: the runbook's six failures on a running LNbits, one after the other.

Each is caused for real, must be told to a real webhook receiver by LNbits' own timers, with its
severity and the next step, and is mended by nothing but the steps of docs/runbook.md. Then every
check is green, a reconciliation finds nothing, and every sum is right. Nobody moves the clock, so a
drill takes minutes; a reconciliation, which is due once a day, is asked for.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from . import sample_rows
from .console import say, table
from .demo_setup import Operation, set_up
from .embedded_lamassu import EmbeddedLamassu
from .lnbits_api import LnbitsApi
from .once import checked
from .receiver import Receiver, receiver

# The watch looks every 30 seconds, a poll is due each minute, and what comes of one kind within
# five minutes after a message is told together.
HEARD_WITHIN_S = 360
DONE_WITHIN_S = 90
LOOK_EVERY_S = 1.0
LOCK_WAIT_S = 30
FIAT = 500
CORE, EXT = "database.sqlite3", "ext_satoshimachine.sqlite3"


class DrillFailed(Exception):
    """What should have happened and did not."""


@dataclass
class Duty:
    """An operator on duty: LNbits, its files, Lamassu, and what the receiver heard."""

    api: LnbitsApi
    lamassu: EmbeddedLamassu
    data: Path
    operation: Operation
    inbox: Receiver
    heard: list[dict[str, Any]] = field(default_factory=list)
    first: dict[str, Any] = field(default_factory=dict)  # the drill's own alert
    caused_at: float = 0.0
    heard_s: float = 0.0

    async def until(self, what: str, look: Callable[[], Awaitable[Any]], limit_s: float) -> Any:
        """The first answer that is not empty. Raises DrillFailed."""
        deadline = time.monotonic() + limit_s
        while not (found := await look()):
            if time.monotonic() > deadline:
                raise DrillFailed(f"not within {limit_s:.0f} s: {what}")
            await asyncio.sleep(LOOK_EVERY_S)
        return found

    async def told(self, kind: str, severity: str) -> dict[str, Any]:
        """The message that an alert of this kind was raised; the drill's time ends with the first.

        Raises DrillFailed when it does not come, is of another severity or names no next step.
        """

        async def look() -> dict[str, Any] | None:
            self.heard += [one.json() for one in self.inbox.take()]
            raised = [one for one in self.heard if (one["event"], one["kind"]) == ("raised", kind)]
            return raised[-1] if raised else None

        found: dict[str, Any] = await self.until(f"a message of {kind}", look, HEARD_WITHIN_S)
        if found["severity"] != severity or not found["hint"]:
            raise DrillFailed(f"{kind} is {found['severity']}, its next step: {found['hint']!r}")
        if not self.first:
            self.first, self.heard_s = found, time.monotonic() - self.caused_at
        return found

    async def sold(self) -> dict[str, Any]:
        """A sale that the poll has settled."""
        row = await self.sells()
        await self.api.poll()
        return await self.cash_out(str(row["id"]))

    async def sells(self) -> dict[str, Any]:
        row = sample_rows.sale(fiat=FIAT, confirmed_at=datetime.now(timezone.utc))
        await self.lamassu.insert([row])
        return row

    async def cash_out(self, lamassu_id: str) -> dict[str, Any]:
        found = await self.api.dca("GET", "transactions", params={"search": lamassu_id})
        if not found["data"]:
            raise DrillFailed(f"cash-out {lamassu_id} is not here")
        row: dict[str, Any] = found["data"][0]
        return row

    async def reconciled(self) -> dict[str, Any]:
        """Reconcile everything; the run when it has ended."""
        run = await self.api.dca("POST", "reconciliations", json={"kind": "everything"})

        async def look() -> dict[str, Any] | None:
            found: dict[str, Any] = await self.api.dca("GET", f"reconciliations/{run['id']}")
            return found if found["status"] not in ("queued", "running") else None

        ended: dict[str, Any] = await self.until("the reconciliation ends", look, DONE_WITHIN_S)
        if ended["status"] != "done" or ended["errors"]:
            raise DrillFailed(f"the reconciliation: {ended['status']}, {ended['errors']} errors")
        return ended

    async def stop(self) -> None:
        """The runbook's first step where sats may be wrong."""
        await self.api.dca("PUT", "polling", json={"enabled": False})

    async def resume(self) -> None:
        """The way back to work, step by step to its end."""
        await self.api.dca("POST", "resuming/begin", json={"reason": "mended"})
        await self.api.dca("POST", "resuming/settle")
        await self.api.dca("POST", "resuming/reconcile")

        async def look() -> bool:
            run = (await self.api.dca("GET", "resuming"))["run"]
            return run["status"] not in ("queued", "running")

        await self.until("the reconciliation on the way back ends", look, DONE_WITHIN_S)
        await self.api.dca("POST", "resuming/automatic")

    async def finding(self) -> dict[str, Any]:
        """The open one, which names its way to be mended."""
        page = await self.api.dca("GET", "findings", params={"status": "open"})
        if len(page["data"]) != 1:
            raise DrillFailed(f"{len(page['data'])} findings are open, not one")
        found: dict[str, Any] = await self.api.dca("GET", f"findings/{page['data'][0]['id']}")
        if not found["what_to_do"]:
            raise DrillFailed(f"{found['code']} has no way to be mended")
        return found

    async def wallet(self, wallet_id: str, verb: str, method: str, user_id: str) -> None:
        """LNbits' own deletion of a wallet, and its way back."""
        path = f"/users/api/v1/user/{user_id}/wallet/{wallet_id}{verb}"
        await self.api.call(method, path)

    def damage(self, *statements: tuple[str, tuple[object, ...]]) -> None:
        """Somebody with SQL, past the triggers, while LNbits runs."""
        with self._files() as raw:
            raw.execute("BEGIN IMMEDIATE")
            kept = raw.execute(
                "SELECT name, sql FROM satoshimachine.sqlite_master WHERE type = 'trigger'"
            ).fetchall()
            for name, _ in kept:
                raw.execute(f"DROP TRIGGER satoshimachine.{name}")
            for statement, values in statements:
                if not raw.execute(statement, values).rowcount:
                    raise DrillFailed(f"this changes nothing: {statement}")
            for _, sql in kept:
                raw.execute(sql.replace("TRIGGER ", "TRIGGER satoshimachine.", 1))
            raw.execute("COMMIT")
        self.caused_at = time.monotonic()

    def rows(self, query: str) -> list[sqlite3.Row]:
        """What a person with SQL reads."""
        with self._files() as raw:
            return raw.execute(query).fetchall()

    @contextlib.contextmanager
    def _files(self) -> Iterator[sqlite3.Connection]:
        path = self.data / CORE
        with contextlib.closing(
            sqlite3.connect(path, timeout=LOCK_WAIT_S, isolation_level=None)
        ) as raw:
            raw.row_factory = sqlite3.Row
            raw.execute("ATTACH ? AS satoshimachine", (str(self.data / EXT),))
            yield raw


async def paid_twice(duty: Duty) -> None:
    """Section 1: a share's payment stands in a second wallet, too."""
    await duty.sold()
    leg = duty.rows(
        "SELECT checking_id_in, to_wallet_id FROM satoshimachine.settlement_legs"
        " WHERE kind = 'share' ORDER BY moved_us DESC LIMIT 1"
    )[0]
    its = leg["checking_id_in"]
    known = (leg["to_wallet_id"], duty.operation.source_wallet_id)
    other = next(row["id"] for row in duty.rows("SELECT id FROM wallets") if row["id"] not in known)
    duty.damage(
        ("CREATE TEMP TABLE one AS SELECT * FROM apipayments WHERE checking_id = ?", (its,)),
        ("UPDATE one SET wallet_id = ?", (other,)),
        ("INSERT INTO apipayments SELECT * FROM one", ()),
    )
    await duty.reconciled()
    await duty.told("reconciliation_difference", "critical")
    await duty.stop()
    await duty.finding()
    duty.damage(
        ("DELETE FROM apipayments WHERE checking_id = ? AND wallet_id = ?", (its, other)),
    )
    await duty.reconciled()
    await duty.resume()


async def lamassu_unreachable(duty: Duty) -> None:
    """Section 2: the ATM's server does not answer."""
    await duty.lamassu.stop_ssh()
    duty.caused_at = time.monotonic()
    row = await duty.sells()
    await duty.told("poll_failed", "warning")
    await duty.lamassu.start_ssh()
    tested = await duty.api.dca("POST", "test-connection")
    if not tested["success"]:
        raise DrillFailed(f"the connection test: {tested}")
    await duty.api.poll()
    if (await duty.cash_out(str(row["id"])))["status"] != "completed":
        raise DrillFailed("the sale of meanwhile is not settled")


async def share_failed(duty: Duty) -> None:
    """Section 3: a client's wallet is gone when the sale is settled."""
    user_id = duty.operation.user_ids["ana"]
    client_id = duty.operation.client_ids["ana"]
    wallet_id = str((await duty.api.dca("GET", f"clients/{client_id}"))["wallet_id"])
    await duty.wallet(wallet_id, "", "DELETE", user_id)
    duty.caused_at = time.monotonic()
    cash_out = await duty.sold()
    await duty.told("share_failed", "critical")
    shares = await duty.api.every(f"transactions/{cash_out['id']}/distributions")
    failed = [one for one in shares if one["status"] == "failed"]
    await duty.wallet(wallet_id, "/undelete", "PUT", user_id)
    for share in failed:
        await duty.api.dca("POST", f"payments/{share['id']}/retry")


async def balance_off(duty: Duty) -> None:
    """Section 4: a client has fiat that no entry gave them."""
    account = f"client:{duty.operation.client_ids['carmen']}"
    moved = (
        "UPDATE satoshimachine.ledger_balances SET balance = balance + ?"
        " WHERE account = ? AND unit = 'GTQ'"
    )
    duty.damage((moved, (12_345, account)))
    await duty.reconciled()
    await duty.told("reconciliation_difference", "critical")
    await duty.stop()
    await duty.finding()
    duty.damage((moved, (-12_345, account)))
    await duty.reconciled()
    await duty.resume()


async def commission_wrong(duty: Duty) -> None:
    """Section 5: a stored split is not what its own rule gives."""
    cash_out = await duty.sold()
    moved = (
        "UPDATE satoshimachine.lamassu_transactions SET commission_sats = commission_sats + ?1,"
        " base_sats = base_sats - ?1, operator_remainder_sats = operator_remainder_sats - ?1"
        " WHERE id = ?2"
    )
    duty.damage((moved, (-7, cash_out["id"])))
    await duty.told("commission_anomaly", "warning")
    await duty.stop()
    if (await duty.api.dca("GET", "reports/books"))["wrong"]["splits"] != 1:
        raise DrillFailed("the report of the books does not name the split")
    duty.damage((moved, (7, cash_out["id"])))
    await duty.resume()


async def wallet_deleted(duty: Duty) -> None:
    """Section 6: the source wallet was deleted by mistake."""
    wallet_id = duty.operation.source_wallet_id
    await duty.wallet(wallet_id, "", "DELETE", duty.api.user_id)
    duty.caused_at = time.monotonic()
    row = await duty.sells()
    await duty.told("wallet_unusable", "critical")
    await duty.wallet(wallet_id, "/undelete", "PUT", duty.api.user_id)
    await duty.api.dca("POST", "readiness")
    await duty.api.poll()
    if (await duty.cash_out(str(row["id"])))["status"] != "completed":
        raise DrillFailed("the sale of meanwhile is not settled")


DRILLS = {
    "1  somebody was paid twice": paid_twice,
    "2  Lamassu cannot be reached": lamassu_unreachable,
    "3  a share was not paid": share_failed,
    "4  a balance is off": balance_off,
    "5  a commission is wrong": commission_wrong,
    "6  the source wallet was deleted": wallet_deleted,
}


async def drills(api: LnbitsApi, lamassu: EmbeddedLamassu, data: Path) -> int:
    """All six in turn, and a table of them. 0 when each was told, mended and ended green."""
    say("setting up wallets, clients, deposits and the connection")
    operation = await set_up(
        api, lamassu, deposits_count_from=datetime.now(timezone.utc) - timedelta(days=2)
    )
    rows: list[tuple[object, ...]] = []
    wrong = 0
    async with receiver() as inbox:
        await api.dca("PUT", "alert-settings", json={"allow_private_addresses": True})
        channel = {"name": "Night desk", "kind": "webhook", "url": inbox.url}
        await api.dca("POST", "channels", json=channel)
        await api.dca("PUT", "polling", json={"enabled": True})
        await api.poll()
        for name, drill in DRILLS.items():
            duty = Duty(api, lamassu, data, operation, inbox)
            say(name)
            try:
                await drill(duty)
                mended = time.monotonic()
                sums = await _green(duty)
            except DrillFailed as problem:
                wrong += 1
                rows.append((name, "FAILED", "", "", str(problem)))
                continue
            after = f"{time.monotonic() - mended:.0f} s"
            hint, severity = duty.first["hint"], duty.first["severity"]
            rows.append((name, f"{duty.heard_s:.0f} s, {severity}", after, sums, hint))
            say(f"   told after {duty.heard_s:.0f} s: {duty.first['message']}")
    headers = ("failure", "told after", "green after", "sums", "next step, as it was told")
    print(f"\n{table(headers, rows)}\n", flush=True)
    say(f"{len(DRILLS) - wrong} of {len(DRILLS)} drills ended in a green state")
    return 1 if wrong else 0


async def _green(duty: Duty) -> int:
    """Every check green, nothing open, all clear told, nothing to find; how many sums are right."""

    async def look() -> bool:
        duty.heard += [one.json() for one in duty.inbox.take()]
        health = await duty.api.dca("POST", "health/check")
        bad = [one for one in health["checks"] if one["state"] != "ok" and one["name"] != "disk"]
        left = (await duty.api.dca("GET", "alerts"))["data"]
        cleared = {one["alert_id"] for one in duty.heard if one["event"] == "clear"}
        open_ones = [one for one in left if one["severity"] != "info"]
        return not bad and not open_ones and duty.first["alert_id"] in cleared

    await duty.until("every check is green and all clear was told", look, HEARD_WITHIN_S)
    if (await duty.reconciled())["mismatches"]:
        raise DrillFailed("the reconciliation still finds something")
    checks = await checked(duty.api, duty.operation)
    if checks.failed:
        raise DrillFailed(f"{len(checks.failed)} sums are wrong: {checks.failed[0]}")
    return checks.made
