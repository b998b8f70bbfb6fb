"""The tables of `ext_satoshimachine`, with the invariants they keep (design.md 6).

Every statement can run again: LNbits re-runs a migration that stopped half way from its top
(lnbits.md 2). Numbers start at m010: an earlier extension of the same id may have counted to m004.
Nothing is inserted, and there is no generated column, SERIAL or partial index: LNbits' conversion.
"""

from collections.abc import Iterable
from types import ModuleType

from lnbits.db import SQLITE, Connection

from . import (
    tables_corrections,
    tables_health,
    tables_operations,
    tables_previews,
    tables_reconciliation,
    tables_reports,
    tables_runbook,
    tables_watch,
)
from .append_only import refuse_changes
from .indexes import AUDIT_INDEXES, INDEXES, PAGE_INDEXES
from .legacy import add_columns, copy_old_rows, set_old_tables_aside

SCHEMA_VERSION = 25  # the number of the last migration below; readiness compares it

APPEND_ONLY = ("ledger_entries", "audit_log", "settlement_legs")


async def m010_set_old_tables_aside(db: Connection) -> None:
    """Rename tables of the earlier extension's shape; refuse shapes nobody knows, untouched."""
    await set_old_tables_aside(db)


async def m011_books(db: Connection) -> None:
    """Clients, deposits, cash-outs, shares, legs, ledger. `*_us` are epoch microseconds."""
    for statement in BOOKS:
        await db.execute(statement.format(now=db.timestamp_now))


async def m012_operations(db: Connection) -> None:
    """Connection, settings, polls, what the source looked like, leases, alerts, audit."""
    for statement in tables_operations.OPERATIONS:
        await db.execute(statement)


async def m013_indexes_and_triggers(db: Connection) -> None:
    """Every list and every tick query has an index; append-only tables refuse changes."""
    await _create_indexes(db, INDEXES)
    await refuse_changes(db, APPEND_ONLY)


async def m014_take_over_old_rows(db: Connection) -> None:
    """Copy what an earlier extension left into the new tables, every old row kept as JSON too."""
    await copy_old_rows(db)


async def m015_indexes_of_the_page(db: Connection) -> None:
    """Lists, filters and sums of the page over 100,000 cash-outs without reading them all."""
    await _create_indexes(db, PAGE_INDEXES)


async def m017_previews(db: Connection) -> None:
    """What a person was shown before money moves, and what came of it (services/preview.py)."""
    await _make(db, tables_previews)


async def m018_audit_chain(db: Connection) -> None:
    """Entries of the audit trail say from where, before and after, and cover the one before."""
    await add_columns(db, "audit_log", tables_corrections.AUDIT_COLUMNS)
    await _create_indexes(db, AUDIT_INDEXES)


async def m019_reconciliation(db: Connection) -> None:
    """Runs, what they found, and the life of each finding (services/reconcile.py)."""
    await _make(db, tables_reconciliation)


async def m020_corrections(db: Connection) -> None:
    """What a person put right: entries, movements, what clients owe (services/corrections.py)."""
    await add_columns(db, "dca_payments", tables_corrections.SHARE_COLUMNS)
    await _make(db, tables_corrections)


async def m021_snapshots(db: Connection) -> None:
    """What every account held at the end of each day (services/snapshots.py)."""
    await _make(db, tables_reports)
    await db.execute(tables_reports.DROP_REPLACED_INDEX)


async def m022_watch(db: Connection) -> None:
    """Alerts that are acknowledged and told, and to whom (services/watch.py)."""
    await add_columns(db, "alerts", tables_watch.ALERT_COLUMNS)
    await _make(db, tables_watch)
    await db.execute(tables_watch.FREE_KEYS)


async def m023_health(db: Connection) -> None:
    """What each check said and since when, what is stopped, the weekly reports."""
    await add_columns(db, "lamassu_transactions", tables_health.CASH_OUT_COLUMNS)
    await _make(db, tables_health)


async def m024_runbook(db: Connection) -> None:
    """Incidents and what was done in each; whom to call, the runbook's changes and sign-offs."""
    await _make(db, tables_runbook)


async def m025_alerts_said(db: Connection) -> None:
    """What an alert says by its code, beside its English sentence (domain/alert_said.py)."""
    await add_columns(db, "alerts", tables_watch.SAID_COLUMNS)


async def _make(db: Connection, tables: ModuleType) -> None:
    """The tables of a file, their indexes, and the guards of those that are append-only."""
    for statement in tables.TABLES:
        await db.execute(statement)
    await _create_indexes(db, tables.INDEXES)
    await refuse_changes(db, tables.APPEND_ONLY)


async def _create_indexes(db: Connection, indexes: Iterable[tuple[str, str, str]]) -> None:
    for name, table, columns in indexes:
        schemas = ("satoshimachine.", "") if db.type == SQLITE else ("", "satoshimachine.")
        on = f"{schemas[0]}{name} ON {schemas[1]}{table}"
        await db.execute(f"CREATE INDEX IF NOT EXISTS {on} ({columns})")


BOOKS = (
    # The companion extension inserts the first nine columns itself and may write any mode or a
    # negative limit, hence no CHECK here: such a client is paused (domain/pool.py).
    """
    CREATE TABLE IF NOT EXISTS satoshimachine.dca_clients (
        id TEXT PRIMARY KEY NOT NULL,
        user_id TEXT NOT NULL,
        wallet_id TEXT NOT NULL,            -- where their shares go, now and at a retry
        username TEXT,
        dca_mode TEXT NOT NULL DEFAULT 'flow',
        fixed_mode_daily_limit DOUBLE PRECISION, -- whole currency units, NULL = paused if fixed
        status TEXT NOT NULL DEFAULT 'active',
        created_at TIMESTAMP NOT NULL DEFAULT {now},
        updated_at TIMESTAMP NOT NULL DEFAULT {now}
    )
    """,
    # amount is what the companion shows; amount_minor is the money. Both in one statement.
    """
    CREATE TABLE IF NOT EXISTS satoshimachine.dca_deposits (
        id TEXT PRIMARY KEY NOT NULL,
        client_id TEXT NOT NULL,
        amount DOUBLE PRECISION NOT NULL,
        currency TEXT NOT NULL,
        status TEXT NOT NULL DEFAULT 'pending'
            CHECK (status IN ('pending', 'confirmed', 'cancelled')),
        notes TEXT,
        created_at TIMESTAMP NOT NULL DEFAULT {now},
        confirmed_at TIMESTAMP,
        amount_minor BIGINT NOT NULL CHECK (amount_minor > 0),
        effective_us BIGINT,                -- from when it counts; NULL until confirmed
        decided_us BIGINT,                  -- confirmed or cancelled at
        decided_by TEXT,
        CHECK ((status = 'confirmed') = (effective_us IS NOT NULL))
    )
    """,
    # One row per Lamassu sale that is paid out, waits, or was skipped. UNIQUE is the guard
    # against storing it twice; everything from split_rule on is written once, at settlement.
    """
    CREATE TABLE IF NOT EXISTS satoshimachine.lamassu_transactions (
        id TEXT PRIMARY KEY NOT NULL,
        lamassu_transaction_id TEXT NOT NULL UNIQUE,
        status TEXT NOT NULL CHECK (status IN ('pending', 'watching', 'held', 'processing',
            'completed', 'failed', 'skipped')),
        hold_code TEXT,                     -- why it waits (domain/states.py)
        error_message TEXT,                 -- what the last attempt met, for a person
        device_id TEXT,
        machine_name TEXT,
        crypto_code TEXT NOT NULL,
        fiat_code TEXT NOT NULL,
        crypto_atoms BIGINT,                -- NULL: does not fit; the text is in source_row
        received_crypto_atoms BIGINT,
        fiat_minor BIGINT,
        commission_percentage TEXT,         -- decimal text as in the source, a fraction of 1
        discount TEXT,                      -- percent
        raw_ticker_price TEXT,
        created_us BIGINT,                  -- source clock
        confirmed_at_us BIGINT,             -- source clock; the order of settlement
        clock_difference_us BIGINT NOT NULL DEFAULT 0, -- source clock minus ours
        source_row TEXT NOT NULL,           -- JSON of the row whose amounts were taken
        changed_row TEXT,                   -- what it became after settlement, never applied
        changed_us BIGINT,
        observed_us BIGINT NOT NULL,
        attempts BIGINT NOT NULL DEFAULT 0,
        operator_reason TEXT,               -- why a person processed or skipped it
        operator_by TEXT,
        operator_facts TEXT,                -- JSON of what they stated: fiat, commission, discount
        split_rule TEXT,
        effective_commission TEXT,          -- 'n/d'
        funding_mode TEXT,
        source_wallet_id TEXT,
        commission_wallet_id TEXT,
        commission_status TEXT CHECK (commission_status IN ('paid', 'kept', 'failed', 'none')),
        commission_message TEXT,
        total_sats BIGINT,
        base_sats BIGINT,
        commission_sats BIGINT,
        drawn_minor BIGINT,                 -- fiat charged to clients, exactly
        confirmed_sats BIGINT,              -- in clients' wallets, retries included
        failed_sats BIGINT,                 -- owed to clients, still in the source wallet
        operator_remainder_sats BIGINT,
        clients_count BIGINT NOT NULL DEFAULT 0,
        plan_hash TEXT,
        plan_json TEXT,                     -- what the hash covers
        processed_us BIGINT,
        announced_us BIGINT,                -- wallets told; NULL: the next tick does it
        origin TEXT NOT NULL DEFAULT 'observed' CHECK (origin IN ('observed', 'earlier')),
        CHECK (origin = 'earlier' OR total_sats IS NULL OR (
            total_sats = base_sats + commission_sats
            AND base_sats = confirmed_sats + failed_sats + operator_remainder_sats
            AND base_sats >= 0 AND commission_sats >= 0 AND confirmed_sats >= 0
            AND failed_sats >= 0 AND operator_remainder_sats >= 0)),
        CHECK (status <> 'completed' OR total_sats IS NOT NULL),
        CHECK (status <> 'skipped' OR operator_reason IS NOT NULL)
    )
    """,
    # A client's share. leg_key is unique for ever: one share per cash-out and client.
    """
    CREATE TABLE IF NOT EXISTS satoshimachine.dca_payments (
        id TEXT PRIMARY KEY NOT NULL,
        client_id TEXT NOT NULL,
        amount_sats BIGINT NOT NULL,
        amount_fiat DOUBLE PRECISION NOT NULL,  -- whole units, for the companion
        exchange_rate DOUBLE PRECISION NOT NULL, -- sats per whole unit, for the companion
        transaction_type TEXT NOT NULL,
        lamassu_transaction_id TEXT,
        payment_hash TEXT,
        status TEXT NOT NULL,
        created_at TIMESTAMP NOT NULL DEFAULT {now},
        transaction_time TIMESTAMP,
        leg_key TEXT NOT NULL UNIQUE,
        cash_out_id TEXT,
        wallet_id TEXT,                     -- where it went, or should have gone
        currency TEXT NOT NULL,
        fiat_minor BIGINT NOT NULL,         -- charged
        cash_out_us BIGINT,                 -- source clock: decides the day of a daily limit
        error_message TEXT,
        attempts BIGINT NOT NULL DEFAULT 0,
        updated_us BIGINT NOT NULL,
        origin TEXT NOT NULL DEFAULT 'observed' CHECK (origin IN ('observed', 'earlier')),
        CHECK (origin = 'earlier' OR (status IN ('confirmed', 'failed', 'cancelled')
            AND amount_sats >= 1 AND fiat_minor >= 1)),
        CHECK (origin = 'earlier' OR (status = 'confirmed') = (payment_hash IS NOT NULL))
    )
    """,
    # One row per movement that happened, written with its wallet rows in one commit. Both
    # checking ids are derived from the key (adapters/wallet_rows.py).
    """
    CREATE TABLE IF NOT EXISTS satoshimachine.settlement_legs (
        leg_key TEXT PRIMARY KEY NOT NULL,
        cash_out_id TEXT NOT NULL,
        kind TEXT NOT NULL CHECK (kind IN ('funding', 'share', 'commission')),
        from_wallet_id TEXT,                -- NULL: the sats arrived elsewhere (credit mode)
        to_wallet_id TEXT NOT NULL,
        amount_sats BIGINT NOT NULL CHECK (amount_sats >= 1),
        payment_hash TEXT NOT NULL UNIQUE,
        checking_id_in TEXT NOT NULL UNIQUE,
        checking_id_out TEXT UNIQUE,
        moved_us BIGINT NOT NULL,
        CHECK ((kind = 'funding') = (from_wallet_id IS NULL)),
        CHECK ((from_wallet_id IS NULL) = (checking_id_out IS NULL))
    )
    """,
    # Balances derive from the entries; each is changed only together with one. Only the two
    # outside accounts may be negative: they are where sats and cash come from.
    """
    CREATE TABLE IF NOT EXISTS satoshimachine.ledger_balances (
        account TEXT NOT NULL,
        unit TEXT NOT NULL,                 -- 'sat', or a currency in its minor units
        balance BIGINT NOT NULL,
        last_seq BIGINT NOT NULL,
        PRIMARY KEY (account, unit),
        CHECK (balance >= 0 OR account IN ('sold', 'deposits'))
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS satoshimachine.ledger_entries (
        seq BIGINT PRIMARY KEY NOT NULL,
        posting TEXT NOT NULL,              -- entries of one posting sum to 0 per unit
        account TEXT NOT NULL,
        unit TEXT NOT NULL,
        amount BIGINT NOT NULL CHECK (amount <> 0),
        balance_before BIGINT NOT NULL,
        balance_after BIGINT NOT NULL,
        cash_out_id TEXT,
        client_id TEXT,
        reference TEXT NOT NULL,            -- leg key or deposit id
        created_us BIGINT NOT NULL,
        CHECK (balance_after = balance_before + amount)
    )
    """,
)
