"""What the audit trail and corrections take (services/audit_chain.py, services/corrections.py)."""

from __future__ import annotations

from pydantic import Field

from .models import Request


class VerifyRequest(Request):
    """A head of the audit trail that was kept elsewhere, to be looked for in it."""

    known_hash: str | None = Field(None, regex="^[0-9a-f]{64}$")
