"""Books that tie out: every row as the processor itself would have written it, built in bulk.

Unlike big_books.py these have real source rows, plans, wallet rows and an audit trail, so that a
reconciliation finds nothing; 10 shares a cash-out, so that a plan is as large as a busy machine's.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from fractions import Fraction
from typing import Any
from uuid import UUID

from satmachineadmin import clock
from satmachineadmin.adapters import audit, wallet_rows
from satmachineadmin.adapters.settlement import settlement
from satmachineadmin.database import BooksConnection, stored_time
from satmachineadmin.domain.eligibility import Verdict, read_sale
from satmachineadmin.domain.plan import Plan, PlanInput, make_plan
from satmachineadmin.domain.pool import PoolClient
from satmachineadmin.domain.states import CashOutState, FundingMode, SplitRule
from satmachineadmin.services import intake, settle, settled_rows

SHARES_EACH = 10
CHUNK = 250  # cash-outs written in one transaction
DEPOSIT_MINOR = 10**13
STEP_US = 600_000_000
SECRET = b"only for measuring"
SALT = 20_090_103


@dataclass
class RealBooks:
    """What is remembered from one chunk to the next."""

    cash_outs: int
    source_wallet: str
    commission_wallet: str
    rows: dict[str, Mapping[str, str | None]] = field(default_factory=dict)  # as Lamassu has them
    seq: int = 0
    balances: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.chance = random.Random(SALT)
        self.first_us = clock.now_us() - self.cash_outs * STEP_US
        self.clients = [f"client{number:02}" for number in range(SHARES_EACH)]

    def _source_row(self, number: int) -> dict[str, str | None]:
        at = datetime.fromtimestamp((self.first_us + number * STEP_US) // 1_000_000, timezone.utc)
        text = at.strftime("%Y-%m-%dT%H:%M:%S.000000")
        fiat = self.chance.randrange(10, 200) * 10
        return {
            "id": str(UUID(int=self.chance.getrandbits(128))),
            "device_id": "5f" * 32,
            "device_name": "Mercado",
            "device_known": "true",
            "crypto_code": "LN",
            "crypto_atoms": str(fiat * 133),
            "received_crypto_atoms": str(fiat * 133),
            "fiat": f"{fiat}.00000",
            "fiat_code": "GTQ",
            "status": "confirmed",
            "dispense": "true",
            "dispense_confirmed": "true",
            "error": None,
            "error_code": None,
            "commission_percentage": "0.05500",
            "discount": None,
            "raw_ticker_price": "826091.28000",
            "created": text,
            "confirmed_at": text,
            "fixed_fee": None,
            "test_customer": "false",
        }

    def _plan(self, row: Mapping[str, str | None]) -> Plan:
        sale = read_sale(row)
        clients = tuple(
            PoolClient(name, f"wallet-{name}", "flow", None, 10**9 + place * 10**7, 0, 0)
            for place, name in enumerate(self.clients)
        )
        return make_plan(
            PlanInput(
                lamassu_transaction_id=str(row["id"]),
                rule=SplitRule.MARKUP,
                total_sats=sale.total_sats or 0,
                commission_rate=sale.commission_rate,
                discount_percent=Fraction(0),
                ticker_price=sale.ticker_price,
                currency="GTQ",
                fiat_minor=sale.fiat_minor or 0,
                draw_limit_minor=sale.fiat_minor or 0,
                funding_mode=FundingMode.CREDIT,
                source_wallet_id=self.source_wallet,
                commission_wallet_id=self.commission_wallet,
                clients=clients,
            )
        )

    def chunks(self) -> Iterator[dict[str, list[dict[str, Any]]]]:
        """Rows by table, and under `audit` the subjects of what was settled."""
        yield self._opening()
        for start in range(0, self.cash_outs, CHUNK):
            made: dict[str, list[dict[str, Any]]] = {}
            for number in range(start, min(start + CHUNK, self.cash_outs)):
                self._settled(number, made)
            yield made

    def _opening(self) -> dict[str, list[dict[str, Any]]]:
        made: dict[str, list[dict[str, Any]]] = {}
        at = stored_time(self.first_us)
        for name in self.clients:
            deposit = {
                "id": f"deposit-{name}",
                "client_id": name,
                "amount": DEPOSIT_MINOR / 100,
                "currency": "GTQ",
                "status": "confirmed",
                "created_at": at,
                "confirmed_at": at,
                "amount_minor": DEPOSIT_MINOR,
                "effective_us": self.first_us,
                "decided_us": self.first_us,
                "decided_by": "operator",
            }
            made.setdefault("dca_deposits", []).append(deposit)
            for account, sign in (("deposits", -1), (f"client:{name}", 1)):
                entry = settle.Entry(account, "GTQ", sign * DEPOSIT_MINOR, deposit["id"], name)
                self._post(made, "deposit_confirmed", entry, None, self.first_us)
        return made

    def _settled(self, number: int, made: dict[str, list[dict[str, Any]]]) -> None:
        row = self._source_row(number)
        self.rows[str(row["id"])] = row
        plan = self._plan(row)
        now_us = self.first_us + number * STEP_US + 60_000_000
        cash_out = intake.cash_out_row(row, Verdict(CashOutState.PENDING), 0)
        ids = {leg.key: wallet_rows.leg_ids(leg.key, SECRET) for leg in plan.legs()}
        done = settled_rows.cash_out_columns(cash_out, plan, now_us)
        made.setdefault("lamassu_transactions", []).append(
            {**cash_out, **done, "status": "completed", "announced_us": now_us}
        )
        made.setdefault("dca_payments", []).extend(
            settled_rows.share_row(cash_out, plan, share, ids, now_us) for share in plan.shares
        )
        template = wallet_rows._template("sale", now_us)
        for leg in plan.legs():
            made.setdefault("apipayments", []).extend(
                wallet_rows._wallet_rows(template, leg, ids[leg.key])
            )
            made.setdefault("settlement_legs", []).append(
                {
                    "leg_key": leg.key,
                    "cash_out_id": cash_out["id"],
                    "kind": leg.kind.value,
                    "from_wallet_id": leg.from_wallet_id,
                    "to_wallet_id": leg.to_wallet_id,
                    "amount_sats": leg.amount_sats,
                    "payment_hash": ids[leg.key].payment_hash,
                    "checking_id_in": ids[leg.key].checking_id_in,
                    "checking_id_out": ids[leg.key].checking_id_out if leg.from_wallet_id else None,
                    "moved_us": now_us,
                }
            )
        for entry in settle.entries_of(plan):
            if entry.amount:
                self._post(made, "settled", entry, cash_out["id"], now_us)
        made.setdefault("audit", []).append({"id": cash_out["id"], "at_us": now_us})

    def _post(
        self,
        made: dict[str, list[dict[str, Any]]],
        posting: str,
        entry: settle.Entry,
        cash_out_id: str | None,
        now_us: int,
    ) -> None:
        self.seq += 1
        before = self.balances.get((entry.account, entry.unit), (0, 0))[0]
        self.balances[entry.account, entry.unit] = (before + entry.amount, self.seq)
        made.setdefault("ledger_entries", []).append(
            {
                "seq": self.seq,
                "posting": posting,
                **vars(entry),
                "balance_before": before,
                "balance_after": before + entry.amount,
                "cash_out_id": cash_out_id,
                "created_us": now_us,
            }
        )

    def held(self) -> list[dict[str, Any]]:
        """The balances at the end."""
        return [
            {"account": account, "unit": unit, "balance": balance, "last_seq": seq}
            for (account, unit), (balance, seq) in self.balances.items()
        ]


async def build(books: RealBooks) -> dict[str, int]:
    """Write them into empty tables; returns rows a table."""
    counts: dict[str, int] = {}
    for made in books.chunks():
        await settlement(lambda conn, made=made: _write(conn, made))  # type: ignore[misc]
        for table, rows in made.items():
            counts[table] = counts.get(table, 0) + len(rows)
    held = books.held()
    await settlement(lambda conn: conn.insert_rows("satoshimachine.ledger_balances", held))
    return counts


async def _write(conn: BooksConnection, made: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    for table, rows in made.items():
        if table == "audit":
            subjects = [(str(row["id"]), {"plan": "as settled"}) for row in rows]
            at_us = int(rows[-1]["at_us"])
            await audit.record_all(conn, "cash_out_settled", subjects, now_us=at_us)
        else:
            name = table if table == "apipayments" else f"satoshimachine.{table}"
            await conn.insert_rows(name, rows)
