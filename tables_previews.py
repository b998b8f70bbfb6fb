"""The table of previews (migration m017)."""

TABLES = (
    """
    CREATE TABLE IF NOT EXISTS satoshimachine.previews (
        id TEXT PRIMARY KEY NOT NULL,
        request TEXT NOT NULL,          -- JSON: the action and its arguments
        shown TEXT NOT NULL,            -- JSON: the effect as it was answered
        effect_hash TEXT NOT NULL,      -- SHA-256 over all that decides the effect
        expires_us BIGINT NOT NULL,
        executed_us BIGINT,             -- NULL: not executed
        result TEXT                     -- JSON: the answer of the execution
    )
    """,
)
INDEXES: tuple[tuple[str, str, str], ...] = ()
APPEND_ONLY: tuple[str, ...] = ()
