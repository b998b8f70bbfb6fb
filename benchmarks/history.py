"""Does the past cost anything? The same case on empty books and on books of years."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

from satmachineadmin import clock
from satmachineadmin.database import stored_time

from .baseline import prepare
from .distribute import case
from .plain import Plain, plain
from .world import World

SALES, CLIENTS = 10, 20
CASH_OUTS = 20_000
SHARES_EACH = 2  # with funding: five wallet rows per cash-out, 100,000 in all
SATS = 100  # of a share; the fiat is one quetzal
CHUNK = 2_000
SAMPLE = 6  # of LNbits' own transfers, which take their time with a history
LONG_AGO_US = 200 * 86_400_000_000


async def measure(world: World, repeat: int) -> dict[str, Any]:
    """The case without and with history, and what the history holds."""
    without = await case(world, SALES, CLIENTS, repeat, sample_max=SAMPLE)
    await world.reset(CLIENTS)
    await prepare(world)
    rows = await seed(world)
    with_history = await case(world, SALES, CLIENTS, repeat, fresh=False, sample_max=SAMPLE)
    ratio = with_history["phases"]["settle"]["median_ms"] / without["phases"]["settle"]["median_ms"]
    total = with_history["phases"]["total"]["median_ms"] / without["phases"]["total"]["median_ms"]
    return {
        "rows": rows,
        "without": without,
        "with": with_history,
        "ratios": {"settle": round(ratio, 2), "total": round(total, 2)},
    }


async def seed(world: World) -> dict[str, int]:
    """Settled cash-outs whose books are right to the sat; returns rows per table."""
    async with plain(world) as db:
        columns, (template, *_) = await db.select("SELECT * FROM apipayments LIMIT 1")
        payment = dict(zip(columns, template, strict=True))
        clients = sorted(world.operator.wallets)
        books = _Books(world, await _balances(db), await _last_seq(db), payment)
        counts: dict[str, int] = {}
        await db.begin()
        for start in range(0, CASH_OUTS, CHUNK):
            tables: dict[str, list[dict[str, Any]]] = {}
            for number in range(start, start + CHUNK):
                pair = [clients[(number * SHARES_EACH + i) % len(clients)] for i in (0, 1)]
                for table, row in books.cash_out(number, pair):
                    tables.setdefault(table, []).append(row)
            for table, rows in tables.items():
                names = list(rows[0])
                await db.insert(table, names, [tuple(row.values()) for row in rows])
                counts[table] = counts.get(table, 0) + len(rows)
        await _store(db, books)
        await db.commit()
        await db.run("ANALYZE")
    return counts


async def _balances(db: Plain) -> dict[tuple[str, str], int]:
    _, rows = await db.select("SELECT account, unit, balance FROM satoshimachine.ledger_balances")
    return {(str(account), str(unit)): int(balance) for account, unit, balance in rows}


async def _last_seq(db: Plain) -> int:
    _, ((last,),) = await db.select("SELECT MAX(seq) FROM satoshimachine.ledger_entries")
    return int(last or 0)


async def _store(db: Plain, books: _Books) -> None:
    known = [(b, s, *key) for key, (b, s) in books.touched.items() if key in books.found]
    fresh = [(*key, b, s) for key, (b, s) in books.touched.items() if key not in books.found]
    await db.update(
        "satoshimachine.ledger_balances", ["balance", "last_seq"], ["account", "unit"], known
    )
    await db.insert(
        "satoshimachine.ledger_balances", ["account", "unit", "balance", "last_seq"], fresh
    )


class _Books:
    """The rows of settled cash-outs, with running balances."""

    def __init__(
        self,
        world: World,
        found: dict[tuple[str, str], int],
        seq: int,
        payment: dict[str, Any],
    ):
        self.found = found
        self.touched: dict[tuple[str, str], tuple[int, int]] = {}
        self._seq = seq
        self._world = world
        self._payment = {**payment, "status": "success", "fee": 0, "bolt11": ""}
        self._then_us = clock.now_us() - LONG_AGO_US

    def cash_out(self, number: int, clients: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
        """Table and row of everything one old settlement left."""
        operator = self._world.operator
        our_id, lamassu_id, at_us = uuid4().hex, str(uuid4()), self._then_us + number * 1_000_000
        total = SATS * len(clients)
        yield "satoshimachine.lamassu_transactions", self._sale(our_id, lamassu_id, at_us, total)
        yield from self._leg(
            our_id, f"{lamassu_id}:funding", None, operator.source_wallet, total, at_us
        )
        yield self._entry(our_id, "sold", "sat", -total, lamassu_id, None, at_us)
        yield self._entry(our_id, "dispensed", "GTQ", 100 * len(clients), lamassu_id, None, at_us)
        for client in clients:
            key, wallet = f"{lamassu_id}:share:{client}", operator.wallets[client]
            yield from self._leg(our_id, key, operator.source_wallet, wallet, SATS, at_us)
            yield "satoshimachine.dca_payments", _share(
                our_id, lamassu_id, client, wallet, key, at_us
            )
            yield self._entry(our_id, f"paid:{client}", "sat", SATS, key, client, at_us)
            yield self._entry(our_id, f"client:{client}", "GTQ", -100, key, client, at_us)

    def _sale(self, our_id: str, lamassu_id: str, at_us: int, total: int) -> dict[str, Any]:
        operator = self._world.operator
        return {
            "id": our_id,
            "lamassu_transaction_id": lamassu_id,
            "status": "completed",
            "crypto_code": "LN",
            "fiat_code": "GTQ",
            "crypto_atoms": total,
            "fiat_minor": 200,
            "created_us": at_us,
            "confirmed_at_us": at_us,
            "source_row": json.dumps({"id": lamassu_id, "status": "confirmed"}),
            "observed_us": at_us,
            "split_rule": "markup",
            "effective_commission": "0/1",
            "funding_mode": "credit",
            "source_wallet_id": operator.source_wallet,
            "commission_wallet_id": operator.commission_wallet,
            "commission_status": "none",
            "total_sats": total,
            "base_sats": total,
            "commission_sats": 0,
            "drawn_minor": 200,
            "confirmed_sats": total,
            "failed_sats": 0,
            "operator_remainder_sats": 0,
            "clients_count": 2,
            "plan_hash": "",
            "plan_json": "{}",
            "processed_us": at_us,
            "announced_us": at_us,
        }

    def _leg(
        self, our_id: str, key: str, source: str | None, target: str, sats: int, at_us: int
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        name = hashlib.sha256(key.encode()).hexdigest()
        ids = (f"internal_satm_{name[:48]}_in", f"internal_satm_{name[:48]}_out")
        yield "satoshimachine.settlement_legs", {
            "leg_key": key,
            "cash_out_id": our_id,
            "kind": "share" if source else "funding",
            "from_wallet_id": source,
            "to_wallet_id": target,
            "amount_sats": sats,
            "payment_hash": name,
            "checking_id_in": ids[0],
            "checking_id_out": ids[1] if source else None,
            "moved_us": at_us,
        }
        common = {**self._payment, "payment_hash": name, "external_id": f"satm:{key}"}
        sides = [(ids[0], target, sats)] + ([(ids[1], source, -sats)] if source else [])
        for checking_id, wallet, amount in sides:
            yield "apipayments", {
                **common,
                "checking_id": checking_id,
                "wallet_id": wallet,
                "amount": amount * 1000,
            }

    def _entry(
        self,
        our_id: str,
        account: str,
        unit: str,
        amount: int,
        reference: str,
        client: str | None,
        at_us: int,
    ) -> tuple[str, dict[str, Any]]:
        key = (account, unit)
        before = self.touched.get(key, (self.found.get(key, 0), 0))[0]
        self._seq += 1
        self.touched[key] = (before + amount, self._seq)
        return "satoshimachine.ledger_entries", {
            "seq": self._seq,
            "posting": "settled",
            "account": account,
            "unit": unit,
            "amount": amount,
            "balance_before": before,
            "balance_after": before + amount,
            "cash_out_id": our_id,
            "client_id": client,
            "reference": reference,
            "created_us": at_us,
        }


def _share(
    our_id: str, lamassu_id: str, client: str, wallet: str, key: str, at_us: int
) -> dict[str, Any]:
    return {
        "id": uuid4().hex,
        "client_id": client,
        "amount_sats": SATS,
        "amount_fiat": 1.0,
        "exchange_rate": float(SATS),
        "transaction_type": "flow",
        "lamassu_transaction_id": lamassu_id,
        "payment_hash": hashlib.sha256(key.encode()).hexdigest(),
        "status": "confirmed",
        "created_at": stored_time(at_us),
        "transaction_time": stored_time(at_us),
        "leg_key": key,
        "cash_out_id": our_id,
        "wallet_id": wallet,
        "currency": "GTQ",
        "fiat_minor": 100,
        "cash_out_us": at_us,
        "attempts": 1,
        "updated_us": at_us,
    }
