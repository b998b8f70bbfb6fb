"""The table of the reports: what every account held at the end of each day (SAT-16)."""

TABLES = (
    # One row an account, unit and UTC day in which it held something or was moved. Follows from
    # the ledger's entries, and is kept so that a later change of an entry does not rewrite it.
    """
    CREATE TABLE IF NOT EXISTS satoshimachine.balance_snapshots (
        account TEXT NOT NULL,
        unit TEXT NOT NULL,
        day TEXT NOT NULL,                  -- 2026-01-31, ends at 00:00 UTC of the next one
        balance BIGINT NOT NULL,
        last_seq BIGINT NOT NULL,           -- the ledger's entry that it follows from
        taken_us BIGINT NOT NULL,
        PRIMARY KEY (account, unit, day)
    )
    """,
)
INDEXES = (
    ("idx_satm_snapshot_day", "balance_snapshots", "day"),
    # An account's history without its wide rows: sums over years take a tenth of the time.
    (
        "idx_satm_entry_history",
        "ledger_entries",
        "account, unit, seq, created_us, posting, amount",
    ),
)
# The index above begins with its columns.
DROP_REPLACED_INDEX = "DROP INDEX IF EXISTS satoshimachine.idx_satm_entry_account"
APPEND_ONLY = ("balance_snapshots",)
