"""What the watch reads: few small queries, each by an index and with a limit."""

from __future__ import annotations

from typing import Any

from .. import clock, crud
from ..adapters.wallet_rows import wallet_problems
from ..database import BooksConnection, glance, own
from ..domain.conditions import Facts, WalletFact, WrongCommission
from ..listing import stored_us
from ..models import StoredConfig
from .funds import read_funds
from .gates import gate_states
from .observe import META_LAST_SUCCESS
from .reports_sections import last_splits
from .runbook_people import review_from_us

MOST = 1_000  # of what waits: beyond it the number no longer matters
SLOW_EVERY_US = 300 * 1_000_000  # what adds up a wallet's payments or recalculates


class _Slow:
    """What is read every few minutes only."""

    at_us = 0
    funds: dict[str, Any] | None = None
    wrong: tuple[WrongCommission, ...] = ()


def forget() -> None:
    """Read all of it at the next pass."""
    _Slow.at_us = 0


async def read_facts() -> Facts:
    """All facts of one pass."""
    now_us = clock.now_us()
    config, settings = await crud.get_config(), await crud.get_settings()
    stopped = any(not state.get("accepted") for state in (await gate_states()).values())
    await _read_slow(now_us, config)
    source = (_Slow.funds or {}).get("source") or {}
    waiting, deposits, findings = await own(_books)
    return Facts(
        now_us=now_us,
        working=config is not None and config.polling_enabled and not stopped,
        on_since_us=config.updated_us if config else 0,
        poll_interval_s=settings.poll_interval_s,
        last_success_us=await crud.get_meta(META_LAST_SUCCESS),
        waiting_us=waiting,
        wallets=await _wallets(config),
        source_balance_sats=source.get("balance_sats"),
        runway_days=source.get("runway_days"),
        deposits_us=deposits,
        wrong_commissions=_Slow.wrong,
        review_from_us=await review_from_us(),
        findings_sats=findings[0],
        findings_of_more=findings[1],
    )


async def _read_slow(now_us: int, config: StoredConfig | None) -> None:
    if 0 <= now_us - _Slow.at_us < SLOW_EVERY_US:
        return
    _Slow.funds = await read_funds() if config else None
    _Slow.wrong = tuple(
        WrongCommission(one.id, one.lamassu_transaction_id, abs(off))
        for one in await last_splits()
        if one.expected_commission_sats is not None
        and (off := one.commission_sats - one.expected_commission_sats)
    )
    _Slow.at_us = now_us


async def _wallets(config: StoredConfig | None) -> tuple[WalletFact, ...]:
    chosen = {
        "source": config.source_wallet_id if config else None,
        "commission": config.commission_wallet_id if config else None,
    }
    ids = [wallet_id for wallet_id in chosen.values() if wallet_id]
    problems = await glance(lambda conn: wallet_problems(conn, ids)) if ids else {}
    return tuple(
        WalletFact(role, problems[wallet_id]) for role, wallet_id in chosen.items() if wallet_id
    )


Books = tuple[tuple[int, ...], tuple[int, ...], tuple[int, int]]


async def _books(conn: BooksConnection) -> Books:
    pending = await conn.rows(
        "SELECT observed_us AS us FROM satoshimachine.lamassu_transactions"
        f" WHERE status = 'pending' LIMIT {MOST}"
    )
    failed = await conn.rows(
        "SELECT t.processed_us AS us FROM (SELECT cash_out_id FROM satoshimachine.dca_payments"
        f" WHERE status = 'failed' AND origin = 'observed' LIMIT {MOST}) p"
        " JOIN satoshimachine.lamassu_transactions t ON t.id = p.cash_out_id"
    )
    deposits = await conn.rows(
        "SELECT created_at FROM satoshimachine.dca_deposits WHERE status = 'pending'"
        f" ORDER BY created_at LIMIT {MOST}"
    )
    findings = await conn.row(
        "SELECT COALESCE(SUM(ABS(difference_sats)), 0) AS sats,"
        " COUNT(CASE WHEN difference_sats IS NULL THEN 1 END) AS others FROM (SELECT"
        f" difference_sats FROM satoshimachine.findings WHERE status = 'open' LIMIT {MOST}) f"
    )
    waiting = sorted(int(row["us"]) for row in [*pending, *failed] if row["us"] is not None)
    made = [stored_us(row["created_at"]) for row in deposits]
    sums = (int(findings["sats"]), int(findings["others"])) if findings else (0, 0)
    return tuple(waiting), tuple(us for us in made if us is not None), sums
