"""The tables of health, halts and the weekly report (migration m023); `*_us` are microseconds."""

TABLES = (
    # One row a check: what it said last, and since when it says so.
    """
    CREATE TABLE IF NOT EXISTS satoshimachine.health_checks (
        name TEXT PRIMARY KEY NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('ok', 'warn', 'bad', 'unknown')),
        since_us BIGINT NOT NULL,           -- when it took this state
        checked_us BIGINT NOT NULL,
        detail TEXT NOT NULL,
        hint TEXT NOT NULL
    )
    """,
    # What is stopped, by whom and why. A settlement reads these rows itself. By plain SQL:
    # INSERT INTO halts (id, scope, reason, set_by, set_us) VALUES ('x', 'settlement', ...).
    """
    CREATE TABLE IF NOT EXISTS satoshimachine.halts (
        id TEXT PRIMARY KEY NOT NULL,
        scope TEXT NOT NULL CHECK (scope IN
            ('intake', 'settlement', 'machine', 'client', 'everything')),
        subject TEXT NOT NULL DEFAULT '',   -- the machine's or the client's id
        cause TEXT NOT NULL DEFAULT 'person', -- a person, or the code of what was found
        reason TEXT NOT NULL,
        set_by TEXT NOT NULL,
        set_us BIGINT NOT NULL,
        lifted_us BIGINT,
        lifted_by TEXT,
        lift_reason TEXT,
        CHECK ((scope IN ('machine', 'client')) = (subject <> '')),
        CHECK ((lifted_us IS NULL) = (lifted_by IS NULL))
    )
    """,
    # One row a weekly report (SAT-58), written when it is whole.
    """
    CREATE TABLE IF NOT EXISTS satoshimachine.weekly_reports (
        id TEXT PRIMARY KEY NOT NULL,
        cause TEXT NOT NULL CHECK (cause IN ('timer', 'manual')),
        actor TEXT NOT NULL,
        from_us BIGINT NOT NULL,
        until_us BIGINT NOT NULL,
        made_us BIGINT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('ok', 'warn', 'bad', 'unknown')),
        report TEXT NOT NULL                -- JSON: the eight items
    )
    """,
)
# Which halt a pending cash-out waits for; it waits no longer when that one is lifted.
CASH_OUT_COLUMNS = {"halt_id": "TEXT"}
INDEXES = (
    ("idx_satm_cash_out_processed", "lamassu_transactions", "processed_us"),
    ("idx_satm_halt_lifted", "halts", "lifted_us, set_us"),
    ("idx_satm_halt_set", "halts", "set_us, id"),
    ("idx_satm_weekly_made", "weekly_reports", "made_us, id"),
)
APPEND_ONLY = ("weekly_reports",)
