"""What a reconciliation may be asked to compare, checked where it comes in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from pydantic import Field, root_validator, validator

from .domain.fields import given_reason, plain_text
from .models import ID_MAX, TEXT_MAX, Request

PAGE_ROWS, PAGE_ROWS_MAX = 250, 1000


class ScopeKind(str, Enum):
    """How much is compared."""

    EVERYTHING = "everything"
    SINCE_LAST = "since_last"  # what happened since the last good run, and what is not at rest
    CLIENT = "client"
    MACHINE = "machine"
    DATES = "dates"
    CASH_OUT = "cash_out"


@dataclass(frozen=True)
class Scope:
    """One of the kinds, with its value; `page_rows`: cash-outs and source rows a page (LIQ-2)."""

    kind: ScopeKind = ScopeKind.EVERYTHING
    client: str | None = None
    machine: str | None = None
    from_day: str | None = None
    to_day: str | None = None
    cash_out: str | None = None
    page_rows: int = PAGE_ROWS

    def plain(self) -> dict[str, Any]:
        """As it is stored; the page size is no part of what is compared."""
        given = {name: value for name, value in vars(self).items() if value is not None}
        return {**given, "kind": self.kind.value, "page_rows": self.page_rows}

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Scope:
        """As it was stored."""
        return cls(**{**stored, "kind": ScopeKind(stored["kind"])})


class ReconcileRequest(Request):
    """What to compare; everything when nothing is said."""

    kind: ScopeKind = ScopeKind.EVERYTHING
    client: str | None = Field(None, max_length=ID_MAX)
    machine: str | None = Field(None, max_length=ID_MAX)
    from_day: str | None = Field(None, max_length=10)
    to_day: str | None = Field(None, max_length=10)
    cash_out: str | None = Field(None, max_length=ID_MAX)
    page_rows: int = PAGE_ROWS

    @validator("client", "machine", "cash_out")
    def _plain(cls, value: str | None) -> str | None:
        return plain_text(value, "an id") or None

    @root_validator(skip_on_failure=True)
    def _complete(cls, values: dict[str, Any]) -> dict[str, Any]:
        needed = {
            ScopeKind.CLIENT: ("client",),
            ScopeKind.MACHINE: ("machine",),
            ScopeKind.DATES: ("from_day", "to_day"),
            ScopeKind.CASH_OUT: ("cash_out",),
        }.get(values["kind"], ())
        if needed and not any(values[name] for name in needed):
            raise ValueError(f"{values['kind'].value} needs {' or '.join(needed)}")
        return values

    def scope(self) -> Scope:
        """Page sizes outside 1 to 1000 become the nearest that is allowed (LIQ-2)."""
        size = max(1, min(self.page_rows, PAGE_ROWS_MAX))
        return Scope(**{**self.dict(), "page_rows": size})


class NoteRequest(Request):
    """Something to be written down about a finding."""

    note: str = Field(..., max_length=TEXT_MAX)

    @validator("note")
    def _note(cls, value: str) -> str:
        return given_reason(value)
