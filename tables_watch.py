"""The tables of alerts that are told (migration m022); `*_us` are epoch microseconds."""

# Columns that alerts get. A resolved alert gives its dedupe key free (`<key>#<id>`) and stays as
# history: the same condition, come again, is another row.
ALERT_COLUMNS = {
    "condition_key": "TEXT",  # the key it had while it was open
    "acknowledged_us": "BIGINT",
    "acknowledged_by": "TEXT",
    "acknowledge_note": "TEXT",
    "told_us": "BIGINT",  # NULL: nobody was told yet, the next pass does it
    "told_severity": "TEXT",
    "escalations": "BIGINT NOT NULL DEFAULT 0",
    "escalated_us": "BIGINT",
    "cleared_us": "BIGINT",  # that it is over was told
}
# Since m025: by what code and facts the page says an alert in the reader's language (JSON).
SAID_COLUMNS = {"said": "TEXT"}
TABLES = (
    # Where alerts go. The address of a Slack or Discord webhook is a secret itself, so every
    # address is sealed like one.
    """
    CREATE TABLE IF NOT EXISTS satoshimachine.alert_channels (
        id TEXT PRIMARY KEY NOT NULL,
        name TEXT NOT NULL,
        kind TEXT NOT NULL CHECK (kind IN
            ('webhook', 'slack', 'discord', 'ntfy', 'lnbits', 'ping')),
        url_sealed TEXT,                    -- NULL: LNbits' own notifications
        host TEXT,                          -- of the address, to be shown
        secret_sealed TEXT,                 -- HMAC key or bearer token
        min_severity TEXT NOT NULL CHECK (min_severity IN ('info', 'warning', 'critical')),
        level BIGINT NOT NULL CHECK (level >= 1 AND level <= 3),
        enabled BOOLEAN NOT NULL,
        created_us BIGINT NOT NULL,
        updated_us BIGINT NOT NULL,
        last_poll_id TEXT                   -- of a ping: the poll it last told of
    )
    """,
    # One message to one channel, or to one client. Written when the alert is told, in one commit
    # with the alert's own mark, and sent afterwards: a crash loses none.
    """
    CREATE TABLE IF NOT EXISTS satoshimachine.alert_deliveries (
        id TEXT PRIMARY KEY NOT NULL,
        channel_id TEXT,                    -- NULL: to a client
        client_id TEXT,
        alert_id TEXT,
        event TEXT NOT NULL,        -- raised, worse, escalated, clear, test, ping, client, head
        severity TEXT NOT NULL,
        body TEXT NOT NULL,                 -- JSON: what is said, before the channel's own format
        status TEXT NOT NULL CHECK (status IN ('waiting', 'sent', 'failed')),
        attempts BIGINT NOT NULL DEFAULT 0,
        created_us BIGINT NOT NULL,
        next_us BIGINT NOT NULL,            -- when it is tried next
        last_us BIGINT,
        last_result TEXT                    -- what the last attempt met
    )
    """,
)
INDEXES = (
    ("idx_satm_alert_condition", "alerts", "condition_key, told_us"),
    ("idx_satm_alert_last", "alerts", "last_us, id"),
    ("idx_satm_alert_kind_told", "alerts", "kind, told_us"),
    ("idx_satm_alert_uncleared", "alerts", "cleared_us, resolved_us"),
    ("idx_satm_delivery_due", "alert_deliveries", "status, next_us"),
    ("idx_satm_delivery_channel", "alert_deliveries", "channel_id, created_us"),
    ("idx_satm_delivery_client", "alert_deliveries", "client_id, created_us"),
    ("idx_satm_delivery_alert", "alert_deliveries", "alert_id, created_us"),
    ("idx_satm_delivery_created", "alert_deliveries", "created_us, id"),
)
APPEND_ONLY = ()
# Alerts that were resolved before there was a history.
FREE_KEYS = (
    "UPDATE satoshimachine.alerts SET condition_key = dedupe_key,"
    " dedupe_key = dedupe_key || '#' || id, cleared_us = resolved_us"
    " WHERE resolved_us IS NOT NULL AND condition_key IS NULL"
)
