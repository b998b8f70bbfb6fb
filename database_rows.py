"""Rows of SQLite by the names of their columns."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any


class NamedRows:
    """A connection's row factory; the names are looked up once a cursor."""

    def __init__(self) -> None:
        self._cursor: sqlite3.Cursor | None = None
        self._names: tuple[str, ...] = ()

    def __call__(self, cursor: sqlite3.Cursor, values: tuple[Any, ...]) -> Mapping[str, Any]:
        if cursor is not self._cursor:
            self._cursor = cursor
            self._names = tuple(column[0] for column in cursor.description)
        return dict(zip(self._names, values, strict=True))
