"""The tables of reconciliations and findings (migration m019); `*_us` are epoch microseconds."""

TABLES = (
    # One row a run, from its beginning: a run that was stopped goes on from its cursor.
    """
    CREATE TABLE IF NOT EXISTS satoshimachine.reconciliation_runs (
        id TEXT PRIMARY KEY NOT NULL,
        cause TEXT NOT NULL CHECK (cause IN ('timer', 'manual', 'restore', 'upgrade', 'tool')),
        kind TEXT NOT NULL,                 -- how much: everything, since_last, client, ...
        scope TEXT NOT NULL,                -- JSON: that with its values
        status TEXT NOT NULL CHECK (status IN
            ('queued', 'running', 'done', 'cancelled', 'failed')),
        actor TEXT NOT NULL,
        schema_version BIGINT NOT NULL,
        queued_us BIGINT NOT NULL,
        started_us BIGINT,
        reconciled_at_us BIGINT,            -- when it ended
        phase TEXT NOT NULL DEFAULT 'queued',
        done BIGINT NOT NULL DEFAULT 0,     -- of the phase's items, for the page
        expected BIGINT NOT NULL DEFAULT 0,
        cursor TEXT,                        -- JSON: where to go on
        marks TEXT,                         -- JSON: up to where the books were when it began
        total BIGINT NOT NULL DEFAULT 0,
        matches BIGINT NOT NULL DEFAULT 0,
        mismatches BIGINT NOT NULL DEFAULT 0,
        errors BIGINT NOT NULL DEFAULT 0,
        in_flight BIGINT NOT NULL DEFAULT 0,
        results TEXT,                       -- JSON: mismatches by link, and what was looked at
        error_code TEXT,
        error_message TEXT,
        hint TEXT
    )
    """,
    # What is not a match, one row an item and run. A match leaves no row.
    """
    CREATE TABLE IF NOT EXISTS satoshimachine.reconciliation_items (
        id TEXT PRIMARY KEY NOT NULL,
        run_id TEXT NOT NULL,
        verdict TEXT NOT NULL CHECK (verdict IN ('mismatch', 'error', 'in_flight')),
        subject_kind TEXT NOT NULL,
        subject_id TEXT NOT NULL,
        cash_out_id TEXT,
        link TEXT,                          -- the first one that differs, or was not looked at
        code TEXT,
        expected TEXT,
        actual TEXT,
        difference_sats BIGINT,
        finding_id TEXT
    )
    """,
    # One row a defect, however often it is met; never deleted.
    """
    CREATE TABLE IF NOT EXISTS satoshimachine.findings (
        id TEXT PRIMARY KEY NOT NULL,
        fingerprint TEXT NOT NULL UNIQUE,
        code TEXT NOT NULL,
        link TEXT NOT NULL,
        subject_kind TEXT NOT NULL,
        subject_id TEXT NOT NULL,
        cash_out_id TEXT,
        client_id TEXT,
        wallet_id TEXT,
        unit TEXT,
        expected TEXT NOT NULL,
        actual TEXT NOT NULL,
        difference_sats BIGINT,
        status TEXT NOT NULL CHECK (status IN ('open', 'acknowledged', 'resolved')),
        first_run_id TEXT NOT NULL,
        last_run_id TEXT NOT NULL,
        first_us BIGINT NOT NULL,
        last_us BIGINT NOT NULL,
        times BIGINT NOT NULL DEFAULT 1,
        resolved_us BIGINT,
        resolved_by TEXT,
        resolution TEXT,
        correction_id TEXT,
        evidence TEXT NOT NULL DEFAULT '[]' -- JSON: every difference of this subject, in order
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS satoshimachine.finding_notes (
        id TEXT PRIMARY KEY NOT NULL,
        finding_id TEXT NOT NULL,
        at_us BIGINT NOT NULL,
        actor TEXT NOT NULL,
        kind TEXT NOT NULL CHECK (kind IN
            ('raised', 'reopened', 'note', 'acknowledged', 'resolved')),
        text TEXT NOT NULL
    )
    """,
)

INDEXES = (
    ("idx_satm_run_queued", "reconciliation_runs", "queued_us, id"),
    ("idx_satm_run_reconciled", "reconciliation_runs", "reconciled_at_us"),
    ("idx_satm_run_status", "reconciliation_runs", "status, queued_us"),
    ("idx_satm_item_run", "reconciliation_items", "run_id, verdict, id"),
    ("idx_satm_finding_status", "findings", "status, last_us, id"),
    ("idx_satm_finding_last", "findings", "last_us, id"),
    ("idx_satm_finding_first", "findings", "first_us, id"),
    ("idx_satm_finding_cash_out", "findings", "cash_out_id"),
    ("idx_satm_finding_client", "findings", "client_id"),
    ("idx_satm_finding_kind", "findings", "subject_kind, status"),
    ("idx_satm_note_finding", "finding_notes", "finding_id, at_us"),
)

APPEND_ONLY = ("finding_notes",)
