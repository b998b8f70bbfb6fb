"""LNbits' wallet rows: what a movement looks like there, and what a wallet can take.

Rows are core's own `Payment` model. Their ids derive from the leg, so that a replay meets its own
rows; they begin with `internal_`, so that nothing in LNbits asks a lightning node about them.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from lnbits.core.models import Payment
from lnbits.db import model_to_dict
from lnbits.settings import settings

from ..database import BooksConnection
from ..domain.money import MSAT_PER_SAT
from ..domain.plan import Leg
from ..errors import WalletRowCollision

TAG = "satmachineadmin"
ID_PREFIX = "internal_satm_"
PLAIN_WALLET = "lightning"
# LNbits shows a memo in one line of a list.
MEMO_MAX = 120
# Paid at once, so it means nothing; but LNbits' page shows a payment without one as of 1970.
EXPIRY_S = 3_600


@dataclass(frozen=True)
class LegIds:
    """What a leg is called in the wallets. The preimage proves the payment hash to the client."""

    checking_id_in: str
    checking_id_out: str
    preimage: str
    payment_hash: str


def leg_ids(leg_key: str, secret: bytes) -> LegIds:
    """The ids of a leg: the same for ever for the same key and this installation's secret.

    The checking ids need no secret: they can be looked for after the secret was lost.
    """
    name = hashlib.sha256(leg_key.encode()).hexdigest()[:48]
    preimage = hmac.new(secret, leg_key.encode(), hashlib.sha256).digest()
    return LegIds(
        f"{ID_PREFIX}{name}_in",
        f"{ID_PREFIX}{name}_out",
        preimage.hex(),
        hashlib.sha256(preimage).hexdigest(),
    )


async def wallet_problems(
    conn: BooksConnection, wallet_ids: Iterable[str]
) -> dict[str, str | None]:
    """Per wallet: None when it can be used, or why it cannot."""
    wanted = sorted(set(wallet_ids))
    found = await conn.rows_in(
        "SELECT id, wallet_type, deleted FROM wallets WHERE id IN ({marks})", wanted
    )
    problems: dict[str, str | None] = dict.fromkeys(wanted, "the wallet does not exist")
    for row in found:
        if row["deleted"]:
            problems[row["id"]] = "the wallet was deleted"
        elif row["wallet_type"] != PLAIN_WALLET:
            problems[row["id"]] = "the wallet is shared, not a plain lightning wallet"
        else:
            problems[row["id"]] = None
    return problems


async def balances_msat(conn: BooksConnection, wallet_ids: Sequence[str]) -> dict[str, int]:
    """Balances as LNbits' own view computes them, read inside this transaction."""
    found = await conn.rows_in(
        "SELECT wallet_id, SUM(amount - ABS(fee)) AS msat FROM apipayments"
        " WHERE wallet_id IN ({marks}) AND ((status = 'success' AND amount > 0)"
        " OR (status IN ('success', 'pending') AND amount < 0)) GROUP BY wallet_id",
        wallet_ids,
    )
    balances = {row["wallet_id"]: int(row["msat"]) for row in found}
    return {wallet_id: balances.get(wallet_id, 0) for wallet_id in wallet_ids}


async def rooms_sats(conn: BooksConnection, wallet_ids: Sequence[str]) -> dict[str, int | None]:
    """The most each wallet may receive in one payment under LNbits' limits; None = no limit."""
    most = min(
        settings.lnbits_max_incoming_payment_amount_sats,
        settings.lnbits_max_outgoing_payment_amount_sats,
    )
    ceiling = settings.lnbits_wallet_limit_max_balance
    if ceiling <= 0:
        return dict.fromkeys(wallet_ids, most)
    balances = await balances_msat(conn, wallet_ids)
    return {
        wallet_id: max(0, min(most, ceiling - balances[wallet_id] // MSAT_PER_SAT))
        for wallet_id in wallet_ids
    }


def outgoing_blocked() -> bool:
    """LNbits is in incoming-only mode: nobody pays anybody."""
    return bool(settings.lnbits_only_allow_incoming_payments)


async def refuse_collisions(conn: BooksConnection, ids: Iterable[LegIds]) -> None:
    """Raise WalletRowCollision (HALT) if any wallet already holds one of these rows.

    Core's constraint is only (wallet, checking id): a client whose wallet changed between a lost
    ledger and now would be paid again.
    """
    wanted = [x for leg in ids for x in (leg.checking_id_in, leg.checking_id_out)]
    found = await conn.rows_in(
        "SELECT checking_id, wallet_id FROM apipayments WHERE checking_id IN ({marks})", wanted
    )
    if found:
        raise WalletRowCollision(
            f"{len(found)} wallet rows of this cash-out exist although the ledger has none",
            checking_id=str(found[0]["checking_id"]),
        )


async def write_legs(
    conn: BooksConnection,
    legs: Sequence[Leg],
    *,
    cash_out_id: str,
    secret: bytes,
    memo: str,
    now_us: int,
) -> dict[str, LegIds]:
    """Write the wallet rows of these legs and the legs themselves; returns leg key -> ids.

    Nothing is committed here. Raises WalletRowCollision when a row is already there.
    """
    ids = await _write_rows(conn, legs, secret, memo, now_us)
    await conn.insert_rows(
        "satoshimachine.settlement_legs",
        [
            {"cash_out_id": cash_out_id, "kind": leg.kind.value, **_leg_row(leg, ids, now_us)}
            for leg in legs
        ],
    )
    return ids


async def write_correction_legs(
    conn: BooksConnection,
    legs: Sequence[tuple[str, Leg]],
    *,
    kind: str,
    secret: bytes,
    memo: str,
    now_us: int,
) -> None:
    """The same for movements of corrections, each with its correction's id. Raises as above."""
    ids = await _write_rows(conn, [leg for _, leg in legs], secret, memo, now_us)
    await conn.insert_rows(
        "satoshimachine.correction_legs",
        [
            {"correction_id": correction_id, "kind": kind, **_leg_row(leg, ids, now_us)}
            for correction_id, leg in legs
        ],
    )


async def _write_rows(
    conn: BooksConnection, legs: Sequence[Leg], secret: bytes, memo: str, now_us: int
) -> dict[str, LegIds]:
    ids = {leg.key: leg_ids(leg.key, secret) for leg in legs}
    await refuse_collisions(conn, ids.values())
    rows: list[dict[str, Any]] = []
    template = _template(memo, now_us)
    for leg in legs:
        rows += _wallet_rows(template, leg, ids[leg.key])
    await conn.insert_rows("apipayments", rows)
    return ids


def _leg_row(leg: Leg, ids: Mapping[str, LegIds], now_us: int) -> dict[str, Any]:
    return {
        "leg_key": leg.key,
        "from_wallet_id": leg.from_wallet_id,
        "to_wallet_id": leg.to_wallet_id,
        "amount_sats": leg.amount_sats,
        "payment_hash": ids[leg.key].payment_hash,
        "checking_id_in": ids[leg.key].checking_id_in,
        "checking_id_out": ids[leg.key].checking_id_out if leg.from_wallet_id else None,
        "moved_us": now_us,
    }


def rows_of(leg: Leg, secret: bytes, memo: str, moved_us: int) -> list[dict[str, Any]]:
    """The wallet rows of a movement as they are written, for whoever puts one back."""
    return _wallet_rows(_template(memo, moved_us), leg, leg_ids(leg.key, secret))


def _template(memo: str, now_us: int) -> Mapping[str, Any]:
    """One `Payment` of core's, turned into columns by core: every row of ours is a copy of it."""
    moment = datetime.fromtimestamp(now_us // 1_000_000, timezone.utc)
    payment = Payment(
        checking_id="",
        payment_hash="",
        wallet_id="",
        amount=0,
        fee=0,
        bolt11="",
        status="success",
        memo=memo[:MEMO_MAX],
        preimage="",
        expiry=moment + timedelta(seconds=EXPIRY_S),
        tag=TAG,
        extension=TAG,
        time=moment,
        created_at=moment,
        updated_at=moment,
        extra={"tag": TAG},
        external_id=None,
    )
    columns: dict[str, Any] = model_to_dict(payment)
    return columns


def _wallet_rows(template: Mapping[str, Any], leg: Leg, ids: LegIds) -> list[dict[str, Any]]:
    amount_msat = leg.amount_sats * MSAT_PER_SAT
    common = {
        **template,
        "payment_hash": ids.payment_hash,
        "preimage": ids.preimage,
        "external_id": f"satm:{leg.key}",
    }
    incoming = {
        **common,
        "checking_id": ids.checking_id_in,
        "wallet_id": leg.to_wallet_id,
        "amount": amount_msat,
    }
    if leg.from_wallet_id is None:
        return [incoming]
    outgoing = {
        **common,
        "checking_id": ids.checking_id_out,
        "wallet_id": leg.from_wallet_id,
        "amount": -amount_msat,
    }
    return [outgoing, incoming]
