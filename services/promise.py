"""What a promise is: questions to the databases that no row answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Question:
    """`sql` selects what must not be, with a column `subject`; `says` is the sentence for it."""

    says: str
    sql: str
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Invariant:
    """A promise with its name and the questions that hold it."""

    code: str
    name: str
    questions: tuple[Question, ...]
