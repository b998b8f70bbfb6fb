"""The state of the whole in numbers, for a monitor that asks every minute (docs/metrics.md).

Everything is read from the tables when it is asked for, by a few queries on indexes that look at no
more than COUNT_MAX rows of a state. No label names a client, a wallet, a sale or a machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from .. import clock, crud
from ..adapters.prometheus_text import COUNTER, Family, Values, by, counter, exposition, gauge
from ..database import BooksConnection, Row, own
from ..domain.states import CashOutState, ShareState
from ..domain.verdicts import LINKS
from ..migrations import SCHEMA_VERSION
from . import metrics_health
from .alerts import open_alerts
from .findings import counts as findings_by_status
from .funds import read_funds
from .observe import META_CLOCK, META_LAST_SUCCESS
from .overview import VERSION
from .readiness import last_lines
from .reconcile_run import mismatches_total
from .reconcile_view import last_run
from .summary import COUNT_MAX, failed_shares, held, pending_deposits

US = 1_000_000
DAY_S = 86_400
POLLS_PER_LOOK = 10_000  # a week of polls every minute; what is left is counted by the next look
OPEN_STATES = ("pending", "processing", "watching", "held", "failed")
RUN_RESULTS = ("done", "cancelled", "failed")
SEVERITIES = ("critical", "warning", "info")
# The ledger's accounts without the clients in their names. All of them add up to zero.
LEDGER = ("sold", "paid", "owed", "operator", "commission", "commission_owed")
_ACCOUNT = (
    "CASE WHEN account LIKE 'paid:%' THEN 'paid' WHEN account LIKE 'owed:%' THEN 'owed'"
    " ELSE account END"
)


@dataclass
class PollCounts:
    """The polls that ended since this process began: by result, and what they did."""

    since_us: int
    ok: int = 0
    failed: int = 0
    duration_us: int = 0
    rows_read: int = 0
    new_rows: int = 0
    settled: int = 0


_polls = PollCounts(clock.now_us())


async def read_text() -> tuple[str, str]:
    """(Prometheus' text, its media type). Raises DependencyMissing."""
    return exposition(await read_metrics())


async def read_metrics() -> list[Family]:
    """Every metric. Raises what the database raises: a monitor sees that the target is down."""
    return [
        *_about(),
        *await _feed(),
        *await own(_books),
        *await _reconciliation(),
        *await metrics_health.stopped(),
        *await metrics_health.health(),
        *await _wallets(),
        *await _trouble(),
    ]


def _about() -> list[Family]:
    labels = ("version", "schema", "lnbits")
    values: Values = {(VERSION, str(SCHEMA_VERSION), version("lnbits")): 1.0}
    lines = last_lines()
    ready = float(all(line.ok for line in lines)) if lines else None
    return [
        Family("satmachine_build_info", "gauge", "Versions that run.", labels, values),
        gauge("satmachine_ready", "1: all start-up checks of this process were fine.", ready),
    ]


async def _feed() -> list[Family]:
    await own(_count_polls)
    last = await crud.last_poll()
    settings = await crud.get_settings()
    success_us = await crud.get_meta(META_LAST_SUCCESS)
    difference_us = await crud.get_meta(META_CLOCK)
    took_us = last["finished_us"] - last["started_us"] if last and last["finished_us"] else None
    results: Values = {("ok",): float(_polls.ok), ("failed",): float(_polls.failed)}
    return [
        Family("satmachine_polls", COUNTER, "Polls that ended, by result.", ("result",), results),
        counter(
            "satmachine_poll_duration_seconds",
            "Time that all ended polls took together.",
            _polls.duration_us / US,
        ),
        counter("satmachine_poll_rows_read", "Rows read from Lamassu.", _polls.rows_read),
        counter("satmachine_poll_new_rows", "Sales stored for the first time.", _polls.new_rows),
        counter("satmachine_poll_settled", "Cash-outs settled by polls.", _polls.settled),
        gauge(
            "satmachine_poll_last_duration_seconds",
            "How long the last poll took.",
            _seconds(took_us),
        ),
        gauge(
            "satmachine_poll_last_success_timestamp_seconds",
            "When the last poll that worked began.",
            _seconds(success_us),
        ),
        gauge(
            "satmachine_poll_interval_seconds",
            "How often Lamassu is asked.",
            settings.poll_interval_s,
        ),
        gauge(
            "satmachine_source_clock_difference_seconds",
            "Lamassu's clock minus ours.",
            _seconds(difference_us),
        ),
    ]


async def _count_polls(conn: BooksConnection) -> None:
    """Count the polls that ended since the last look; one after the other, so none is missed."""
    rows = await conn.rows(
        "SELECT started_us, finished_us, result, rows_read, new_rows, settled"
        " FROM satoshimachine.polls WHERE started_us > :since ORDER BY started_us LIMIT :most",
        {"since": _polls.since_us, "most": POLLS_PER_LOOK},
    )
    # An unfinished poll in the middle was killed and never ends; the last one may still.
    for row in rows:
        if row["finished_us"] is None:
            continue
        _polls.since_us = row["started_us"]
        _polls.ok += row["result"] == "ok"
        _polls.failed += row["result"] == "failed"
        _polls.duration_us += row["finished_us"] - row["started_us"]
        _polls.rows_read += row["rows_read"]
        _polls.new_rows += row["new_rows"]
        _polls.settled += row["settled"]


async def _books(conn: BooksConnection) -> list[Family]:
    now_us = clock.now_us()
    states = await _by_state(conn, "lamassu_transactions", [one.value for one in CashOutState])
    shares = await _by_state(conn, "dca_payments", [one.value for one in ShareState])
    waiting, owed = await held(conn), await failed_shares(conn)
    deposits = await pending_deposits(conn, now_us)
    ledger = await conn.rows(
        f"SELECT {_ACCOUNT} AS account, SUM(balance) AS sats FROM satoshimachine.ledger_balances"
        f" WHERE unit = 'sat' GROUP BY {_ACCOUNT} LIMIT 100"
    )
    sats = dict.fromkeys(LEDGER, 0.0) | {str(row["account"]): float(row["sats"]) for row in ledger}
    return [
        by("satmachine_cash_outs", f"Cash-outs by state, up to {COUNT_MAX}.", "state", states),
        by("satmachine_shares", f"Clients' shares by state, up to {COUNT_MAX}.", "state", shares),
        by(
            "satmachine_oldest_open_cash_out_age_seconds",
            "Age of the oldest cash-out in a state that is not final, 0 without one.",
            "state",
            await _oldest_cash_outs(conn, now_us),
        ),
        gauge(
            "satmachine_oldest_unpaid_share_age_seconds",
            "Age of the sale of the oldest share that is owed, 0 without one.",
            await _oldest_share(conn, now_us),
        ),
        gauge("satmachine_held_sats", "Sats of the held cash-outs.", waiting["sats"]),
        gauge("satmachine_unpaid_shares_sats", "Sats of the shares that are owed.", owed["sats"]),
        gauge("satmachine_deposits_pending", "Deposits nobody confirmed.", deposits["count"]),
        by(
            "satmachine_ledger_sats",
            "The ledger: sold (negative), paid to and owed to clients, the operator's remainder,"
            " commission. The sum of all is 0.",
            "account",
            sats,
        ),
    ]


async def _by_state(
    conn: BooksConnection, table: str, states: Sequence[str]
) -> dict[str, float | None]:
    """How many rows are in each state; no more than COUNT_MAX of one are looked at."""
    rows = await conn.rows(
        " UNION ALL ".join(
            f"SELECT '{state}' AS state, COUNT(*) AS n FROM (SELECT 1 FROM satoshimachine.{table}"
            f" WHERE status = '{state}' AND origin = 'observed' LIMIT {COUNT_MAX}) {state}"
            for state in states
        )
    )
    return {str(row["state"]): float(row["n"]) for row in rows}


async def _oldest_cash_outs(conn: BooksConnection, now_us: int) -> dict[str, float | None]:
    rows = await conn.rows(
        " UNION ALL ".join(
            f"SELECT '{state}' AS state, MIN(confirmed_at_us) AS us"
            f" FROM satoshimachine.lamassu_transactions WHERE status = '{state}'"
            for state in OPEN_STATES
        )
    )
    return {str(row["state"]): _age(row, now_us) for row in rows}


async def _oldest_share(conn: BooksConnection, now_us: int) -> float:
    row = await conn.row(
        "SELECT MIN(cash_out_us) AS us FROM satoshimachine.dca_payments WHERE status = 'failed'"
    )
    return _age(row, now_us) if row else 0.0


def _age(row: Row, now_us: int) -> float:
    """The clock of the source may be ahead of ours."""
    return max(0, now_us - int(row["us"])) / US if row["us"] is not None else 0.0


async def _reconciliation() -> list[Family]:
    async def work(conn: BooksConnection) -> tuple[list[Row], list[Row]]:
        runs = await conn.rows(
            " UNION ALL ".join(
                f"SELECT '{one}' AS result, COUNT(*) AS n FROM"
                f" satoshimachine.reconciliation_runs WHERE status = '{one}'"
                for one in RUN_RESULTS
            )
        )
        drift = await conn.rows(
            "SELECT link, SUM(ABS(COALESCE(difference_sats, 0))) AS sats FROM (SELECT link,"
            " difference_sats FROM satoshimachine.findings WHERE status = 'open' LIMIT :most) f"
            " GROUP BY link",
            {"most": COUNT_MAX},
        )
        return runs, drift

    runs, drift = await own(work)
    last: Any = await last_run() or {}
    findings = await findings_by_status()
    sats = {link.value: 0.0 for link in LINKS} | {
        str(row["link"]): float(row["sats"]) for row in drift
    }
    by_result: Values = {(str(row["result"]),): float(row["n"]) for row in runs}
    mismatches: Values = {(link.value,): float(mismatches_total[link.value]) for link in LINKS}
    at = _seconds(last.get("reconciled_at_us"))
    return [
        Family(
            "satmachine_reconciliation_runs",
            COUNTER,
            "Reconciliations that ended, by result.",
            ("result",),
            by_result,
        ),
        Family(
            "satmachine_reconciliation_mismatches",
            COUNTER,
            "Items that did not match, by the first link that differs.",
            ("link",),
            mismatches,
        ),
        gauge("satmachine_reconciliation_last_timestamp_seconds", "When the last run ended.", at),
        gauge(
            "satmachine_reconciliation_last_mismatches",
            "Mismatches of the last run.",
            last.get("mismatches"),
        ),
        gauge(
            "satmachine_reconciliation_last_errors",
            "Items that the last run could not look at.",
            last.get("errors"),
        ),
        by(
            "satmachine_reconciliation_drift_sats",
            "Sats that two sides of a link differ by, over all open findings; 0 is right.",
            "link",
            sats,
        ),
        by("satmachine_findings", "Findings by state.", "state", {**findings}),
    ]


async def _wallets() -> list[Family]:
    funds = await read_funds()
    found = {name: funds[name] for name in ("source", "commission") if funds[name] is not None}
    source: dict[str, Any] = funds["source"] or {}
    days = source.get("runway_days")
    return [
        by(
            "satmachine_wallet_sats",
            "What lies in the operator's wallets.",
            "wallet",
            {name: one["balance_sats"] for name, one in found.items()},
        ),
        by(
            "satmachine_wallet_usable",
            "1: LNbits knows the wallet and it may be used.",
            "wallet",
            {name: float(one["problem"] is None) for name, one in found.items()},
        ),
        gauge(
            "satmachine_source_wallet_free_sats",
            "What lies in the source wallet and is owed to nobody.",
            source.get("free_sats"),
        ),
        gauge(
            "satmachine_source_wallet_runway_seconds",
            "How long the free sats last at the recent pace; absent where nothing draws on them.",
            None if days is None else days * DAY_S,
        ),
    ]


async def _trouble() -> list[Family]:
    alerts = await open_alerts()
    severities: dict[str, float | None] = dict.fromkeys(SEVERITIES, 0.0)
    for one in alerts:
        severities[one["severity"]] = (severities.get(one["severity"]) or 0.0) + 1
    last = await crud.fetch_row("SELECT MAX(seq) AS seq FROM satoshimachine.audit_log")
    broken = any(one["kind"] == "audit_chain" for one in alerts)
    return [
        by("satmachine_alerts_open", "Open alerts by severity.", "severity", severities),
        counter(
            "satmachine_audit_entries",
            "Entries of the audit trail.",
            int(last["seq"] or 0) if last else 0,
        ),
        gauge(
            "satmachine_audit_chain_broken",
            "1: the last verification found an entry that is not as it was written.",
            float(broken),
        ),
    ]


def _seconds(us: Any) -> float | None:
    return None if us is None else int(us) / US
