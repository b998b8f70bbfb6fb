"""How entries of the audit trail are chained: each one's hash covers the one before it.

The hash of an entry is SHA-256 over its fields and the hash of the entry before it, as JSON with
sorted keys and no spaces. So whoever changes, removes or adds an entry must change all that follow,
and the head that was written down elsewhere tells (SAT-45). The same rule chains entries that an
earlier version left without a hash: the first entry that has one covers all of them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# What the first entry of all follows.
START = hashlib.sha256(b"satmachineadmin audit trail").hexdigest()
NUMBERS = ("seq", "at_us")
TEXTS = ("actor", "action", "subject", "detail", "origin", "before_json", "after_json")


def link(before: str, entry: Mapping[str, Any]) -> str:
    """The hash of an entry that follows the one whose hash is `before`."""
    facts: dict[str, Any] = {name: int(entry[name]) for name in NUMBERS}
    facts |= {name: entry[name] for name in TEXTS}
    facts["prev_hash"] = before
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass
class Chain:
    """A walk along the trail, entry by entry, up to the first one that is wrong."""

    seq: int = 0  # of the last entry that was right
    hash: str = START
    begun: bool = False  # entries have hashes from the first one that has
    bad_seq: int | None = None
    why: str | None = None  # a code: missing, changed, not_chained, other_before

    def add(self, entry: Mapping[str, Any]) -> bool:
        """Look at the next entry; False when it is wrong."""
        wrong = self._wrong(entry)
        if wrong is not None:
            self.bad_seq, self.why = wrong
            return False
        self.hash, self.seq = link(self.hash, entry), int(entry["seq"])
        self.begun = self.begun or entry["entry_hash"] is not None
        return True

    def _wrong(self, entry: Mapping[str, Any]) -> tuple[int, str] | None:
        seq = int(entry["seq"])
        if seq != self.seq + 1:
            return self.seq + 1, "missing"
        if entry["entry_hash"] is None:
            return (seq, "not_chained") if self.begun else None
        if entry["prev_hash"] != self.hash:
            return seq, "other_before"
        if entry["entry_hash"] != link(self.hash, entry):
            return seq, "changed"
        return None
