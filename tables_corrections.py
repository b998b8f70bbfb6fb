"""What migrations add to the audit trail."""

from __future__ import annotations

AUDIT_COLUMNS = {  # NULL in entries that an earlier version wrote; the first later one covers them
    "origin": "TEXT",  # 'page 10.0.0.5', 'token of api 10.0.0.5', 'timer', 'command'
    "before_json": "TEXT",
    "after_json": "TEXT",
    "prev_hash": "TEXT",
    "entry_hash": "TEXT",
}
