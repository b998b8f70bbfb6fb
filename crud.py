"""The extension's database and its small operational tables. Lists and lookups of the books are in
books.py; everything that moves money is written inside adapters/settlement.py.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from lnbits.db import dict_to_model, model_to_dict
from lnbits.helpers import urlsafe_short_hash

from .database import BooksConnection, Row, db, own
from .models import OperatorSettings, StoredConfig

__all__ = ["db"]  # where LNbits and its tools look for it

CUT = "\n"  # between the columns of a halt; no id has it


async def fetch_row(
    query: str, values: dict[str, Any] | None = None, conn: BooksConnection | None = None
) -> Row | None:
    """The first row as a mapping, or None."""
    rows = await fetch_rows(query, values, conn)
    return rows[0] if rows else None


async def fetch_rows(
    query: str, values: dict[str, Any] | None = None, conn: BooksConnection | None = None
) -> list[Row]:
    """Rows as mappings; every caller's query carries its own limit."""
    given = values or {}
    if any(isinstance(value, str) and "\x00" in value for value in given.values()):
        return []  # PostgreSQL takes no such text, so nothing stored has it
    if conn is not None:
        return await conn.rows(query, given)
    return await own(lambda mine: mine.rows(query, given))


async def write(query: str, values: Mapping[str, Any], conn: BooksConnection | None = None) -> int:
    """Write, and commit unless it belongs to a transaction; how many rows were hit."""
    if conn is not None:
        return await conn.changed(query, values)
    return await own(lambda mine: mine.changed(query, values))


# -- settings ---------------------------------------------------------------------------------


async def get_settings(conn: BooksConnection | None = None) -> OperatorSettings:
    """The operator's settings; what was never saved has the default of models.py."""
    rows = await fetch_rows(
        "SELECT name, value FROM satoshimachine.operator_settings LIMIT 100", None, conn
    )
    return _settings_of(rows)


def _settings_of(rows: Sequence[Row]) -> OperatorSettings:
    known = OperatorSettings.__fields__
    return OperatorSettings(
        **{row["name"]: json.loads(row["value"]) for row in rows if row["name"] in known}
    )


async def get_settings_metas_and_halts(
    names: Sequence[str], conn: BooksConnection
) -> tuple[OperatorSettings, dict[str, Any], list[list[str]]]:
    """The operator's settings, the stored facts of these names, and what is halted as
    (id, scope, subject, reason): in one query, because every settlement asks it.
    """
    named = {f"v{i}": name for i, name in enumerate(names)}
    marks = ", ".join(f":{name}" for name in named)
    rows = await fetch_rows(
        "SELECT 'meta' AS kind, name, value FROM satoshimachine.meta"
        f" WHERE name IN ({marks}) UNION ALL"
        " SELECT 'setting', name, value FROM satoshimachine.operator_settings UNION ALL"
        " SELECT 'halt', id, scope || :cut || subject || :cut || reason FROM satoshimachine.halts"
        " WHERE lifted_us IS NULL",
        {**named, "cut": CUT},
        conn,
    )
    metas = {str(row["name"]): json.loads(row["value"]) for row in rows if row["kind"] == "meta"}
    halts = [
        [str(row["name"]), *str(row["value"]).split(CUT, 2)]
        for row in rows
        if row["kind"] == "halt"
    ]
    return _settings_of([row for row in rows if row["kind"] == "setting"]), metas, halts


async def save_settings(
    settings: Mapping[str, Any], now_us: int, conn: BooksConnection | None = None
) -> None:
    """Store these settings; the others stay as they are."""
    for name, value in settings.items():
        await write(
            """
            INSERT INTO satoshimachine.operator_settings (name, value, updated_us)
            VALUES (:name, :value, :now)
            ON CONFLICT (name) DO UPDATE SET value = :value, updated_us = :now
            """,
            {"name": name, "value": json.dumps(value), "now": now_us},
            conn,
        )


# -- meta -------------------------------------------------------------------------------------


async def get_meta(name: str, conn: BooksConnection | None = None) -> Any:
    """The stored fact of this name, or None."""
    row = await fetch_row(
        "SELECT value FROM satoshimachine.meta WHERE name = :name", {"name": name}, conn
    )
    return json.loads(row["value"]) if row else None


async def set_meta(name: str, value: Any, conn: BooksConnection | None = None) -> None:
    """Store a fact under this name."""
    await write(
        """
        INSERT INTO satoshimachine.meta (name, value) VALUES (:name, :value)
        ON CONFLICT (name) DO UPDATE SET value = :value
        """,
        {"name": name, "value": json.dumps(value)},
        conn,
    )


async def add_meta(name: str, value: Any, conn: BooksConnection | None = None) -> bool:
    """Store a fact unless there is one already; True when this call stored it."""
    hit = await write(
        """
        INSERT INTO satoshimachine.meta (name, value) VALUES (:name, :value)
        ON CONFLICT (name) DO NOTHING
        """,
        {"name": name, "value": json.dumps(value)},
        conn,
    )
    return hit == 1


async def get_metas(names: Sequence[str], conn: BooksConnection | None = None) -> dict[str, Any]:
    """The stored facts of these names, those that there are."""
    named = {f"v{i}": name for i, name in enumerate(names)}
    marks = ", ".join(f":{name}" for name in named)
    rows = await fetch_rows(
        f"SELECT name, value FROM satoshimachine.meta WHERE name IN ({marks})", named, conn
    )
    return {str(row["name"]): json.loads(row["value"]) for row in rows}


async def delete_meta(name: str, conn: BooksConnection | None = None) -> None:
    """Forget the fact of this name."""
    await write("DELETE FROM satoshimachine.meta WHERE name = :name", {"name": name}, conn)


# -- connection -------------------------------------------------------------------------------


async def get_config(conn: BooksConnection | None = None) -> StoredConfig | None:
    """The connection to Lamassu with its secrets sealed, or None before the first save."""
    row = await fetch_row(
        "SELECT * FROM satoshimachine.lamassu_config ORDER BY created_us, id LIMIT 1", None, conn
    )
    return dict_to_model(dict(row), StoredConfig) if row else None


async def update_config(config: StoredConfig, conn: BooksConnection) -> None:
    """Save a changed connection, all but the stop switch: a stop that was set meanwhile stays.

    Through a settlement's connection, which strips no markup: a sealed secret is plain text, but a
    role's name may contain any.
    """
    columns = {k: v for k, v in model_to_dict(config).items() if k != "polling_enabled"}
    changes = ", ".join(f"{name} = :{name}" for name in columns if name != "id")
    await conn.execute(
        f"UPDATE satoshimachine.lamassu_config SET {changes} WHERE id = :id", columns
    )


async def delete_config(config_id: str, conn: BooksConnection) -> None:
    """Forget the connection and its secrets; cash-outs, settings and the start point stay."""
    await conn.execute(
        "DELETE FROM satoshimachine.lamassu_config WHERE id = :id", {"id": config_id}
    )


async def set_polling_enabled(
    enabled: bool, now_us: int, conn: BooksConnection | None = None
) -> None:
    """The operator's stop switch; the same column that the emergency SQL sets."""
    await write(
        "UPDATE satoshimachine.lamassu_config SET polling_enabled = :enabled, updated_us = :now",
        {"enabled": enabled, "now": now_us},
        conn,
    )


async def store_test_result(success: bool, now_us: int, conn: BooksConnection) -> None:
    """Remember when the connection was last tested and how it went."""
    await write(
        "UPDATE satoshimachine.lamassu_config"
        " SET test_connection_us = :now, test_connection_success = :success",
        {"now": now_us, "success": success},
        conn,
    )


# -- polls ------------------------------------------------------------------------------------


async def start_poll(cause: str, full_comparison: bool, now_us: int) -> str:
    """Record that a poll began; a kill leaves it 'running', which the next one closes."""
    poll_id = urlsafe_short_hash()

    async def work(conn: BooksConnection) -> None:
        if await conn.row("SELECT id FROM satoshimachine.polls WHERE result = 'running' LIMIT 1"):
            await conn.execute(
                "UPDATE satoshimachine.polls SET result = 'failed', finished_us = :now,"
                " error_code = 'INTERRUPTED', error_message = 'It was interrupted',"
                " hint = 'The next poll did its work again' WHERE result = 'running'",
                {"now": now_us},
            )
        await conn.execute(
            "INSERT INTO satoshimachine.polls (id, cause, started_us, result, full_comparison)"
            " VALUES (:id, :cause, :now, 'running', :full)",
            {"id": poll_id, "cause": cause, "now": now_us, "full": full_comparison},
        )

    await own(work)
    return poll_id


async def finish_poll(poll_id: str, facts: Mapping[str, Any]) -> None:
    """Record how a poll ended. `facts` are columns of the polls table."""
    changes = ", ".join(f"{name} = :{name}" for name in facts)
    await write(
        f"UPDATE satoshimachine.polls SET {changes} WHERE id = :id",
        {"id": poll_id, **facts},
    )


async def last_poll(result: str | None = None) -> Row | None:
    """The newest poll, or the newest with this result."""
    where = "WHERE result = :result" if result else ""
    return await fetch_row(
        f"SELECT * FROM satoshimachine.polls {where} ORDER BY started_us DESC LIMIT 1",
        {"result": result} if result else None,
    )


# -- lease ------------------------------------------------------------------------------------


async def take_lease(
    name: str, holder: str, now_us: int, until_us: int, steal_from: str | None = None
) -> bool:
    """Take or renew a lease; True when it is ours now. For efficiency only: what must not happen
    twice is guarded by constraints.
    """
    hit = await write(
        """
        INSERT INTO satoshimachine.leases (name, holder, expires_us)
        VALUES (:name, :holder, :until)
        ON CONFLICT (name) DO UPDATE SET holder = :holder, expires_us = :until
        WHERE leases.holder IN (:holder, :steal_from) OR leases.expires_us < :now
        """,
        {
            "name": name,
            "holder": holder,
            "until": until_us,
            "now": now_us,
            "steal_from": steal_from or holder,
        },
    )
    return hit == 1


async def lease_holder(name: str) -> str | None:
    """Who holds the lease, or None."""
    row = await fetch_row(
        "SELECT holder FROM satoshimachine.leases WHERE name = :name", {"name": name}
    )
    return str(row["holder"]) if row else None


async def give_lease(name: str, holder: str) -> None:
    """Give a lease back, if it is still ours."""
    await write(
        "DELETE FROM satoshimachine.leases WHERE name = :name AND holder = :holder",
        {"name": name, "holder": holder},
    )


# -- what the source looked like ----------------------------------------------------------------


async def known_hours(since_us: int) -> dict[int, tuple[int, str]]:
    """Hour -> (rows, digest) as last stored completely, from `since_us` on."""
    rows = await fetch_rows(
        "SELECT hour_us, rows, digest FROM satoshimachine.source_hours" " WHERE hour_us >= :since",
        {"since": since_us},
    )
    return {int(r["hour_us"]): (int(r["rows"]), str(r["digest"])) for r in rows}


async def store_hours(hours: Sequence[tuple[int, int, str]]) -> None:
    """Remember (hour, rows, digest) of hours whose rows are all stored now, in one commit."""
    if not hours:
        return
    await own(
        lambda conn: conn.insert_rows(
            "satoshimachine.source_hours",
            [{"hour_us": hour, "rows": rows, "digest": digest} for hour, rows, digest in hours],
            on_conflict="ON CONFLICT (hour_us)"
            " DO UPDATE SET rows = excluded.rows, digest = excluded.digest",
        )
    )


async def forget_hour(hour_us: int, conn: BooksConnection | None = None) -> None:
    """What is stored of this hour is not what it looked like."""
    query = "DELETE FROM satoshimachine.source_hours WHERE hour_us = :hour"
    await write(query, {"hour": hour_us}, conn)


async def forget_hours(conn: BooksConnection) -> None:
    """Look at every row again, as after a new start point or another source."""
    await conn.execute("DELETE FROM satoshimachine.source_hours")
