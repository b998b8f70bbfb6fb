"""What a preview takes (services/preview.py)."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from pydantic import Field, validator

from .domain.corrections import COMPENSATED_MAX, ReasonCode, SatsOf
from .domain.fields import aware, given_reason, known_currency, plain_text, short_decimal
from .domain.receivable import PACE_MAX, PACE_MIN
from .models import (
    ID_MAX,
    SECRET_MAX,
    SUPPLY_SATS,
    TEXT_MAX,
    WHOLE_UNITS_MAX,
    ProcessRequest,
    Request,
)

LEG_KEY_MAX = 200  # two ids and a word


class Compensated(Request):
    """A client of a batch and the sats they are given."""

    client_id: str = Field(..., min_length=1, max_length=ID_MAX)
    sats: int = Field(..., ge=1, le=SUPPLY_SATS)


class PreviewRequest(Request):
    """An action to look at before it is done, with what it needs."""

    action: Literal[
        "poll",
        "process",
        "retry_share",
        "retry_commission",
        "cancel_share",
        "skip",
        "adjust_balance",
        "pay_missing",
        "recover_overpayment",
        "write_off",
        "settle_to_wallet",
        "compensate",
        "restore_wallet_row",
        "approve_correction",
    ]
    lamassu_id: str | None = Field(None, min_length=1, max_length=ID_MAX)
    statement: ProcessRequest | None
    share_id: str | None = Field(None, min_length=1, max_length=ID_MAX)
    cash_out_id: str | None = Field(None, min_length=1, max_length=ID_MAX)
    reason: str | None = Field(None, max_length=TEXT_MAX)
    start_at: datetime | None  # a poll from this start point, for looking only

    # Of corrections (services/corrections.py).
    client_id: str | None = Field(None, min_length=1, max_length=ID_MAX)
    amount: Decimal | None = Field(None, ge=-WHOLE_UNITS_MAX, le=WHOLE_UNITS_MAX)  # whole units
    currency: str | None
    effective_at: datetime | None
    sats: int | None = Field(None, ge=1, le=SUPPLY_SATS)
    pace_percent: int | None = Field(None, ge=PACE_MIN, le=PACE_MAX)
    account: SatsOf | None
    wallet_id: str | None = Field(None, min_length=1, max_length=ID_MAX)
    leg_key: str | None = Field(None, min_length=1, max_length=LEG_KEY_MAX)
    clients: list[Compensated] | None = Field(None, min_items=1, max_items=COMPENSATED_MAX)
    reason_code: ReasonCode | None
    note: str | None = Field(None, max_length=TEXT_MAX)
    finding_id: str | None = Field(None, min_length=1, max_length=ID_MAX)
    correction_id: str | None = Field(None, min_length=1, max_length=ID_MAX)

    _decimal = validator("amount", allow_reuse=True, pre=True)(short_decimal)

    @validator("currency")
    def _currency(cls, value: str | None) -> str | None:
        return known_currency(value) if value is not None else None

    @validator("note")
    def _note(cls, value: str | None) -> str | None:
        return given_reason(value) if value is not None else None

    @validator("effective_at")
    def _effective_at(cls, value: datetime | None) -> datetime | None:
        return aware(value)

    @validator("clients")
    def _once_each(cls, value: list[Compensated] | None) -> list[Compensated] | None:
        ids = [one.client_id for one in value or ()]
        if len(ids) != len(set(ids)):
            raise ValueError("names a client twice")
        return value

    def stored(self) -> dict[str, Any]:
        """What was given, as JSON can hold it."""
        return {
            name: str(value) if isinstance(value, Decimal) else value
            for name, value in self.dict(exclude_none=True).items()
        }

    @validator(
        "lamassu_id",
        "share_id",
        "cash_out_id",
        "client_id",
        "wallet_id",
        "leg_key",
        "finding_id",
        "correction_id",
    )
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
    typed_amount: str | None = Field(None, max_length=ID_MAX)  # of a sum in fiat
    passphrase: str | None = Field(None, min_length=1, max_length=SECRET_MAX, repr=False)
