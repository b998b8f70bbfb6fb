"""The setup as the server knows it: which step is done, what is missing, and the arming.

Nothing here is remembered for the page: every step follows from what is stored, so that it can be
left at any moment and gone on with anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from .. import clock, crud
from ..adapters import wallet_rows
from ..adapters.audit import record
from ..adapters.settlement import Rollback, settlement
from ..database import BooksConnection, Row
from ..domain.days import datetime_utc, instant_us
from ..domain.money import CURRENCY_EXPONENT, decimal_text
from ..errors import DependencyMissing, StateConflict
from ..models import OperatorSettings, StartPoint, StoredConfig, UpdateSettings
from . import readiness
from .connection import META_ARMED
from .gates import GATES
from .observe import look_at_everything_again
from .operator_settings import update_settings
from .source import require_database

META_START = "setup_start"
FUNDING = frozenset({"funding_btc", "funding_ln"})
TERMS = frozenset({"currency", "time_zone", "max_daily_limit", "poll_interval_s"})
REQUIRED = ("ssh", "database", "wallets", "split", "terms", "start", "readiness")


class StepState(str, Enum):
    """What the checklist shows of a step."""

    DONE = "done"
    OPEN = "todo"
    BLOCKED = "blocked"  # another step comes first
    ATTENTION = "attention"  # it was done, or is optional, and something about it needs a look


@dataclass(frozen=True)
class Step:
    """One line of the checklist; `code` is stable, the sentence is for people."""

    name: str
    state: StepState
    code: str
    message: str
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Standing:
    """Everything the steps follow from, as read in one transaction."""

    config: StoredConfig | None
    settings: OperatorSettings
    chosen: frozenset[str]  # settings that somebody set; the others have their default
    metas: Mapping[str, Any]
    wallet_problems: Mapping[str, str | None]
    polled: bool
    key_changed: bool
    clients: list[Row]  # currency, clients, balance
    active_clients: int
    pending_deposits: int

    @property
    def armed(self) -> bool:
        """Automatic work was begun once; what stops it later is the operator's switch."""
        return self.config is not None and (
            self.config.polling_enabled or self.polled or META_ARMED in self.metas
        )

    @property
    def starts_at_arming(self) -> bool:
        return bool((self.metas.get(META_START) or {}).get("at_arming"))

    @property
    def start_chosen(self) -> bool:
        return self.starts_at_arming or self.settings.start_at_us is not None


async def is_armed(config: StoredConfig | None) -> bool:
    """As `Standing.armed`, in as few queries as the page's first line can afford."""
    if config is None or config.polling_enabled:
        return config is not None
    return bool(await crud.get_meta(META_ARMED)) or await crud.last_poll() is not None


async def read_standing() -> Standing:
    """What the steps follow from; changes nothing."""

    async def work(conn: BooksConnection) -> Standing:
        raise Rollback(await _standing(conn))

    return await settlement(work)


async def _standing(conn: BooksConnection) -> Standing:
    config = await crud.get_config(conn)
    names = await conn.rows("SELECT name FROM satoshimachine.operator_settings LIMIT 100")
    wallets = [config.source_wallet_id, config.commission_wallet_id] if config else []
    count = "SELECT COUNT(*) AS n FROM satoshimachine."
    polled = await conn.row("SELECT id FROM satoshimachine.polls LIMIT 1")
    alert = await conn.row(
        "SELECT id FROM satoshimachine.alerts WHERE dedupe_key = 'host_key'"
        " AND resolved_us IS NULL"
    )
    active = await conn.row(f"{count}dca_clients WHERE status = 'active'")
    pending = await conn.row(f"{count}dca_deposits WHERE status = 'pending'")
    return Standing(
        config=config,
        settings=await crud.get_settings(conn),
        chosen=frozenset(str(row["name"]) for row in names),
        metas=await crud.get_metas((META_ARMED, META_START, *GATES), conn),
        wallet_problems=await wallet_rows.wallet_problems(conn, [w for w in wallets if w]),
        polled=polled is not None,
        key_changed=alert is not None,
        clients=list(
            await conn.rows(
                "SELECT b.unit AS currency, COUNT(*) AS clients, SUM(b.balance) AS balance"
                " FROM satoshimachine.dca_clients c JOIN satoshimachine.ledger_balances b"
                " ON b.account = 'client:' || c.id AND b.balance > 0"
                " WHERE c.status = 'active' GROUP BY b.unit"
            )
        ),
        active_clients=int(active["n"]) if active else 0,
        pending_deposits=int(pending["n"]) if pending else 0,
    )


def steps_of(now: Standing) -> list[Step]:
    """The checklist, in the order in which it is done."""
    ssh = _ssh(now)
    database = _database(now, ssh)
    before = [
        ssh,
        database,
        _wallets(now),
        _split(now, database),
        _terms(now),
        _start(now, database),
        _clients(now),
        _readiness(),
    ]
    return [*before, _arm(now, before)]


def _done(name: str, code: str, message: str, **facts: Any) -> Step:
    return Step(name, StepState.DONE, code, message, facts)


def _todo(name: str, code: str, message: str, **facts: Any) -> Step:
    return Step(name, StepState.OPEN, code, message, facts)


def _look(name: str, code: str, message: str, **facts: Any) -> Step:
    return Step(name, StepState.ATTENTION, code, message, facts)


def _blocked(name: str, code: str, message: str, **facts: Any) -> Step:
    return Step(name, StepState.BLOCKED, code, message, facts)


def _ssh(now: Standing) -> Step:
    config = now.config
    if config is None or (config.use_ssh_tunnel and not config.ssh_host):
        return _todo("ssh", "missing", "Say how the ATM server is reached")
    if not config.use_ssh_tunnel:
        return _done("ssh", "direct", "The database is reached directly, without SSH")
    place = f"{config.ssh_username}@{config.ssh_host}:{config.ssh_port}"
    if now.key_changed:
        return _look("ssh", "key_changed", "The server shows another key than the accepted one")
    if not config.ssh_host_key:
        return _todo("ssh", "host_key", "Compare the server's key and accept it", place=place)
    return _done("ssh", "accepted", f"{place}, its key is accepted", place=place)


def _database(now: Standing, ssh: Step) -> Step:
    config = now.config
    if config is None or not config.username:
        if ssh.state is not StepState.DONE:
            return _blocked("database", "after_ssh", "The way to the server comes first")
        return _todo("database", "missing", "Name Lamassu's database and a role that may read it")
    if config.test_connection_success is None:
        if ssh.state is not StepState.DONE:
            return _blocked("database", "after_ssh", "The way to the server comes first")
        return _todo("database", "untested", "Test the connection")
    if not config.test_connection_success:
        return _look("database", "failed", "The last test of the connection failed")
    tested = clock.iso(config.test_connection_us)
    return _done("database", "tested", "Every step of the connection test succeeded", at=tested)


def _wallets(now: Standing) -> Step:
    config = now.config
    if config is None or not config.source_wallet_id:
        return _todo("wallets", "missing", "Choose the wallet that clients are paid from")
    for wallet_id, problem in now.wallet_problems.items():
        if problem:
            return _look(
                "wallets", "unusable", f"A wallet cannot be used: {problem}", wallet_id=wallet_id
            )
    if not now.armed and not now.chosen >= FUNDING:
        return _todo("wallets", "funding", "Say for each coin where the customers' sats arrive")
    return _done("wallets", "chosen", "Wallets and funding are chosen")


def _split(now: Standing, database: Step) -> Step:
    rule = now.settings.split_rule.value
    if now.armed or "split_rule" in now.chosen:
        return _done("split", "chosen", f"The rule is {rule}", rule=rule)
    if database.state is not StepState.DONE:
        return _blocked("split", "after_database", "It is chosen on your own sales: connect first")
    return _todo("split", "missing", "Choose how a sale is split into base and commission")


def _terms(now: Standing) -> Step:
    settings = now.settings
    if not now.armed and not now.chosen >= TERMS:
        return _todo("terms", "missing", "Confirm currency, time zone, limit and interval")
    return _done(
        "terms",
        "chosen",
        f"{settings.currency}, {settings.time_zone}",
        currency=settings.currency,
        time_zone=settings.time_zone,
    )


def _start(now: Standing, database: Step) -> Step:
    if now.starts_at_arming and not now.armed:
        return _done("start", "at_arming", "Sales count from the moment of arming")
    if now.settings.start_at_us is not None:
        start = clock.iso(now.settings.start_at_us)
        return _done("start", "date", f"Sales count from {start}", at=start)
    if database.state is not StepState.DONE:
        return _blocked("start", "after_database", "Sales are counted on Lamassu: connect first")
    return _todo("start", "missing", "Say from when sales are paid out")


def _clients(now: Standing) -> Step:
    currency = now.settings.currency
    own = next((row for row in now.clients if row["currency"] == currency), None)
    minor = int(own["balance"]) if own else 0
    facts = {
        "active": now.active_clients,
        "with_balance": int(own["clients"]) if own else 0,
        "balance": decimal_text(minor, currency) if currency in CURRENCY_EXPONENT else "0",
        "currency": currency,
        "pending_deposits": now.pending_deposits,
    }
    if own:
        return _done("clients", "ready", "Clients have confirmed balances", **facts)
    if now.settings.settle_without_clients:
        return _done("clients", "not_needed", "Sales are settled without clients, too", **facts)
    return _look("clients", "none", "No active client has a confirmed balance yet", **facts)


def _readiness() -> Step:
    lines = readiness.last_lines()
    if not lines:
        return _todo("readiness", "unchecked", "This LNbits is checked before anything is paid")
    for line in lines:
        if line.ok is False:
            code = "package" if line.code == DependencyMissing.code else "failed"
            return _look("readiness", code, f"{line.name}: {line.detail}", hint=line.hint)
    return _done("readiness", "passed", "This LNbits passed every check")


def _arm(now: Standing, before: list[Step]) -> Step:
    config = now.config
    if now.armed and config is not None:
        if config.polling_enabled:
            return _done("arm", "armed", "Automatic work is on")
        return _look("arm", "stopped", "Automatic work is switched off")
    for name in GATES:
        gate = now.metas.get(name)
        if gate and not gate.get("accepted"):
            return _look("arm", "gate", str(gate["message"]), hint=gate["hint"])
    # Not looked at yet is no obstacle: arming looks first.
    missing = [
        step.name
        for step in before
        if step.name in REQUIRED and step.state is not StepState.DONE and step.code != "unchecked"
    ]
    if missing:
        hint = f"Finish first: {', '.join(missing)}."
        sentence = "Steps before it are not done"
        return _blocked("arm", "steps_missing", sentence, missing=missing, hint=hint)
    return _todo("arm", "ready", "Look at what the first poll would pay, then arm")


async def choose_start(data: StartPoint, actor: str) -> None:
    """Store from when sales count. Raises BadInput for a moment in the future.

    "From now" means from the arming: what is sold until then is not paid out unseen.
    """
    now_us = clock.now_us()
    standing = await read_standing()
    start_us = instant_us(data.start_at) if data.start_at else now_us
    if data.start_at is not None or standing.armed:
        await update_settings(UpdateSettings(start_at=datetime_utc(start_us)), actor)

    async def work(conn: BooksConnection) -> None:
        at_arming = data.start_at is None and not standing.armed
        await crud.set_meta(META_START, {"at_arming": at_arming}, conn)
        detail = {"at_arming": at_arming, "start_at": clock.iso(start_us)}
        was = {"start_at": clock.iso(standing.settings.start_at_us)}
        await record(
            conn, "start_chosen", "settings", detail, actor=actor, now_us=now_us, before=was
        )

    await settlement(work)


async def arm(data: StartPoint, actor: str) -> int:
    """Switch automatic work on, with the start point that the operator saw; that start in us.

    One commit. Raises StateConflict naming the steps that are missing, or when it is armed already
    or the start point is another one by now; NotReady when this LNbits may not move money.
    """
    await readiness.require_ready()
    now_us = clock.now_us()

    async def work(conn: BooksConnection) -> int:
        now = await _standing(conn)
        step = steps_of(now)[-1]
        if now.armed or now.config is None or step.state is not StepState.OPEN:
            raise StateConflict(
                step.message, hint=step.facts.get("hint"), missing=step.facts.get("missing", [])
            )
        require_database(now.config)
        stored_us = None if now.starts_at_arming else now.settings.start_at_us
        if stored_us != (instant_us(data.start_at) if data.start_at else None):
            raise StateConflict("The start point was changed meanwhile; look at it again")
        start_us = now_us if stored_us is None else stored_us
        await crud.save_settings({"start_at_us": start_us}, now_us, conn)
        await look_at_everything_again(conn)
        await crud.set_polling_enabled(True, now_us, conn)
        await crud.set_meta(META_ARMED, {"at_us": now_us, "start_at_us": start_us}, conn)
        detail = {"start_at": clock.iso(start_us), "rule": now.settings.split_rule.value}
        await record(
            conn,
            "armed",
            now.config.id,
            detail,
            actor=actor,
            now_us=now_us,
            before={"polling_enabled": now.config.polling_enabled},
            after={"polling_enabled": True},
        )
        return start_us

    return await settlement(work)
