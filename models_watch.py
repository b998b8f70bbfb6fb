"""What is stored and asked about alerts, their rules and the channels they go to."""

from __future__ import annotations

from enum import Enum
from typing import Any

from pydantic import BaseModel, Field, validator

from .domain.alert_rules import BY_KIND, SEVERITIES
from .domain.fields import CONTROL, given_reason, is_text, plain_text
from .domain.telling import MINUTES_OF_DAY
from .models import ID_MAX, NAME_MAX, SECRET_MAX, TEXT_MAX, Request

URL_MAX = 2_000
CLIENT_TEXT_MAX = 1_000
CLIENTS_MAX = 500
SEVERITY = f"^({'|'.join(SEVERITIES)})$"


class ChannelKind(str, Enum):
    """Where a channel goes and in whose format."""

    WEBHOOK = "webhook"  # our JSON, signed
    SLACK = "slack"
    DISCORD = "discord"
    NTFY = "ntfy"
    LNBITS = "lnbits"  # what LNbits' own administrator set up: e-mail, Telegram, Nostr
    PING = "ping"  # healthchecks style: silence is the alarm


class WatchSettings(BaseModel):
    """What the operator decides about alerts. A missing one has its default here."""

    quiet_from_minute: int = Field(22 * 60, ge=0, lt=MINUTES_OF_DAY)
    quiet_to_minute: int = Field(7 * 60, ge=0, lt=MINUTES_OF_DAY)
    quiet_hours: bool = False
    allow_private_addresses: bool = False
    rules: dict[str, dict[str, Any]] = Field(default_factory=dict)  # what differs from the table


class ChangeRule(Request):
    """What to change of one kind of alert; a field that is not given stays."""

    severity: str | None = Field(None, regex=SEVERITY)
    threshold: int | None
    cooldown_s: int | None
    escalate_s: int | None
    can_wait: bool | None
    told: bool | None
    default: bool = False  # back to the table


class ChangeWatchSettings(Request):
    """What to change; a field that is not given stays."""

    quiet_hours: bool | None
    quiet_from_minute: int | None = Field(None, ge=0, lt=MINUTES_OF_DAY)
    quiet_to_minute: int | None = Field(None, ge=0, lt=MINUTES_OF_DAY)
    allow_private_addresses: bool | None
    rules: dict[str, ChangeRule] = Field(default_factory=dict)

    @validator("rules")
    def _known(cls, value: dict[str, ChangeRule]) -> dict[str, ChangeRule]:
        for kind in value:
            if kind not in BY_KIND:
                raise ValueError("there is no such kind of alert")
        return value


class SaveChannel(Request):
    """A channel to add or change. A secret or address that is not given stays; an empty secret is
    removed.
    """

    name: str = Field(..., min_length=1, max_length=NAME_MAX)
    kind: ChannelKind
    url: str | None = Field(None, max_length=URL_MAX)
    secret: str | None = Field(None, max_length=SECRET_MAX)
    min_severity: str = Field("warning", regex=SEVERITY)
    level: int = Field(1, ge=1, le=3)
    enabled: bool = True

    @validator("name")
    def _name(cls, value: str) -> str:
        text = (plain_text(value, "name") or "").strip()
        if not text:
            raise ValueError("must not be empty")
        return text

    @validator("url", "secret")
    def _one_line(cls, value: str | None) -> str | None:
        if value and (CONTROL.search(value) or not is_text(value) or value != value.strip()):
            raise ValueError("must be one line without spaces around it")
        return value

    @validator("secret")
    def _header(cls, value: str | None) -> str | None:
        if value and not value.isascii():
            raise ValueError("must be of ASCII characters: a header carries it")
        return value


class AcknowledgeRequest(Request):
    """That somebody took an alert, and what they say to it."""

    note: str | None = Field(None, max_length=TEXT_MAX)

    @validator("note")
    def _note(cls, value: str | None) -> str | None:
        return given_reason(value) if value else None


class TellClients(Request):
    """The message that the operator saw, to the clients they saw."""

    client_ids: list[str] = Field(..., min_items=1, max_items=CLIENTS_MAX)
    message: str = Field(..., min_length=1, max_length=CLIENT_TEXT_MAX)

    @validator("client_ids", each_item=True)
    def _id(cls, value: str) -> str:
        if len(value) > ID_MAX:
            raise ValueError("is no id of a client")
        return plain_text(value, "an id") or ""

    @validator("message")
    def _message(cls, value: str) -> str:
        return given_reason(value)
