"""The rules of alerts as the operator changed them, at hand without a query.

They are read where an alert is raised, inside a settlement too, so this process remembers them; the
watch reads them again in each pass, for a change that was made in another process.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import clock, crud
from ..adapters.audit import record
from ..adapters.settlement import settlement
from ..database import BooksConnection
from ..domain.alert_rules import BY_KIND, Rule, changed
from ..errors import BadInput
from ..models_watch import ChangeWatchSettings, WatchSettings

NAME = "watch"  # in operator_settings
UNKNOWN = Rule("", "warning", "Not in the table")


class _Current:
    """What this process knows of them."""

    settings = WatchSettings()
    rules: Mapping[str, Rule] = BY_KIND


def current() -> Mapping[str, Rule]:
    """Every rule as it is in force."""
    return _Current.rules


def rule_of(kind: str) -> Rule:
    """The rule of a kind; of one that is not in the table, a plain one."""
    return _Current.rules.get(kind, UNKNOWN)


def severity_of(kind: str, given: str) -> str:
    """What the operator chose for this kind, or else what it was raised with."""
    chosen: str = _Current.settings.rules.get(kind, {}).get("severity", given)
    return chosen


async def read_settings(conn: BooksConnection | None = None) -> WatchSettings:
    """The stored settings, which are in force from now on."""
    row = await crud.fetch_row(
        "SELECT value FROM satoshimachine.operator_settings WHERE name = :name",
        {"name": NAME},
        conn,
    )
    settings = WatchSettings.parse_raw(row["value"]) if row else WatchSettings()
    _take(settings)
    return settings


def _take(settings: WatchSettings) -> None:
    _Current.settings = settings
    _Current.rules = {
        kind: changed(rule, settings.rules.get(kind, {})) for kind, rule in BY_KIND.items()
    }


async def change_settings(data: ChangeWatchSettings, actor: str) -> WatchSettings:
    """Change some; the others stay. Raises BadInput, and nothing is stored then."""
    now_us = clock.now_us()
    given = data.dict(exclude_unset=True, exclude={"rules"}, exclude_none=True)

    async def work(conn: BooksConnection) -> WatchSettings:
        before = await read_settings(conn)
        rules = {kind: dict(changes) for kind, changes in before.rules.items()}
        for kind, change in data.rules.items():
            kept = {} if change.default else rules.get(kind, {})
            told = change.dict(exclude_unset=True, exclude_none=True, exclude={"default"})
            rules[kind] = _beside_table(kind, {**kept, **told})
        after = WatchSettings(**{**before.dict(), **given, "rules": rules})
        after.rules = {kind: changes for kind, changes in after.rules.items() if changes}
        await crud.save_settings({NAME: after.dict()}, now_us, conn)
        await record(
            conn,
            "alert_settings_saved",
            "settings",
            {},
            actor=actor,
            now_us=now_us,
            before=before.dict(),
            after=after.dict(),
        )
        conn.after_commit.append(lambda: _take(after))
        return after

    return await settlement(work)


def _beside_table(kind: str, changes: Mapping[str, Any]) -> dict[str, Any]:
    """What differs from the table. Raises BadInput."""
    table = BY_KIND[kind]
    try:
        made = changed(table, changes)
    except ValueError as exc:
        sentence = str(exc)
        raise BadInput(
            sentence,
            hint="Choose a value in the range that is named.",
            errors=[{"field": kind, "message": sentence}],
        ) from exc
    return {name: getattr(made, name) for name in changes if vars(made)[name] != vars(table)[name]}
