"""What a preview takes (services/preview.py)."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field, validator

from .domain.fields import aware, given_reason, plain_text
from .models import ID_MAX, SUPPLY_SATS, TEXT_MAX, ProcessRequest, Request


class PreviewRequest(Request):
    """An action to look at before it is done, with what it needs."""

    action: Literal["poll", "process", "retry_share", "retry_commission", "cancel_share", "skip"]
    lamassu_id: str | None = Field(None, min_length=1, max_length=ID_MAX)
    statement: ProcessRequest | None
    share_id: str | None = Field(None, min_length=1, max_length=ID_MAX)
    cash_out_id: str | None = Field(None, min_length=1, max_length=ID_MAX)
    reason: str | None = Field(None, max_length=TEXT_MAX)
    start_at: datetime | None  # a poll from this start point, for looking only

    @validator("lamassu_id", "share_id", "cash_out_id")
    def _one_line(cls, value: str | None) -> str | None:
        return plain_text(value, "an id")

    @validator("reason")
    def _reason(cls, value: str | None) -> str | None:
        return given_reason(value) if value is not None else None

    @validator("start_at")
    def _start_at(cls, value: datetime | None) -> datetime | None:
        return aware(value)


class ExecuteRequest(Request):
    """The sum, typed once more, where the preview asked for it."""

    typed_amount_sats: int | None = Field(None, ge=0, le=SUPPLY_SATS)
