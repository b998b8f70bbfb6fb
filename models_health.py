"""What the routes of halts and of resuming take."""

from __future__ import annotations

from pydantic import Field, validator

from .domain.fields import given_reason, plain_text
from .models import TEXT_MAX, Request

SUBJECT_MAX = 200  # Lamassu's device ids are hashes of 64 characters


class HaltRequest(Request):
    """What to stop, and why. `subject`: the id of the machine or client, of nothing else."""

    scope: str = Field(..., regex="^(intake|settlement|machine|client|everything)$")
    subject: str = Field("", max_length=SUBJECT_MAX)
    reason: str = Field(..., max_length=TEXT_MAX)

    @validator("subject")
    def _subject(cls, value: str) -> str:
        return plain_text(value, "subject") or ""

    @validator("reason")
    def _reason(cls, value: str) -> str:
        return given_reason(value)
