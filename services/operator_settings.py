"""The operator's settings: checked as a whole, changed in one commit with the audit trail."""

from __future__ import annotations

from pydantic import ValidationError

from .. import clock, crud
from ..adapters.audit import record
from ..adapters.lamassu_postgres import open_source
from ..adapters.settlement import settlement
from ..database import BooksConnection
from ..domain.days import instant_us
from ..domain.states import HoldCode, SplitRule
from ..errors import BadInput
from ..models import OperatorSettings, UpdateSettings
from .intake import release_if_eligible
from .observe import look_at_everything_again
from .source import source_settings

HELD_BY_RULE_MAX = 5_000  # far more than anybody leaves on hold


async def update_settings(data: UpdateSettings, actor: str) -> OperatorSettings:
    """Change settings. Raises BadInput when one is out of its range; nothing is stored then."""
    now_us = clock.now_us()
    given = data.dict(exclude_unset=True, exclude={"start_at"})
    if data.start_at is not None:
        given["start_at_us"] = instant_us(data.start_at)
        if given["start_at_us"] > now_us:
            raise BadInput("The start point is in the future", hint="Choose a moment up to now.")

    async def work(conn: BooksConnection) -> OperatorSettings:
        before = await crud.get_settings(conn)
        after = _checked({**before.dict(), **given})
        plain = {name: getattr(value, "value", value) for name, value in given.items()}
        await crud.save_settings(plain, now_us, conn)
        if after.start_at_us != before.start_at_us:
            await look_at_everything_again(conn)
        if after.split_rule != before.split_rule:
            await _release_held_by_rule(conn, after.split_rule)
        was = before.dict(include=set(plain))
        await record(
            conn,
            "settings_saved",
            "settings",
            {},
            actor=actor,
            now_us=now_us,
            before={name: getattr(value, "value", value) for name, value in was.items()},
            after=plain,
        )
        return after

    return await settlement(work)


def _checked(values: dict[str, object]) -> OperatorSettings:
    try:
        return OperatorSettings(**values)  # type: ignore[arg-type]
    except ValidationError as exc:
        errors = [
            {"field": str(error["loc"][0]), "message": str(error["msg"])} for error in exc.errors()
        ]
        raise BadInput(
            "; ".join(f"{error['field']}: {error['message']}" for error in errors),
            hint="Choose a value in the range that is named.",
            errors=errors,
        ) from exc


async def preview_start(start_at_us: int) -> tuple[int, int]:
    """(cash-outs, sats) that a start point brings in. Raises NotConfigured or SourceError."""
    async with open_source(source_settings(await crud.get_config())) as source:
        return await source.count_since(start_at_us)


async def _release_held_by_rule(conn: BooksConnection, rule: SplitRule) -> None:
    """Rows held because the old rule lacked a price may be fine under the new one."""
    rows = await conn.rows(
        "SELECT * FROM satoshimachine.lamassu_transactions WHERE status = 'held'"
        " AND hold_code = :code LIMIT :most",
        {"code": HoldCode.TICKER_MISSING.value, "most": HELD_BY_RULE_MAX},
    )
    for row in rows:
        await release_if_eligible(conn, row, rule)
