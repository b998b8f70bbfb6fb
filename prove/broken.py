"""Products broken on purpose, to see that the proof of crashes notices."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from satmachineadmin import database, transaction_processor
from satmachineadmin.adapters import notifier, settlement
from satmachineadmin.database import BooksConnection, Row
from satmachineadmin.errors import SourceError
from satmachineadmin.services import observe, readiness, settle

T = TypeVar("T")


def wallets_first() -> None:
    """Wallet rows in a commit of their own, as LNbits itself pays."""
    insert_rows = BooksConnection.insert_rows

    async def and_commit(
        self: BooksConnection, table: str, rows: Sequence[Mapping[str, Any]], on_conflict: str = ""
    ) -> None:
        await insert_rows(self, table, rows, on_conflict)
        if table == "satoshimachine.settlement_legs" and rows[0]["cash_out_id"] != "trial":
            await self.commit()
            await self.begin()

    BooksConnection.insert_rows = and_commit  # type: ignore[method-assign]


def claim_alone() -> None:
    """The claim in a commit of its own: what nobody has, nobody settles."""
    claim = settle.claim

    async def and_commit(conn: BooksConnection, cash_out_id: str) -> Row:
        row = await claim(conn, cash_out_id)
        await conn.commit()
        await conn.begin()
        return row

    settle.claim = and_commit


def cancellable() -> None:
    """Database accesses that a cancelled caller stops half way."""

    async def plain(work: Awaitable[T]) -> T:
        return await work

    for module in (database, notifier, settlement, readiness):
        module.uncancelled = plain  # type: ignore[attr-defined]


def both_layers() -> None:
    """A claim with a commit of its own that a cancelled caller stops half way. Either guard alone
    is enough: one transaction is rolled back, and what is not stopped comes to its end.
    """
    claim_alone()
    cancellable()


def half_an_hour() -> None:
    """An hour of sales noted as read although the connection broke before its last page."""
    read_hour = observe._read_hour

    async def and_forget(*given: Any) -> None:
        try:
            await read_hour(*given)
        except SourceError:
            return

    observe._read_hour = and_forget


def one_tick_for_ever() -> None:
    """A lease that a dead process keeps."""
    transaction_processor._is_dead = lambda _: False


BREAKAGES: dict[str, Callable[[], None]] = {
    call.__name__: call
    for call in (wallets_first, claim_alone, both_layers, half_an_hour, one_tick_for_ever)
}
