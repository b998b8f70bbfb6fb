"""One cash-out by hand: process any Lamassu id, skip one, or see what one would give."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from .. import books, clock, crud
from ..adapters.audit import record
from ..adapters.lamassu_postgres import SourceRow, open_source
from ..adapters.settlement import Rollback, settlement
from ..database import BooksConnection, Row
from ..domain.eligibility import (
    SAT_COINS,
    Stated,
    Verdict,
    classify,
    settle_problem,
)
from ..domain.money import CURRENCY_EXPONENT, minor_from_whole
from ..domain.plan import Plan, make_plan
from ..domain.states import HOLD_REASONS, CashOutState, HoldCode, states_before
from ..errors import BadInput, NotConfigured, NotFound, StateConflict
from ..models import ProcessRequest, StoredConfig
from . import settle
from .alerts import resolve_alerts
from .announce import announce_settled
from .gates import Standing, refuse_if_stopped
from .intake import Intake, cash_out_row, insert_cash_outs, store_rows
from .observe import META_CLOCK
from .pool import books_of, read_plan_input
from .readiness import require_ready
from .source import source_settings

PAID_STATUSES = ("confirmed", "authorized", "instant")

# What a person has to state so that a sale with this problem can be settled at all.
FIELDS_FOR: dict[HoldCode, tuple[str, ...]] = {
    HoldCode.FIAT_ZERO: ("fiat_amount", "fiat_is_wrong"),
    HoldCode.FIAT_FRACTION: ("fiat_amount", "fiat_is_wrong"),
    HoldCode.COMMISSION_MISSING: ("commission_percentage",),
    HoldCode.COMMISSION_NEGATIVE: ("commission_percentage",),
    HoldCode.COMMISSION_OVER_100: ("commission_percentage",),
    HoldCode.DISCOUNT_OUT_OF_RANGE: ("discount",),
}


async def process_by_id(lamassu_id: str, data: ProcessRequest, actor: str) -> dict[str, Any]:
    """Fetch this id from Lamassu now and settle it, whatever its dispense flags say (SAT-64).

    An eligible row needs nothing more; any other needs a reason and what its problem asks for.
    Raises NotConfigured (503), NotFound (404), BadInput (422, naming what is missing), and what
    settling raises. A settled one is answered as `already_processed`.
    """
    config = await crud.get_config()
    if config is None:
        raise NotConfigured("No connection to Lamassu is saved")
    await require_ready()
    known = await books.find_cash_out(lamassu_id)
    if known is not None and known["status"] == CashOutState.COMPLETED.value:
        return await _already(known)
    row = await fetch_sale(config, lamassu_id)
    cash_out_id = await _admit(row, data, actor)
    settled = await settle.settle_cash_out(cash_out_id, by_hand=True, actor=actor)
    await announce_settled()
    cash_out = await books.get_cash_out(cash_out_id)
    done = settled.state is CashOutState.COMPLETED
    if not done:
        # Not what is stored: another tick may have moved it on meanwhile.
        raise StateConflict(
            f"The cash-out was not settled: {HOLD_REASONS[HoldCode.NO_CLIENT_BALANCE]}",
            hint="Confirm a deposit that counted at the time of the sale, then process it again.",
        )
    return _answer(cash_out, row, len(settled.plan.shares) if settled.plan else 0)


async def fetch_sale(config: StoredConfig, lamassu_id: str) -> SourceRow:
    """What Lamassu says about this id now. Raises NotFound or a SourceError."""
    async with open_source(source_settings(config)) as source:
        rows = await source.rows_by_id([lamassu_id])
    if not rows:
        raise NotFound("Lamassu knows no transaction with this id", hint="Check the id.")
    return rows[0]


async def _already(cash_out: Row) -> dict[str, Any]:
    source_row = json.loads(cash_out["source_row"])
    count = await books.count_shares(str(cash_out["id"]))
    answer = _answer(cash_out, source_row, count)
    answer["already_processed"] = True
    answer["message"] = "This cash-out was settled before; nothing was paid again"
    return answer


def _answer(cash_out: Row, row: SourceRow, payment_count: int) -> dict[str, Any]:
    return {
        "success": True,
        "already_processed": False,
        "message": f"{cash_out['confirmed_sats'] or 0} sats went to {payment_count} clients",
        "payment_count": payment_count,
        "transaction_id": str(cash_out["id"]),
        "transaction_details": {
            "transaction_id": cash_out["lamassu_transaction_id"],
            "status": row.get("status"),
            "dispense": row.get("dispense") == "true",
            "dispense_confirmed": row.get("dispense_confirmed") == "true",
            "crypto_amount": cash_out["crypto_atoms"],
            "fiat_amount": row.get("fiat"),
            "fiat_code": cash_out["fiat_code"],
        },
    }


async def _admit(row: SourceRow, data: ProcessRequest, actor: str) -> str:
    """Store the row, then make it pending by what the person stated."""
    intake = Intake(clock_difference_us=int(await crud.get_meta(META_CLOCK) or 0))
    work = admitting(row, data, actor, intake.clock_difference_us)
    await store_rows([row], intake)
    return await settlement(work)


def admitting(
    row: SourceRow, data: ProcessRequest, actor: str, clock_difference_us: int
) -> Callable[[BooksConnection], Awaitable[str]]:
    """Make this sale pending by what the person stated, inside a transaction; its id here.

    Raises BadInput at once for what no statement can make payable.
    """
    _refuse_unpayable(row)
    stated = _stated(row, data)

    async def work(conn: BooksConnection) -> str:
        rule = (await crud.get_settings(conn)).split_rule
        verdict = classify(row, rule)
        by_rules = verdict.state is CashOutState.PENDING and stated is None
        if not by_rules and data.reason is None:
            raise _missing(verdict, ["reason"])
        problem = settle_problem(row, rule, None if by_rules else (stated or Stated()))
        if problem is not None:
            raise _unsettleable(problem)
        known = await conn.row(
            "SELECT * FROM satoshimachine.lamassu_transactions"
            " WHERE lamassu_transaction_id = :id",
            {"id": row["id"]},
        )
        if known is None:
            fresh = cash_out_row(row, Verdict(CashOutState.HELD), clock_difference_us)
            await insert_cash_outs(conn, [{**fresh, "status": CashOutState.WATCHING.value}])
            cash_out_id = str(fresh["id"])
        else:
            cash_out_id = str(known["id"])
            # What was measured when it was seen may have been a broken clock's.
            await conn.execute(
                "UPDATE satoshimachine.lamassu_transactions SET clock_difference_us = :difference"
                f" WHERE id = :id AND status IN ('pending', {states_before('pending')})",
                {"difference": clock_difference_us, "id": cash_out_id},
            )
        await _make_pending(conn, cash_out_id, data, None if by_rules else stated, actor)
        return cash_out_id

    return work


def _refuse_unpayable(row: SourceRow) -> None:
    """What no statement can make payable: sats that are none, or that never came."""
    if row.get("crypto_code") not in SAT_COINS:
        raise BadInput(
            f"This sale is in {row.get('crypto_code')}, whose units are no sats",
            hint="Only BTC and LN sales can be distributed.",
        )
    if row.get("status") not in PAID_STATUSES and row.get("confirmed_at") is None:
        raise BadInput(
            f"Lamassu has not seen this sale paid: its status is {row.get('status')}",
            hint="Wait until the payment is confirmed.",
        )


def _stated(row: SourceRow, data: ProcessRequest) -> Stated | None:
    fiat_minor = None
    if data.fiat_amount is not None:
        currency = row.get("fiat_code") or ""
        if currency not in CURRENCY_EXPONENT:
            raise _unsettleable(HoldCode.CURRENCY_UNKNOWN)
        fiat_minor = minor_from_whole(Fraction(data.fiat_amount), currency)
        if fiat_minor is None:
            raise BadInput(
                f"fiat_amount has more decimals than {currency} has",
                hint="Enter the amount that came out of the machine.",
            )
    if data.fiat_is_wrong and fiat_minor is None:
        raise BadInput("fiat_is_wrong needs fiat_amount", hint="State the right amount.")
    nothing = (data.reason, fiat_minor, data.commission_percentage, data.discount)
    if all(value is None for value in nothing):
        return None
    return Stated(
        fiat_minor=fiat_minor,
        fiat_is_wrong=data.fiat_is_wrong,
        commission_rate=_fraction(data.commission_percentage),
        discount_percent=_fraction(data.discount),
    )


def _fraction(value: Decimal | None) -> Fraction | None:
    return None if value is None else Fraction(value)


def _missing(verdict: Verdict, fields: list[str]) -> BadInput:
    why = HOLD_REASONS[verdict.code] if verdict.code else "you state amounts of your own"
    return BadInput(
        f"This sale does not settle by the rules alone: {why}",
        hint="State a reason, and the amounts where Lamassu's are wrong.",
        missing=fields,
    )


def _unsettleable(problem: HoldCode) -> BadInput:
    fields = FIELDS_FOR.get(problem)
    if fields is None:
        return BadInput(
            f"This sale cannot be settled: {HOLD_REASONS[problem]}",
            hint="Skip it with a reason, and pay by hand if somebody is owed something.",
        )
    return BadInput(
        f"This sale cannot be settled as it is: {HOLD_REASONS[problem]}",
        hint=f"State {' and '.join(fields)}.",
        missing=list(fields),
    )


async def _make_pending(
    conn: BooksConnection,
    cash_out_id: str,
    data: ProcessRequest,
    stated: Stated | None,
    actor: str,
) -> None:
    await refuse_if_stopped(conn, by_hand=True)
    facts = None
    if stated is not None:
        rate, discount = stated.commission_rate, stated.discount_percent
        facts = json.dumps(
            {
                "fiat_minor": stated.fiat_minor,
                "fiat_is_wrong": stated.fiat_is_wrong,
                "commission_rate": str(rate) if rate is not None else None,
                "discount_percent": str(discount) if discount is not None else None,
            }
        )
    before = await _state(conn, cash_out_id)
    hit = await conn.changed(
        "UPDATE satoshimachine.lamassu_transactions SET status = 'pending', hold_code = NULL,"
        " operator_reason = :reason, operator_by = :actor, operator_facts = :facts"
        f" WHERE id = :id AND status IN ('pending', {states_before('pending')})",
        {"reason": data.reason, "actor": actor, "facts": facts, "id": cash_out_id},
    )
    if hit != 1:
        raise StateConflict("This cash-out was settled or skipped meanwhile")
    await record(
        conn,
        "cash_out_processed_by_hand",
        cash_out_id,
        {"reason": data.reason, "stated": json.loads(facts) if facts else None},
        actor=actor,
        now_us=clock.now_us(),
        before=before,
        after={"status": CashOutState.PENDING.value},
    )
    await resolve_alerts(conn, f"held:{cash_out_id}", clock.now_us())


async def _state(conn: BooksConnection, cash_out_id: str) -> Row | None:
    return await conn.row(
        "SELECT status, hold_code FROM satoshimachine.lamassu_transactions WHERE id = :id",
        {"id": cash_out_id},
    )


async def skip(cash_out_id: str, reason: str, actor: str) -> Row:
    """The operator says no: terminal, with a reason. Raises NotFound or StateConflict."""
    await books.get_cash_out(cash_out_id)
    await settlement(skipping(cash_out_id, reason, actor))
    return await books.get_cash_out(cash_out_id)


def skipping(
    cash_out_id: str, reason: str, actor: str
) -> Callable[[BooksConnection], Awaitable[None]]:
    """Skip it inside a transaction."""
    now_us = clock.now_us()

    async def work(conn: BooksConnection) -> None:
        before = await _state(conn, cash_out_id)
        hit = await conn.changed(
            "UPDATE satoshimachine.lamassu_transactions SET status = 'skipped',"
            " operator_reason = :reason, operator_by = :actor, error_message = NULL"
            f" WHERE id = :id AND status IN ({states_before('skipped')})",
            {"reason": reason, "actor": actor, "id": cash_out_id},
        )
        if hit != 1:
            raise StateConflict("This cash-out was settled or skipped before")
        await record(
            conn,
            "cash_out_skipped",
            cash_out_id,
            {"reason": reason},
            actor=actor,
            now_us=now_us,
            before=before,
            after={"status": CashOutState.SKIPPED.value},
        )
        await resolve_alerts(conn, f"held:{cash_out_id}", now_us)

    return work


@dataclass(frozen=True)
class Simulation:
    """A sale that never was. `fiat_amount` None: at the price of the newest settled cash-out."""

    crypto_atoms: int
    commission: Decimal
    discount: Decimal
    fiat_amount: Decimal | None
    ticker_price: Decimal | None
    currency: str


async def simulate(sale: Simulation) -> tuple[Plan, bool]:
    """The split and the plan that such a sale would get now; moves nothing (SAT-65).

    The second value says that no price was known and one whole currency unit was assumed.
    """
    fiat_minor, assumed = await _simulated_fiat(sale)
    moment = (clock.iso(clock.now_us()) or "")[:26]
    row = {
        "id": "simulation",
        "crypto_code": "BTC",
        "crypto_atoms": str(sale.crypto_atoms),
        "fiat_code": sale.currency,
        "fiat": "0",
        "commission_percentage": f"{sale.commission:f}",
        "discount": f"{sale.discount:f}",
        "raw_ticker_price": f"{sale.ticker_price:f}" if sale.ticker_price else None,
        "created": moment,
        "confirmed_at": moment,
    }
    stated = Stated(fiat_minor=fiat_minor, fiat_is_wrong=True)

    async def work(conn: BooksConnection) -> Plan:
        books_now = books_of(Standing(await crud.get_config(conn), await crud.get_settings(conn)))
        problem = settle_problem(row, books_now.settings.split_rule, stated)
        if problem is not None:
            raise BadInput(
                f"Such a sale could not be settled: {HOLD_REASONS[problem]}",
                hint="Give raw_ticker_price." if problem is HoldCode.TICKER_MISSING else "",
            )
        cash_out = cash_out_row(row, Verdict(CashOutState.PENDING), 0)
        raise Rollback(make_plan(await read_plan_input(conn, cash_out, books_now, stated)))

    return await settlement(work), assumed


async def _simulated_fiat(sale: Simulation) -> tuple[int, bool]:
    if sale.fiat_amount is not None:
        exact = minor_from_whole(Fraction(sale.fiat_amount), sale.currency)
        if exact is None:
            raise BadInput(f"fiat_amount has more decimals than {sale.currency} has")
        return exact, False
    price = await books.newest_price(sale.currency)
    if price is None:
        return 10 ** CURRENCY_EXPONENT[sale.currency], True
    return max(1, int(sale.crypto_atoms * price)), False
