"""The tables of corrections: what a person put right, by new entries and never by edits."""

from __future__ import annotations

AUDIT_COLUMNS = {  # NULL in entries that an earlier version wrote; the first later one covers them
    "origin": "TEXT",  # 'page 10.0.0.5', 'token of api 10.0.0.5', 'timer', 'command'
    "before_json": "TEXT",
    "after_json": "TEXT",
    "prev_hash": "TEXT",
    "entry_hash": "TEXT",
}
# Kept of a share for what the client was paid too much; NULL: nothing.
SHARE_COLUMNS = {"withheld_sats": "BIGINT"}

APPEND_ONLY = ("correction_legs", "receivable_entries")

INDEXES = (
    ("idx_satm_correction_client", "corrections", "client_id, decided_us"),
    ("idx_satm_correction_status", "corrections", "status, proposed_us, id"),
    ("idx_satm_correction_at", "corrections", "proposed_us, id"),
    ("idx_satm_correction_cash_out", "corrections", "cash_out_id"),
    ("idx_satm_correction_effective", "corrections", "currency, effective_us"),
    ("idx_satm_correction_batch", "corrections", "batch_id"),
    ("idx_satm_correction_leg", "correction_legs", "correction_id"),
    ("idx_satm_receivable_share", "receivable_entries", "share_key"),
)

TABLES = (
    # One row per client and correction; those of one batch have its id. `status` is 'proposed' only
    # where a second person must agree; then `request` says what to.
    """
    CREATE TABLE IF NOT EXISTS satoshimachine.corrections (
        id TEXT PRIMARY KEY NOT NULL,
        batch_id TEXT,
        kind TEXT NOT NULL CHECK (kind IN ('adjust_balance', 'pay_missing', 'recover_overpayment',
            'cancel_share', 'write_off', 'settle_to_wallet', 'compensate', 'restore_wallet_row')),
        status TEXT NOT NULL CHECK (status IN ('proposed', 'executed', 'rejected')),
        client_id TEXT,
        cash_out_id TEXT,
        share_id TEXT,
        account TEXT CHECK (account IN ('operator', 'commission')), -- whose sats were given
        currency TEXT,
        amount_minor BIGINT,                -- signed; what the client's fiat balance changed by
        sats BIGINT CHECK (sats >= 0),      -- moved, claimed or given up
        pace_percent BIGINT,
        effective_us BIGINT,                -- from when a changed fiat balance counts
        reason_code TEXT NOT NULL,
        note TEXT NOT NULL,
        finding_id TEXT,
        request TEXT NOT NULL,              -- JSON: what was asked for
        before_json TEXT,
        after_json TEXT,
        proposed_us BIGINT NOT NULL,
        proposed_by TEXT NOT NULL,
        decided_us BIGINT,                  -- executed or rejected at
        decided_by TEXT,
        approved_us BIGINT,                 -- by the second person's passphrase
        CHECK ((status = 'proposed') = (decided_us IS NULL))
    )
    """,
    # As settlement_legs; a movement between two wallets, never an arrival from elsewhere.
    """
    CREATE TABLE IF NOT EXISTS satoshimachine.correction_legs (
        leg_key TEXT PRIMARY KEY NOT NULL,
        correction_id TEXT NOT NULL,
        kind TEXT NOT NULL CHECK (kind IN ('pay_missing', 'compensate')),
        from_wallet_id TEXT NOT NULL,
        to_wallet_id TEXT NOT NULL,
        amount_sats BIGINT NOT NULL CHECK (amount_sats >= 1),
        payment_hash TEXT NOT NULL UNIQUE,
        checking_id_in TEXT NOT NULL UNIQUE,
        checking_id_out TEXT NOT NULL UNIQUE,
        moved_us BIGINT NOT NULL
    )
    """,
    # What a client was paid too much and still owes; changed only together with an entry.
    """
    CREATE TABLE IF NOT EXISTS satoshimachine.receivables (
        client_id TEXT PRIMARY KEY NOT NULL,
        owed_sats BIGINT NOT NULL CHECK (owed_sats >= 0),
        pace_percent BIGINT NOT NULL CHECK (pace_percent BETWEEN 1 AND 100),
        last_number BIGINT NOT NULL
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS satoshimachine.receivable_entries (
        client_id TEXT NOT NULL,
        number BIGINT NOT NULL,             -- 1, 2, 3 ... of this client
        kind TEXT NOT NULL CHECK (kind IN ('claimed', 'withheld', 'given_back', 'written_off')),
        amount_sats BIGINT NOT NULL CHECK (amount_sats <> 0),
        balance_before BIGINT NOT NULL CHECK (balance_before >= 0),
        balance_after BIGINT NOT NULL CHECK (balance_after >= 0),
        pace_percent BIGINT NOT NULL,
        share_key TEXT,                     -- leg key of the share it was kept of
        correction_id TEXT,
        created_us BIGINT NOT NULL,
        PRIMARY KEY (client_id, number),
        CHECK (balance_after = balance_before + amount_sats)
    )
    """,
)
