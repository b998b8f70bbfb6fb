"""Connection, settings, polls, leases, alerts, audit (migration m012)."""

OPERATIONS = (
    # At most one row. Secrets are sealed (adapters/secret_box.py).
    # UPDATE ... SET polling_enabled = false is the emergency stop by SQL.
    """
    CREATE TABLE IF NOT EXISTS satoshimachine.lamassu_config (
        id TEXT PRIMARY KEY NOT NULL,
        host TEXT NOT NULL,
        port BIGINT NOT NULL,
        database_name TEXT NOT NULL,
        username TEXT NOT NULL,
        password TEXT,
        source_wallet_id TEXT,
        commission_wallet_id TEXT,
        polling_enabled BOOLEAN NOT NULL DEFAULT true,
        use_ssh_tunnel BOOLEAN NOT NULL DEFAULT true,
        ssh_host TEXT,
        ssh_port BIGINT NOT NULL DEFAULT 22,
        ssh_username TEXT,
        ssh_password TEXT,
        ssh_private_key TEXT,
        ssh_key_passphrase TEXT,
        ssh_host_key TEXT,                  -- accepted OpenSSH public key line
        test_connection_us BIGINT,
        test_connection_success BOOLEAN,
        created_us BIGINT NOT NULL,
        updated_us BIGINT NOT NULL
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS satoshimachine.operator_settings (
        name TEXT PRIMARY KEY NOT NULL,
        value TEXT NOT NULL,                -- JSON; a missing row means the default in models.py
        updated_us BIGINT NOT NULL
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS satoshimachine.meta (
        name TEXT PRIMARY KEY NOT NULL,
        value TEXT NOT NULL                 -- JSON
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS satoshimachine.polls (
        id TEXT PRIMARY KEY NOT NULL,
        cause TEXT NOT NULL CHECK (cause IN ('timer', 'manual')),
        started_us BIGINT NOT NULL,
        finished_us BIGINT,
        result TEXT NOT NULL CHECK (result IN ('running', 'ok', 'failed')),
        full_comparison BOOLEAN NOT NULL DEFAULT false,
        rows_read BIGINT NOT NULL DEFAULT 0,
        new_rows BIGINT NOT NULL DEFAULT 0,
        settled BIGINT NOT NULL DEFAULT 0,
        left_pending BIGINT NOT NULL DEFAULT 0,
        error_code TEXT,
        error_message TEXT,
        hint TEXT
    )
    """,
    # What each hour of the source looked like when all its rows were last stored.
    """
    CREATE TABLE IF NOT EXISTS satoshimachine.source_hours (
        hour_us BIGINT PRIMARY KEY NOT NULL,
        rows BIGINT NOT NULL,
        digest TEXT NOT NULL
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS satoshimachine.leases (
        name TEXT PRIMARY KEY NOT NULL,
        holder TEXT NOT NULL,
        expires_us BIGINT NOT NULL
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS satoshimachine.idempotency_keys (
        key TEXT PRIMARY KEY NOT NULL,
        request_hash TEXT NOT NULL,
        status_code BIGINT,                 -- NULL: the first request has not answered yet
        answer TEXT,
        created_us BIGINT NOT NULL
    )
    """,
    # One row per condition, however often it is met.
    """
    CREATE TABLE IF NOT EXISTS satoshimachine.alerts (
        id TEXT PRIMARY KEY NOT NULL,
        dedupe_key TEXT NOT NULL UNIQUE,
        kind TEXT NOT NULL,
        severity TEXT NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
        message TEXT NOT NULL,
        hint TEXT NOT NULL,
        subject_id TEXT,
        first_us BIGINT NOT NULL,
        last_us BIGINT NOT NULL,
        times BIGINT NOT NULL DEFAULT 1,
        resolved_us BIGINT
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS satoshimachine.audit_log (
        seq BIGINT PRIMARY KEY NOT NULL,
        at_us BIGINT NOT NULL,
        actor TEXT NOT NULL,                -- 'system' or the superuser's account id
        action TEXT NOT NULL,
        subject TEXT NOT NULL,
        detail TEXT NOT NULL                -- JSON, never a secret
    )
    """,
    # Every row of an earlier extension's tables as it was.
    """
    CREATE TABLE IF NOT EXISTS satoshimachine.earlier_rows (
        table_name TEXT NOT NULL,
        row_id TEXT NOT NULL,
        row_json TEXT NOT NULL,
        PRIMARY KEY (table_name, row_id)
    )
    """,
)
