"""What the routes of the runbook and of incidents take. Lengths are what a binder's line holds."""

from __future__ import annotations

from pydantic import Field, validator

from .domain.fields import given_reason, plain_text
from .domain.runbook import LINES, NAMES, OTHER, OUTCOMES, ROLES, SEVERITIES
from .models import NAME_MAX, SUPPLY_SATS, TEXT_MAX, Request

EMAIL_MAX = 254
PHONE_MAX = 40
MINUTES_MAX = 7 * 24 * 60
COUNT_MAX = 1_000_000
LINE_MAX = max(LINES.values())


class StartIncident(Request):
    """What happened, how bad it is, and what is known so far."""

    failure: str = Field(..., regex=f"^({'|'.join((*NAMES, OTHER))})$")
    severity: str = Field(..., regex=f"^({'|'.join(SEVERITIES)})$")
    note: str = Field(..., max_length=TEXT_MAX)

    @validator("note")
    def _note(cls, value: str) -> str:
        return given_reason(value)


class RecordPhase(Request):
    """A phase that is done: which lines of its checklist, counted from 1, and a note."""

    phase: int = Field(..., ge=1, le=5)
    done: list[int] = Field(default_factory=list, max_items=LINE_MAX)
    note: str = Field("", max_length=TEXT_MAX)

    @validator("note")
    def _note(cls, value: str) -> str:
        return plain_text(value, "the note") or ""

    @validator("done")
    def _lines(cls, value: list[int]) -> list[int]:
        if any(not 1 <= line <= LINE_MAX for line in value):
            raise ValueError(f"lines are numbers from 1 to {LINE_MAX}")
        return sorted(set(value))


class IncidentNote(Request):
    """Something to write down."""

    note: str = Field(..., max_length=TEXT_MAX)

    @validator("note")
    def _note(cls, value: str) -> str:
        return given_reason(value)


class CloseIncident(IncidentNote):
    """How it ended, and what it cost."""

    outcome: str = Field(..., regex=f"^({'|'.join(OUTCOMES)})$")
    sats: int = Field(0, ge=0, le=SUPPLY_SATS)
    clients: int = Field(0, ge=0, le=COUNT_MAX)
    cash_outs: int = Field(0, ge=0, le=COUNT_MAX)


class SaveContact(Request):
    """Who is called in a role; empty fields are empty in the binder, too."""

    name: str = Field("", max_length=NAME_MAX)
    email: str = Field("", max_length=EMAIL_MAX)
    phone: str = Field("", max_length=PHONE_MAX)
    available: str = Field("", max_length=NAME_MAX)
    after_minutes: int | None = Field(None, ge=0, le=MINUTES_MAX)
    above_sats: int | None = Field(None, ge=0, le=SUPPLY_SATS)

    @validator("name", "email", "phone", "available")
    def _line(cls, value: str) -> str:
        return plain_text(value, "it") or ""


class LogChange(Request):
    """What was changed in the runbook or in how it is followed."""

    name: str = Field(..., min_length=1, max_length=NAME_MAX)
    note: str = Field(..., max_length=TEXT_MAX)

    @validator("name")
    def _name(cls, value: str) -> str:
        text = plain_text(value, "the name") or ""
        if not text:
            raise ValueError("must not be empty")
        return text

    @validator("note")
    def _note(cls, value: str) -> str:
        return given_reason(value)


class SignOff(LogChange):
    """That somebody read the runbook and stands by it."""

    role: str = Field(..., regex=f"^({'|'.join(ROLES[:3])})$")
    note: str = Field("", max_length=TEXT_MAX)

    @validator("note")
    def _note(cls, value: str) -> str:
        return plain_text(value, "the note") or ""
