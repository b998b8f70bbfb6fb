"""The extension's database and its small operational tables. Lists and lookups of the books are in
books.py; everything that moves money is written inside adapters/settlement.py.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

from lnbits.db import Connection, Database, model_to_dict
from lnbits.helpers import urlsafe_short_hash
from sqlalchemy.sql import text

from .models import OperatorSettings, StoredConfig

db = Database("ext_satoshimachine")

Row = Mapping[str, Any]


async def fetch_row(
    query: str, values: dict[str, Any] | None = None, conn: Connection | None = None
) -> Row | None:
    """The first row as a mapping, or None."""
    rows = await fetch_rows(query, values, conn)
    return rows[0] if rows else None


async def fetch_rows(
    query: str, values: dict[str, Any] | None = None, conn: Connection | None = None
) -> list[Row]:
    """Rows as mappings; every caller's query carries its own limit.

    Past LNbits' `fetchall`, which strips markup from text: a search would be another search.
    """
    if conn is None:
        async with db.connect() as own:
            return await fetch_rows(query, values, own)
    given = values or {}
    if any(isinstance(value, str) and "\x00" in value for value in given.values()):
        return []  # PostgreSQL takes no such text, so nothing stored has it
    rewritten = conn.rewrite_values(given)
    bound = {k: v if isinstance(v, str) else rewritten[k] for k, v in given.items()}
    result = await conn.conn.execute(text(conn.rewrite_query(query)), bound)
    return cast("list[Row]", list(result.mappings().all()))


# -- settings ---------------------------------------------------------------------------------


async def get_settings(conn: Connection | None = None) -> OperatorSettings:
    """The operator's settings; what was never saved has the default of models.py."""
    rows = await fetch_rows(
        "SELECT name, value FROM satoshimachine.operator_settings LIMIT 100", None, conn
    )
    known = OperatorSettings.__fields__
    return OperatorSettings(
        **{row["name"]: json.loads(row["value"]) for row in rows if row["name"] in known}
    )


async def save_settings(
    settings: Mapping[str, Any], now_us: int, conn: Connection | None = None
) -> None:
    """Store these settings; the others stay as they are."""
    for name, value in settings.items():
        await (conn or db).execute(
            """
            INSERT INTO satoshimachine.operator_settings (name, value, updated_us)
            VALUES (:name, :value, :now)
            ON CONFLICT (name) DO UPDATE SET value = :value, updated_us = :now
            """,
            {"name": name, "value": json.dumps(value), "now": now_us},
        )


# -- meta -------------------------------------------------------------------------------------


async def get_meta(name: str, conn: Connection | None = None) -> Any:
    """The stored fact of this name, or None."""
    row = await fetch_row(
        "SELECT value FROM satoshimachine.meta WHERE name = :name", {"name": name}, conn
    )
    return json.loads(row["value"]) if row else None


async def set_meta(name: str, value: Any, conn: Connection | None = None) -> None:
    """Store a fact under this name."""
    await (conn or db).execute(
        """
        INSERT INTO satoshimachine.meta (name, value) VALUES (:name, :value)
        ON CONFLICT (name) DO UPDATE SET value = :value
        """,
        {"name": name, "value": json.dumps(value)},
    )


async def add_meta(name: str, value: Any, conn: Connection | None = None) -> bool:
    """Store a fact unless there is one already; True when this call stored it."""
    result = await (conn or db).execute(
        """
        INSERT INTO satoshimachine.meta (name, value) VALUES (:name, :value)
        ON CONFLICT (name) DO NOTHING
        """,
        {"name": name, "value": json.dumps(value)},
    )
    return int(result.rowcount) == 1


async def get_metas(names: Sequence[str], conn: Connection | None = None) -> dict[str, Any]:
    """The stored facts of these names, those that there are."""
    named = {f"v{i}": name for i, name in enumerate(names)}
    marks = ", ".join(f":{name}" for name in named)
    rows = await fetch_rows(
        f"SELECT name, value FROM satoshimachine.meta WHERE name IN ({marks})", named, conn
    )
    return {str(row["name"]): json.loads(row["value"]) for row in rows}


async def delete_meta(name: str, conn: Connection | None = None) -> None:
    """Forget the fact of this name."""
    await (conn or db).execute("DELETE FROM satoshimachine.meta WHERE name = :name", {"name": name})


# -- connection -------------------------------------------------------------------------------


async def get_config(conn: Connection | None = None) -> StoredConfig | None:
    """The connection to Lamassu with its secrets sealed, or None before the first save."""
    return cast(
        "StoredConfig | None",
        await (conn or db).fetchone(
            "SELECT * FROM satoshimachine.lamassu_config ORDER BY created_us, id LIMIT 1",
            None,
            StoredConfig,
        ),
    )


async def update_config(config: StoredConfig, conn: Connection) -> None:
    """Save a changed connection, all but the stop switch: a stop that was set meanwhile stays.

    Through a settlement's connection, which strips no markup: a sealed secret is plain text, but a
    role's name may contain any.
    """
    columns = {k: v for k, v in model_to_dict(config).items() if k != "polling_enabled"}
    changes = ", ".join(f"{name} = :{name}" for name in columns if name != "id")
    await conn.execute(
        f"UPDATE satoshimachine.lamassu_config SET {changes} WHERE id = :id", columns
    )


async def delete_config(config_id: str, conn: Connection) -> None:
    """Forget the connection and its secrets; cash-outs, settings and the start point stay."""
    await conn.execute(
        "DELETE FROM satoshimachine.lamassu_config WHERE id = :id", {"id": config_id}
    )


async def set_polling_enabled(enabled: bool, now_us: int, conn: Connection | None = None) -> None:
    """The operator's stop switch; the same column that the emergency SQL sets."""
    await (conn or db).execute(
        "UPDATE satoshimachine.lamassu_config SET polling_enabled = :enabled, updated_us = :now",
        {"enabled": enabled, "now": now_us},
    )


async def store_test_result(success: bool, now_us: int) -> None:
    """Remember when the connection was last tested and how it went."""
    await db.execute(
        "UPDATE satoshimachine.lamassu_config"
        " SET test_connection_us = :now, test_connection_success = :success",
        {"now": now_us, "success": success},
    )


# -- polls ------------------------------------------------------------------------------------


async def start_poll(cause: str, full_comparison: bool, now_us: int) -> str:
    """Record that a poll began; a kill leaves it 'running', which the next one closes."""
    poll_id = urlsafe_short_hash()
    async with db.connect() as conn:
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
    return poll_id


async def finish_poll(poll_id: str, facts: Mapping[str, Any]) -> None:
    """Record how a poll ended. `facts` are columns of the polls table."""
    changes = ", ".join(f"{name} = :{name}" for name in facts)
    await db.execute(
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
    result = await db.execute(
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
    return int(result.rowcount) == 1


async def lease_holder(name: str) -> str | None:
    """Who holds the lease, or None."""
    row = await fetch_row(
        "SELECT holder FROM satoshimachine.leases WHERE name = :name", {"name": name}
    )
    return str(row["holder"]) if row else None


async def give_lease(name: str, holder: str) -> None:
    """Give a lease back, if it is still ours."""
    await db.execute(
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
    async with db.connect() as conn:
        await conn.conn.execute(
            text(
                "INSERT INTO satoshimachine.source_hours (hour_us, rows, digest)"
                " VALUES (:hour, :rows, :digest) ON CONFLICT (hour_us)"
                " DO UPDATE SET rows = excluded.rows, digest = excluded.digest"
            ),
            [{"hour": hour, "rows": rows, "digest": digest} for hour, rows, digest in hours],
        )
        await conn.conn.commit()


async def forget_hour(hour_us: int) -> None:
    """Nothing of this hour concerns us any more."""
    await db.execute(
        "DELETE FROM satoshimachine.source_hours WHERE hour_us = :hour", {"hour": hour_us}
    )


async def forget_hours(conn: Connection) -> None:
    """Look at every row again, as after a new start point or another source."""
    await conn.execute("DELETE FROM satoshimachine.source_hours")
