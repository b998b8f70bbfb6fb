"""Corrections that move sats to clients: a missing share, compensation, a failed share elsewhere.

The sats come out of what the ledger says is the operator's or the commission's, and out of the
wallet where they lie; what a source wallet owes to others stays in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .. import clock, crud
from ..adapters import ledger, wallet_rows
from ..adapters.ledger import Entry
from ..database import BooksConnection, Row
from ..domain.corrections import SatsOf, correction_leg_key
from ..domain.money import MSAT_PER_SAT, decimal_text
from ..domain.plan import WALLET_FULL, Leg, LegKind
from ..domain.states import CommissionState
from ..errors import (
    BadInput,
    FundingShort,
    FundingUnusable,
    NotConfigured,
    OutgoingBlocked,
    StateConflict,
    StillFailed,
)
from . import effects, retry
from .correct_claims import balance, minor_of
from .correct_rows import put_share_back
from .corrections import Correction, client_row, need, settled_cash_out, write
from .effects import Effect
from .pool import open_liabilities_sats
from .secret import installation_secret

ACCOUNTS = {SatsOf.OPERATOR: ledger.OPERATOR, SatsOf.COMMISSION: ledger.COMMISSION}
MEMOS = {"pay_missing": "Bitcoin ATM sale, missing share", "compensate": "Compensation"}


@dataclass(frozen=True)
class Given:
    """What one client is given, and the fiat that is charged for it."""

    row_id: str
    client: Row
    sats: int
    currency: str | None = None
    fiat_minor: int = 0


async def pay_missing(conn: BooksConnection, one: Correction) -> Effect:
    """A share that a client should have had of a settled cash-out.

    Where the plan has it and its movement happened, only our row is missing: it is put back and
    nothing moves. Else the client is paid, and charged the fiat that is named.
    """
    client = await client_row(conn, need(one.request.client_id, "client_id"))
    cash_out = await settled_cash_out(conn, need(one.request.cash_out_id, "cash_out_id"))
    restored = await put_share_back(conn, one, client, cash_out)
    if restored is not None:
        return restored
    currency = str(cash_out["fiat_code"])
    fiat = minor_of(one.request.amount, currency) if one.request.amount is not None else 0
    if fiat < 0:
        raise BadInput("A share cannot give fiat back", hint="Adjust the balance instead.")
    given = Given(one.id, client, need(one.request.sats, "sats"), currency, fiat)
    return await _pay(conn, one, [given], cash_out)


async def compensate(conn: BooksConnection, one: Correction) -> Effect:
    """Sats to one or many clients who are charged nothing for it: all of them or none."""
    cash_out_id = one.request.cash_out_id
    cash_out = await settled_cash_out(conn, cash_out_id) if cash_out_id else None
    if one.request.clients is None:
        client = await client_row(conn, need(one.request.client_id, "client_id"))
        return await _pay(
            conn, one, [Given(one.id, client, need(one.request.sats, "sats"))], cash_out
        )
    given = [
        Given(f"{one.id}-{number}", await client_row(conn, each.client_id), each.sats)
        for number, each in enumerate(
            sorted(one.request.clients, key=lambda each: each.client_id), start=1
        )
    ]
    effect = await _pay(conn, one, given, cash_out)
    total = sum(each.sats for each in given)
    facts = {"clients": len(given), "sats": total}
    await write(conn, one, before={}, after=facts, sats=total)
    return effect


async def _pay(
    conn: BooksConnection, one: Correction, given: Sequence[Given], cash_out: Row | None
) -> Effect:
    now_us = clock.now_us()
    sats_of = one.request.account or SatsOf.OPERATOR
    source = await _wallet_of(conn, sats_of, cash_out)
    total = sum(each.sats for each in given)
    account, held = ACCOUNTS[sats_of], await balance(conn, ACCOUNTS[sats_of], ledger.SAT)
    if held < total:
        raise FundingShort(
            f"{held} sats are the {sats_of.value}'s by the ledger, and {total} are asked for",
            hint="Take less, or take it from the other account.",
        )
    legs = [(each.row_id, _leg(each, source, cash_out)) for each in given]
    await _refuse_undeliverable(conn, source, [leg for _, leg in legs], total)
    await wallet_rows.write_correction_legs(
        conn,
        legs,
        kind=one.kind.value,
        secret=await installation_secret(conn),
        memo=MEMOS[one.kind.value],
        now_us=now_us,
    )
    effect = Effect(done=True, legs=[effects.show_leg(leg) for _, leg in legs])
    effect.change(f"account_{sats_of.value}", held, held - total)
    for each in given:
        await _book(conn, one, each, account, cash_out, effect, now_us)
    if cash_out is not None:
        effect.cash_outs.append(effects.show_row(cash_out, effects.OTHER))
    return effect


async def _book(
    conn: BooksConnection,
    one: Correction,
    each: Given,
    account: str,
    cash_out: Row | None,
    effect: Effect,
    now_us: int,
) -> None:
    """Postings and row of one client's part."""
    client_id = str(each.client["id"])
    paid = ledger.paid_account(client_id)
    entries = [
        Entry(account, ledger.SAT, -each.sats, each.row_id, client_id),
        Entry(paid, ledger.SAT, each.sats, each.row_id, client_id),
    ]
    before: dict[str, Any] = {"paid_sats": await balance(conn, paid, ledger.SAT)}
    after: dict[str, Any] = {"paid_sats": before["paid_sats"] + each.sats}
    effect.change("paid", before["paid_sats"], after["paid_sats"], client_id=client_id)
    if each.fiat_minor and each.currency:
        held = ledger.client_account(client_id)
        left = await balance(conn, held, each.currency)
        if left < each.fiat_minor:
            raise StateConflict(
                f"The client has {decimal_text(left, each.currency)} {each.currency} left",
                hint="Charge at most that; the rest can be given without a charge.",
            )
        entries += [
            Entry(held, each.currency, -each.fiat_minor, each.row_id, client_id),
            Entry(ledger.DISPENSED, each.currency, each.fiat_minor, each.row_id, client_id),
        ]
        texts = [decimal_text(x, each.currency) for x in (left, left - each.fiat_minor)]
        before["balance"], after["balance"] = texts
        effect.change("balance", *texts, unit=each.currency, client_id=client_id)
    await ledger.post(conn, one.kind.value, entries, now_us=now_us)
    await write(
        conn,
        one,
        row_id=each.row_id,
        before=before,
        after=after,
        client_id=client_id,
        cash_out_id=cash_out["id"] if cash_out else None,
        account=account,
        sats=each.sats,
        currency=each.currency if each.fiat_minor else None,
        amount_minor=-each.fiat_minor if each.fiat_minor else None,
    )


async def _wallet_of(conn: BooksConnection, sats_of: SatsOf, cash_out: Row | None) -> str:
    """Where these sats lie."""
    config = await crud.get_config(conn)
    source: str | None = config.source_wallet_id if config else None
    if cash_out is not None:
        source = cash_out["source_wallet_id"]
    wallet = source
    if sats_of is SatsOf.COMMISSION:
        if cash_out is None:
            wallet = (config.commission_wallet_id if config else None) or source
        elif cash_out["commission_status"] == CommissionState.PAID.value:
            wallet = cash_out["commission_wallet_id"]
    if not wallet:
        raise NotConfigured("No source wallet is set")
    return wallet


def _leg(each: Given, source: str, cash_out: Row | None) -> Leg:
    client_id, target = str(each.client["id"]), str(each.client["wallet_id"])
    if target == source:
        raise BadInput(
            "The client's wallet is the wallet the sats come from", hint="Choose another wallet."
        )
    about = str(cash_out["lamassu_transaction_id"]) if cash_out else client_id
    key = correction_leg_key(about, each.row_id)
    return Leg(key, LegKind.CORRECTION, source, target, each.sats, client_id)


async def _refuse_undeliverable(
    conn: BooksConnection, source: str, legs: Sequence[Leg], total: int
) -> None:
    """Every wallet is asked once, whatever the number of clients."""
    if wallet_rows.outgoing_blocked():
        raise OutgoingBlocked("LNbits is in incoming-only mode")
    targets = sorted({leg.to_wallet_id for leg in legs})
    problems = await wallet_rows.wallet_problems(conn, [source, *targets])
    if problems[source]:
        raise FundingUnusable(f"The wallet the sats lie in cannot be used: {problems[source]}")
    held = (await wallet_rows.balances_msat(conn, [source]))[source] // MSAT_PER_SAT
    owed = await open_liabilities_sats(conn, source)
    if held < total + owed:
        raise FundingShort(
            f"The wallet holds {held} sats; {total} are asked for and {owed} belong to others",
            hint="Fund the wallet first.",
        )
    rooms = await wallet_rows.rooms_sats(conn, targets)
    for leg in legs:
        problem, room = problems[leg.to_wallet_id], rooms[leg.to_wallet_id]
        if problem is None and room is not None and leg.amount_sats > room:
            problem = WALLET_FULL
        if problem:
            raise StillFailed(f"Client {leg.client_id} cannot be paid: {problem}")
        rooms[leg.to_wallet_id] = None if room is None else room - leg.amount_sats


async def settle_to_wallet(conn: BooksConnection, one: Correction) -> Effect:
    """A failed share to a wallet that a person names."""
    share_id = need(one.request.share_id, "share_id")
    wallet_id = need(one.request.wallet_id, "wallet_id")
    before = await retry.failed_share(conn, share_id)
    outcome = await retry.retrying_share(
        share_id, by_hand=True, actor=one.actor, to_wallet_id=wallet_id
    )(conn)
    effect = Effect(done=not isinstance(outcome, str))
    share = before if isinstance(outcome, str) else outcome
    cash_out = await settled_cash_out(conn, str(share["cash_out_id"]))
    shown = effects.show_share(share)
    if isinstance(outcome, str):
        shown["problem"] = outcome
        effect.remark("still_failed", f"It cannot be delivered there: {outcome}", why=outcome)
    else:
        leg = await retry.moved_leg(conn, str(share["leg_key"]))
        effect.legs.append(effects.show_leg(leg))
        await write(
            conn,
            one,
            before={"status": before["status"], "wallet_id": before["wallet_id"]},
            after={"status": share["status"], "wallet_id": wallet_id},
            client_id=share["client_id"],
            cash_out_id=share["cash_out_id"],
            share_id=share_id,
            sats=int(share["amount_sats"]),
        )
    effect.cash_outs.append(effects.show_row(cash_out, effects.OTHER, shares=[shown]))
    return effect


async def cancel_share(conn: BooksConnection, one: Correction) -> Effect:
    """A failed share given up: the client's fiat comes back, its sats are the operator's."""
    share_id, note = need(one.request.share_id, "share_id"), need(one.request.note, "note")
    before = await retry.failed_share(conn, share_id)
    client_id, currency = str(before["client_id"]), str(before["currency"])
    accounts = (
        ("balance", ledger.client_account(client_id), currency),
        ("account_operator", ledger.OPERATOR, ledger.SAT),
    )
    was = [await balance(conn, account, unit) for _, account, unit in accounts]
    share = await retry.cancelling_share(share_id, note, one.actor)(conn)
    cash_out = await settled_cash_out(conn, str(share["cash_out_id"]))
    effect = Effect(done=True)
    for (code, account, unit), old in zip(accounts, was, strict=True):
        new = await balance(conn, account, unit)
        fiat = unit != ledger.SAT
        effect.change(
            code,
            decimal_text(old, unit) if fiat else old,
            decimal_text(new, unit) if fiat else new,
            unit=unit,
            client_id=client_id if fiat else None,
        )
    await write(
        conn,
        one,
        before={"status": before["status"]},
        after={"status": share["status"], "sats_stay_in": cash_out["source_wallet_id"]},
        client_id=client_id,
        cash_out_id=share["cash_out_id"],
        share_id=share_id,
        sats=int(share["amount_sats"]),
        currency=currency,
        amount_minor=int(share["fiat_minor"]),
    )
    effect.remark(
        "sats_stay",
        "Its sats stay in the source wallet, as the operator's.",
        wallet_id=cash_out["source_wallet_id"],
    )
    shown = effects.show_share(share)
    effect.cash_outs.append(effects.show_row(cash_out, effects.OTHER, shares=[shown]))
    return effect
