"""Daily balance snapshots (SAT-16): what every account held when a UTC day ended.

A row follows from the ledger's entries up to that moment, so a day that was missed is filled in
later with what was true then. A day is done once and never again: its rows are append-only.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from .. import clock, crud
from ..adapters.ledger import SAT
from ..domain.days import datetime_utc, day_start_us

ACCOUNTS_PER_SLICE = 200
DAYS_FILLED_MAX = 31  # before the first snapshot; later ones are filled however many there are
DAYS_PER_VISIT = 3  # the heartbeat has other work
HISTORY_MAX = 400
UTC = "UTC"
META_LAST = "snapshots_last_day"


async def take_snapshots(day: date) -> int:
    """Write the rows of one day that has ended; how many were written now. Safe to repeat."""
    rows = await crud.fetch_rows("SELECT DISTINCT account FROM satoshimachine.ledger_balances")
    accounts = sorted(str(row["account"]) for row in rows)
    written = 0
    for start in range(0, len(accounts), ACCOUNTS_PER_SLICE):
        part = accounts[start : start + ACCOUNTS_PER_SLICE]
        names = {f"a{number}": account for number, account in enumerate(part)}
        written += await crud.write(
            TAKE.format(marks=", ".join(f":{name}" for name in names)),
            {
                **names,
                "day": day.isoformat(),
                "begins": day_start_us(day, UTC),
                "ends": day_start_us(day + timedelta(days=1), UTC),
                "now": clock.now_us(),
            },
        )
    return written


# The newest entry of each account from before the end of the day. An account that is empty has a
# row only on the day that emptied it.
TAKE = """
    INSERT INTO satoshimachine.balance_snapshots
        (account, unit, day, balance, last_seq, taken_us)
    SELECT e.account, e.unit, CAST(:day AS TEXT), e.balance_after, e.seq, CAST(:now AS BIGINT)
    FROM satoshimachine.ledger_entries e
    WHERE e.seq IN (
        SELECT (SELECT x.seq FROM satoshimachine.ledger_entries x
            WHERE x.account = b.account AND x.unit = b.unit AND x.created_us < :ends
            ORDER BY x.seq DESC LIMIT 1)
        FROM satoshimachine.ledger_balances b WHERE b.account IN ({marks})
    ) AND (e.balance_after <> 0 OR e.created_us >= :begins)
    ON CONFLICT (account, unit, day) DO NOTHING
"""


class _Done:
    """The last day that this process knows to be done."""

    day: date | None = None


def forget() -> None:
    """Look at what is stored again."""
    _Done.day = None


async def take_due_snapshots() -> int:
    """Days that have ended and are not done, oldest first, a few a visit; how many were done."""
    yesterday = datetime_utc(clock.now_us()).date() - timedelta(days=1)
    if _Done.day is not None and _Done.day >= yesterday:
        return 0
    day = await _first_missing(yesterday)
    done = 0
    while day <= yesterday and done < DAYS_PER_VISIT:
        await take_snapshots(day)
        await crud.set_meta(META_LAST, day.isoformat())
        day, done = day + timedelta(days=1), done + 1
    _Done.day = day - timedelta(days=1)
    return done


async def _first_missing(yesterday: date) -> date:
    last = await crud.get_meta(META_LAST)
    if last is not None:
        return date.fromisoformat(last) + timedelta(days=1)
    earliest = yesterday - timedelta(days=DAYS_FILLED_MAX - 1)
    rows = await crud.fetch_rows(
        "SELECT created_us FROM satoshimachine.ledger_entries ORDER BY seq LIMIT 1"
    )
    if not rows:
        return yesterday
    return max(earliest, min(yesterday, datetime_utc(int(rows[0]["created_us"])).date()))


async def history(client_id: str, limit: int) -> list[dict[str, Any]]:
    """A client's snapshots, newest first: fiat per currency, and sats paid and owed."""
    accounts = {f"client:{client_id}": "fiat", f"paid:{client_id}": "paid_sats"}
    accounts[f"owed:{client_id}"] = "owed_sats"
    names = {f"a{number}": account for number, account in enumerate(accounts)}
    rows = await crud.fetch_rows(
        "SELECT account, unit, day, balance FROM satoshimachine.balance_snapshots"
        f" WHERE account IN ({', '.join(f':{name}' for name in names)})"
        " ORDER BY day DESC, account, unit LIMIT :most",
        {**names, "most": min(limit, HISTORY_MAX) * len(accounts) * 2},
    )
    days: dict[str, dict[str, Any]] = {}
    for row in rows:
        one = days.setdefault(
            str(row["day"]), {"day": str(row["day"]), "fiat": {}, "paid_sats": 0, "owed_sats": 0}
        )
        kind, balance = accounts[row["account"]], int(row["balance"])
        if kind == "fiat":
            one["fiat"][str(row["unit"])] = balance
        elif row["unit"] == SAT:
            one[kind] = balance
    return list(days.values())[:limit]
