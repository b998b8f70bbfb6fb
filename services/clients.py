"""Clients: LNbits users who buy bitcoin with the cash they deposit."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from lnbits.core.crud import get_account
from lnbits.core.crud.wallets import get_standalone_wallet
from lnbits.helpers import urlsafe_short_hash

from .. import books, clock
from ..adapters.audit import record
from ..adapters.ledger import client_account
from ..adapters.settlement import settlement
from ..database import BooksConnection, Row, stored_time
from ..domain.money import decimal_text
from ..errors import BadInput, NotFound, StateConflict
from ..models import CreateClient, UpdateClient


async def create_client(data: CreateClient, actor: str) -> Row:
    """Add a client. Raises BadInput (unknown user or wallet) or StateConflict (is one already)."""
    if await get_account(data.user_id) is None:
        raise BadInput("There is no such LNbits user", hint="Choose an existing user.")
    await _refuse_bad_wallet(data.wallet_id, data.user_id)
    client_id, now_us = urlsafe_short_hash(), clock.now_us()

    async def work(conn: BooksConnection) -> None:
        known = await conn.row(
            "SELECT id FROM satoshimachine.dca_clients WHERE user_id = :user",
            {"user": data.user_id},
        )
        if known is not None:
            raise StateConflict("This user is a client already", hint="Edit that client instead.")
        row = {
            "id": client_id,
            "user_id": data.user_id,
            "wallet_id": data.wallet_id,
            "username": data.username,
            "dca_mode": data.dca_mode.value,
            "fixed_mode_daily_limit": _limit(data.fixed_mode_daily_limit),
            "status": "active",
            "created_at": stored_time(now_us),
            "updated_at": stored_time(now_us),
        }
        await conn.insert_rows("satoshimachine.dca_clients", [row])
        await record(conn, "client_created", client_id, {}, actor=actor, now_us=now_us, after=row)

    await settlement(work)
    return await books.get_client(client_id)


async def update_client(client_id: str, data: UpdateClient, actor: str) -> Row:
    """Change a client. Raises NotFound or BadInput."""
    client = await books.get_client(client_id)
    given = data.dict(exclude_unset=True)
    if given.get("wallet_id"):
        await _refuse_bad_wallet(given["wallet_id"], client["user_id"])
    changes: dict[str, Any] = {
        name: getattr(value, "value", value)
        for name, value in given.items()
        if value is not None or name in ("username", "fixed_mode_daily_limit")
    }
    if "fixed_mode_daily_limit" in changes:
        changes["fixed_mode_daily_limit"] = _limit(data.fixed_mode_daily_limit)
    if not changes:
        return client
    now_us = clock.now_us()
    names = ", ".join(f"{name} = :{name}" for name in changes)

    async def work(conn: BooksConnection) -> None:
        hit = await conn.changed(
            f"UPDATE satoshimachine.dca_clients SET {names}, updated_at = :now WHERE id = :id",
            {**changes, "now": stored_time(now_us), "id": client_id},
        )
        if hit != 1:
            raise NotFound("There is no such client")
        await record(
            conn,
            "client_updated",
            client_id,
            {},
            actor=actor,
            now_us=now_us,
            before={name: client[name] for name in changes},
            after=changes,
        )

    await settlement(work)
    return await books.get_client(client_id)


async def remaining_of(client_ids: Sequence[str]) -> dict[str, list[Row]]:
    """Client -> what remains per currency, for at most a page of clients."""
    accounts = {client_id: client_account(client_id) for client_id in client_ids}
    balances = await books.balances_of(list(accounts.values()))
    return {client_id: balances[account] for client_id, account in accounts.items()}


async def client_balances(client_id: str) -> list[dict[str, Any]]:
    """Per currency what was deposited, charged and remains, from the ledger. Raises NotFound."""
    await books.get_client(client_id)
    return (await balances_of([client_id]))[client_id]


async def balances_of(client_ids: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """The same of at most a page of clients that are there."""
    accounts = {client_account(client_id): client_id for client_id in client_ids}
    answers: dict[str, list[dict[str, Any]]] = {client_id: [] for client_id in client_ids}
    for row in await books.ledger_sums(list(accounts)) if accounts else ():
        currency = str(row["unit"])
        deposited, balance = int(row["credited"]), int(row["balance"])
        adjusted = int(row["adjusted"])
        charged = deposited + adjusted - balance
        answers[accounts[row["account"]]].append(
            {
                "currency": currency,
                "total_deposits_minor": deposited,
                "adjusted_minor": adjusted,
                "total_payments_minor": charged,
                "remaining_minor": balance,
                "total_deposits": decimal_text(deposited, currency),
                "adjusted": decimal_text(adjusted, currency),
                "total_payments": decimal_text(charged, currency),
                "remaining_balance": decimal_text(balance, currency),
            }
        )
    return answers


async def _refuse_bad_wallet(wallet_id: str, user_id: str) -> None:
    wallet = await get_standalone_wallet(wallet_id, deleted=False)
    if wallet is None or wallet.user != user_id:
        raise BadInput("This user has no such wallet", hint="Choose one of the user's own wallets.")
    if not wallet.is_lightning_wallet:
        raise BadInput(
            "A shared wallet cannot receive shares",
            hint="Choose a plain lightning wallet of the user.",
        )


def _limit(value: Decimal | None) -> float | None:
    """Whole units, as the companion's column holds them."""
    return None if value is None else float(value)
