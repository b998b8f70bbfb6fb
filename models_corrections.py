"""What the audit trail and corrections take (services/audit_chain.py, services/corrections.py)."""

from __future__ import annotations

from pydantic import Field

from .models import SECRET_MAX, SUPPLY_SATS, Request

PASSPHRASE_MIN = 8


class VerifyRequest(Request):
    """A head of the audit trail that was kept elsewhere, to be looked for in it."""

    known_hash: str | None = Field(None, regex="^[0-9a-f]{64}$")


class ApprovalRequest(Request):
    """From how many sats on a second person must agree, and their passphrase. null: off."""

    above_sats: int | None = Field(..., ge=0, le=SUPPLY_SATS)
    passphrase: str | None = Field(None, min_length=1, max_length=SECRET_MAX, repr=False)
    new_passphrase: str | None = Field(
        None, min_length=PASSPHRASE_MIN, max_length=SECRET_MAX, repr=False
    )
