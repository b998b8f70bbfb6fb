"""The tables of the runbook and of incidents (migration m024); `*_us` are epoch microseconds."""

TABLES = (
    # One row an incident, as it was begun. Whether it is over is an entry, too.
    """
    CREATE TABLE IF NOT EXISTS satoshimachine.incidents (
        id TEXT PRIMARY KEY NOT NULL,
        failure TEXT NOT NULL,              -- one of the six, or other (domain/runbook.py)
        severity TEXT NOT NULL CHECK (severity IN ('critical', 'high', 'medium', 'low')),
        note TEXT NOT NULL,
        opened_us BIGINT NOT NULL,
        opened_by TEXT NOT NULL
    )
    """,
    # What happened in it. The id is made of the incident and what is recorded, so that each phase
    # and the end are recorded once, whoever is faster.
    """
    CREATE TABLE IF NOT EXISTS satoshimachine.incident_entries (
        id TEXT PRIMARY KEY NOT NULL,       -- the incident and what is recorded
        incident_id TEXT NOT NULL,
        kind TEXT NOT NULL CHECK (kind IN ('opened', 'phase', 'note', 'closed')),
        phase BIGINT CHECK (phase >= 1 AND phase <= 5),
        done TEXT NOT NULL,                 -- JSON, which lines of the phase's checklist
        note TEXT NOT NULL,
        at_us BIGINT NOT NULL,
        actor TEXT NOT NULL,
        evidence TEXT NOT NULL,             -- JSON, how everything stood, as the server saw it
        outcome TEXT CHECK (outcome IN ('mended', 'accepted', 'false_alarm')),
        sats BIGINT CHECK (sats >= 0),      -- what it cost in the end
        clients BIGINT CHECK (clients >= 0),
        cash_outs BIGINT CHECK (cash_outs >= 0),
        CHECK ((kind = 'phase') = (phase IS NOT NULL)),
        CHECK ((kind = 'closed') = (outcome IS NOT NULL))
    )
    """,
    # Who is called. One row a role; only here is something changed in place.
    """
    CREATE TABLE IF NOT EXISTS satoshimachine.runbook_contacts (
        role TEXT PRIMARY KEY NOT NULL,
        name TEXT NOT NULL,
        email TEXT NOT NULL,
        phone TEXT NOT NULL,
        available TEXT NOT NULL,
        after_minutes BIGINT,               -- told when nobody took it for so long
        above_sats BIGINT,                  -- told at once when more is at risk
        updated_us BIGINT NOT NULL
    )
    """,
    # The change log and the sign-offs.
    """
    CREATE TABLE IF NOT EXISTS satoshimachine.runbook_log (
        id TEXT PRIMARY KEY NOT NULL,
        kind TEXT NOT NULL CHECK (kind IN ('change', 'signoff')),
        role TEXT,                          -- of who signs
        name TEXT NOT NULL,
        note TEXT NOT NULL,
        at_us BIGINT NOT NULL,
        actor TEXT NOT NULL,
        CHECK ((kind = 'signoff') = (role IS NOT NULL))
    )
    """,
)
INDEXES = (
    ("idx_satm_incident_opened", "incidents", "opened_us, id"),
    ("idx_satm_incident_entry", "incident_entries", "incident_id, at_us, id"),
    ("idx_satm_runbook_log", "runbook_log", "kind, at_us"),
)
APPEND_ONLY = ("incidents", "incident_entries", "runbook_log")
