"""Shapes: what is stored, what the API takes, what it answers (pydantic 1.10, as LNbits uses).

Requests refuse unknown fields and say what is wrong; answers carry no secret. Fiat comes in as
whole currency units in decimal text or number and is exact from there on.
"""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, Extra, Field, validator
from pydantic.fields import ModelField

from .domain.fields import (
    CONTROL,
    SOCKET_FOLDER,
    aware,
    given_reason,
    host_name,
    is_text,
    known_currency,
    known_time_zones,
    plain_text,
    short_decimal,
    whole_number,
)
from .domain.states import DcaMode, DepositState, FundingMode, SplitRule

POLL_INTERVAL_MIN_S = 60  # each poll scans a table without an index (lamassu.md 1)
POLL_INTERVAL_MAX_S = 86_400
WATCH_GRACE_MAX_S = 30 * 86_400  # the window every poll looks at again
TEXT_MAX = 500  # notes and reasons: a few sentences
NAME_MAX = 100
ID_MAX = 64  # LNbits ids have 32 characters, Lamassu's 36
SECRET_MAX = 20_000  # an RSA 16384 key in PEM has 13 kB
WHOLE_UNITS_MAX = 10**12  # beyond any real deposit, far inside 64 bits of minor units
DAILY_LIMIT_MAX = 10**9
SUPPLY_SATS = 21_000_000 * 10**8  # more sats than will ever be


class Request(BaseModel):
    """A request body: unknown fields are mistakes, not noise."""

    class Config:
        extra = Extra.forbid
        anystr_strip_whitespace = False

    @validator("*", pre=True)
    def _whole(cls, value: Any, field: ModelField) -> Any:
        """22.5 for a whole number is a mistake; pydantic alone would make 22 of it."""
        kind = field.type_
        whole = isinstance(kind, type) and issubclass(kind, int) and kind is not bool
        return whole_number(value) if whole else value


# -- settings ---------------------------------------------------------------------------------


class OperatorSettings(BaseModel):
    """What the operator decides. Every field has a default: the first start has them all."""

    split_rule: SplitRule = SplitRule.MARKUP
    currency: str = "GTQ"
    time_zone: str = "America/Guatemala"
    max_daily_limit: int = Field(2000, ge=1, le=DAILY_LIMIT_MAX)
    poll_interval_s: int = Field(300, ge=POLL_INTERVAL_MIN_S, le=POLL_INTERVAL_MAX_S)
    watch_grace_s: int = Field(86_400, ge=3_600, le=WATCH_GRACE_MAX_S)
    settle_without_clients: bool = False
    funding_btc: FundingMode = FundingMode.CREDIT
    funding_ln: FundingMode = FundingMode.CREDIT
    api_tokens_may_move_money: bool = False
    # Whoever sends more than this through a preview types the sum once more.
    typed_amount_above_sats: int = Field(1_000_000, ge=0, le=SUPPLY_SATS)
    # Every day at this minute of the day in UTC; one a week compares everything (SAT-45, SAT-58).
    reconcile_daily: bool = True
    reconcile_minute_utc: int = Field(0, ge=0, le=1439)
    reconcile_full_weekday: int = Field(6, ge=0, le=6)  # 0 is Monday
    start_at_us: int | None = None
    # Above it a correction needs the second person (services/approval.py); None: off.
    second_approval_above_sats: int | None = Field(None, ge=0, le=SUPPLY_SATS)

    class Config:
        use_enum_values = False

    def funding(self, crypto_code: str) -> FundingMode:
        """How cash-outs of this coin are funded (design.md 3.6)."""
        return self.funding_ln if crypto_code == "LN" else self.funding_btc

    @validator("currency")
    def _currency(cls, value: str) -> str:
        return known_currency(value)

    @validator("time_zone")
    def _time_zone(cls, value: str) -> str:
        if value not in known_time_zones():
            raise ValueError("is not a known time zone, for example America/Guatemala")
        return value


class UpdateSettings(Request):
    """Settings to change; a field that is not given stays as it is."""

    split_rule: SplitRule | None
    currency: str | None
    time_zone: str | None
    max_daily_limit: int | None
    poll_interval_s: int | None
    watch_grace_s: int | None
    settle_without_clients: bool | None
    funding_btc: FundingMode | None
    funding_ln: FundingMode | None
    api_tokens_may_move_money: bool | None
    typed_amount_above_sats: int | None
    reconcile_daily: bool | None
    reconcile_minute_utc: int | None
    reconcile_full_weekday: int | None
    start_at: datetime | None

    _aware = validator("start_at", allow_reuse=True)(aware)


# -- connection -------------------------------------------------------------------------------


class StoredConfig(BaseModel):
    """The row of lamassu_config. Its secrets are sealed, and not shown even so."""

    id: str
    host: str
    port: int
    database_name: str
    username: str
    password: str | None = Field(None, repr=False)
    source_wallet_id: str | None = None
    commission_wallet_id: str | None = None
    polling_enabled: bool = True
    use_ssh_tunnel: bool = True
    ssh_host: str | None = None
    ssh_port: int = 22
    ssh_username: str | None = None
    ssh_password: str | None = Field(None, repr=False)
    ssh_private_key: str | None = Field(None, repr=False)
    ssh_key_passphrase: str | None = Field(None, repr=False)
    ssh_host_key: str | None = None
    test_connection_us: int | None = None
    test_connection_success: bool | None = None
    created_us: int
    updated_us: int


class SaveConfig(Request):
    """A connection to save. A secret that is not given stays; an empty one is removed."""

    host: str = Field(..., max_length=255)
    port: int = Field(5432, ge=1, le=65535)
    database_name: str = Field(..., min_length=1, max_length=63)
    username: str = Field(..., min_length=1, max_length=63)
    password: str | None = Field(None, max_length=SECRET_MAX)
    source_wallet_id: str | None = Field(None, max_length=ID_MAX)
    commission_wallet_id: str | None = Field(None, max_length=ID_MAX)
    use_ssh_tunnel: bool = True
    ssh_host: str | None = Field(None, max_length=255)
    ssh_port: int = Field(22, ge=1, le=65535)
    ssh_username: str | None = Field(None, max_length=64)
    ssh_password: str | None = Field(None, max_length=SECRET_MAX)
    ssh_private_key: str | None = Field(None, max_length=SECRET_MAX)
    ssh_key_passphrase: str | None = Field(None, max_length=SECRET_MAX)
    ssh_host_key: str | None = Field(None, max_length=SECRET_MAX)
    polling_enabled: bool | None = None

    @validator("host")
    def _host(cls, value: str) -> str:
        if value.startswith("/"):
            if not SOCKET_FOLDER.fullmatch(value):
                raise ValueError("host must be a host name or an absolute socket folder")
            return value
        return host_name(value, "host")

    @validator("ssh_host")
    def _ssh_host(cls, value: str | None) -> str | None:
        return host_name(value, "ssh_host") if value else None

    @validator("database_name", "username")
    def _one_line(cls, value: str) -> str:
        text = plain_text(value, "this field") or ""
        if not text:
            raise ValueError("must not be empty")
        return text

    @validator("ssh_username")
    def _user(cls, value: str | None) -> str | None:
        if value and not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.\-@]{0,63}", value):
            raise ValueError("ssh_username has characters that no user name has")
        return value or None

    @validator("password", "ssh_password", "ssh_key_passphrase")
    def _secret(cls, value: str | None) -> str | None:
        if value and (CONTROL.search(value) or not is_text(value)):
            raise ValueError("must not contain control characters")
        return value

    @validator("ssh_private_key", "ssh_host_key")
    def _key(cls, value: str | None) -> str | None:
        if value and not is_text(value):
            raise ValueError("must be a key in plain text")
        return value

    @validator("source_wallet_id", "commission_wallet_id")
    def _wallet(cls, value: str | None) -> str | None:
        return plain_text(value, "a wallet id") or None


class PatchConfig(SaveConfig):
    """A part of a connection, as the setup saves it step by step; what is not given stays."""

    host: str = Field("127.0.0.1", max_length=255)
    database_name: str = Field("lamassu", min_length=1, max_length=63)
    username: str = Field("", min_length=1, max_length=63)


class PublicConfig(BaseModel):
    """The connection as it is shown: what is set, never what it is."""

    id: str
    host: str
    port: int
    database_name: str
    username: str
    source_wallet_id: str | None
    commission_wallet_id: str | None
    polling_enabled: bool
    is_active: bool = True
    use_ssh_tunnel: bool
    ssh_host: str | None
    ssh_port: int
    ssh_username: str | None
    ssh_host_key: str | None
    ssh_host_fingerprint: str | None
    has_password: bool
    has_ssh_password: bool
    has_ssh_private_key: bool
    secrets_set: dict[str, str]  # when each of them was set, where that is known
    test_connection_last: str | None
    test_connection_success: bool | None
    created_at: str | None
    updated_at: str | None
    last_poll_time: str | None
    last_successful_poll: str | None


# -- clients and deposits -----------------------------------------------------------------------


class CreateClient(Request):
    """A client to add: an LNbits user and one of their wallets."""

    user_id: str = Field(..., min_length=1, max_length=ID_MAX)
    wallet_id: str = Field(..., min_length=1, max_length=ID_MAX)
    username: str | None = Field(None, max_length=NAME_MAX)
    dca_mode: DcaMode = DcaMode.FLOW
    fixed_mode_daily_limit: Decimal | None = Field(None, gt=0, le=DAILY_LIMIT_MAX)

    @validator("user_id", "wallet_id", "username")
    def _one_line(cls, value: str | None) -> str | None:
        return plain_text(value, "this field")


class UpdateClient(Request):
    """What changes of a client; a field that is not given stays."""

    wallet_id: str | None = Field(None, min_length=1, max_length=ID_MAX)
    username: str | None = Field(None, max_length=NAME_MAX)
    dca_mode: DcaMode | None
    fixed_mode_daily_limit: Decimal | None = Field(None, gt=0, le=DAILY_LIMIT_MAX)
    status: str | None = Field(None, regex="^(active|inactive)$")

    @validator("wallet_id", "username")
    def _one_line(cls, value: str | None) -> str | None:
        return plain_text(value, "this field")


class CreateDeposit(Request):
    """Cash a client brought, in whole currency units with at most the currency's own decimals."""

    client_id: str = Field(..., min_length=1, max_length=ID_MAX)
    amount: Decimal = Field(..., gt=0, le=WHOLE_UNITS_MAX)
    currency: str | None = None  # the operator's own
    notes: str | None = Field(None, max_length=TEXT_MAX)

    _short = validator("amount", pre=True, allow_reuse=True)(short_decimal)

    @validator("currency")
    def _currency(cls, value: str | None) -> str | None:
        return None if value is None else known_currency(value)

    @validator("notes")
    def _notes(cls, value: str | None) -> str | None:
        return plain_text(value, "notes")


class UpdateDepositStatus(Request):
    """Confirm or cancel a pending deposit. `effective_at`: from when its fiat counts."""

    status: DepositState
    notes: str | None = Field(None, max_length=TEXT_MAX)
    effective_at: datetime | None

    _aware = validator("effective_at", allow_reuse=True)(aware)

    @validator("notes")
    def _notes(cls, value: str | None) -> str | None:
        return plain_text(value, "notes")


# -- cash-outs ----------------------------------------------------------------------------------


class ProcessRequest(Request):
    """What a person states about a cash-out that the rules alone do not settle (design.md 7)."""

    reason: str | None = Field(None, max_length=TEXT_MAX)
    fiat_amount: Decimal | None = Field(None, gt=0, le=WHOLE_UNITS_MAX)
    fiat_is_wrong: bool = False  # Lamassu's fiat itself is wrong, not only what came out
    commission_percentage: Decimal | None = Field(None, ge=0, le=1)
    discount: Decimal | None = Field(None, ge=0, le=100)

    _short = validator(
        "fiat_amount", "commission_percentage", "discount", pre=True, allow_reuse=True
    )(short_decimal)

    @validator("reason")
    def _reason(cls, value: str | None) -> str | None:
        return given_reason(value) if value is not None else None


class ReasonRequest(Request):
    """An action that needs a reason."""

    reason: str = Field(..., max_length=TEXT_MAX)

    @validator("reason")
    def _reason(cls, value: str) -> str:
        return given_reason(value)


class EnabledRequest(Request):
    """A switch."""

    enabled: bool


class StartPoint(Request):
    """From when cash-outs count; null: from the moment automatic work is armed."""

    start_at: datetime | None = Field(...)

    _aware = validator("start_at", allow_reuse=True)(aware)


class HostKeyRequest(Request):
    """The OpenSSH public key line that the operator compared and accepts."""

    ssh_host_key: str = Field(..., min_length=20, max_length=SECRET_MAX)


class Page(BaseModel):
    """A page of a list and how long the list is."""

    data: list[dict[str, Any]]
    total: int


class Check(BaseModel):
    """One line of the readiness list. `ok` None: could not look."""

    name: str
    ok: bool | None
    detail: str
    hint: str = ""
    code: str | None = None
