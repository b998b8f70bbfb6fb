"""Save, test and forget the connection to Lamassu. Invalid settings are refused here, at the save.

Secrets are write-only: a field that is not given stays, an empty one is removed, none comes back.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from .. import clock, crud
from ..adapters import wallet_rows
from ..adapters.audit import record
from ..adapters.connection_test import TestStep, test_connection_steps
from ..adapters.lamassu_postgres import open_source
from ..adapters.secret_box import seal, unseal
from ..adapters.settlement import Rollback, SettlementConnection, settlement
from ..adapters.ssh_tunnel import fetch_host_key, parse_host_key, validate_private_key
from ..domain.days import US_PER_S, instant_us
from ..domain.states import HoldCode
from ..errors import BadInput, NotConfigured, NotFound
from ..models import OperatorSettings, PublicConfig, SaveConfig, StoredConfig, UpdateSettings
from .alerts import resolve_now
from .intake import release_if_eligible
from .observe import META_LAST_FULL, META_LAST_SUCCESS
from .source import source_settings

SECRETS = ("password", "ssh_password", "ssh_private_key", "ssh_key_passphrase")
# What makes it another source: what the hours looked like is forgotten then.
SOURCE_FIELDS = ("host", "port", "database_name", "use_ssh_tunnel", "ssh_host", "ssh_port")
START_BEFORE_SAVE_US = 24 * 3_600 * US_PER_S  # SAT-67


async def save_config(
    data: SaveConfig, *, actor: str, config_id: str | None = None
) -> StoredConfig:
    """Save the connection, first or changed. Raises BadInput, NotFound, SshKeyUnusable,
    SshPassphraseWrong or DependencyMissing; nothing is stored then.
    """
    before = await crud.get_config()
    if config_id is not None and (before is None or before.id != config_id):
        raise NotFound("There is no such connection")
    now_us = clock.now_us()
    config = _merged(data, before, now_us)
    _refuse_incomplete(config)
    _refuse_bad_keys(config)
    await _refuse_bad_wallets(config)
    if before is None:
        await crud.insert_config(config)
    else:
        await crud.update_config(config)
        if data.polling_enabled is not None:
            await crud.set_polling_enabled(data.polling_enabled, now_us)
    if before is not None and any(
        getattr(before, name) != getattr(config, name) for name in SOURCE_FIELDS
    ):
        await look_at_everything_again()
    settings = await crud.get_settings()
    if settings.start_at_us is None:
        await crud.save_settings({"start_at_us": now_us - START_BEFORE_SAVE_US}, now_us)
    await _audit("config_saved", config.id, _changes(before, config), actor)
    return config


def _merged(data: SaveConfig, before: StoredConfig | None, now_us: int) -> StoredConfig:
    """What was given over what is stored, with secrets sealed and the host key pin looked after."""
    given: dict[str, Any] = data.dict(exclude={"polling_enabled", "ssh_host_key", *SECRETS})
    secrets: dict[str, Any] = {}
    for name in SECRETS:
        value = getattr(data, name)
        stored = getattr(before, name) if before else None
        secrets[name] = stored if value is None else seal(value)
    if data.ssh_host_key:
        pin: str | None = parse_host_key(data.ssh_host_key).public_line
    elif before and (before.ssh_host, before.ssh_port) == (data.ssh_host, data.ssh_port):
        pin = before.ssh_host_key
    else:
        pin = None  # another server: its key must be looked at again
    enabled = before.polling_enabled if before else True
    fields: dict[str, Any] = {**given, **secrets}
    return StoredConfig(
        **fields,
        ssh_host_key=pin,
        polling_enabled=enabled if data.polling_enabled is None else data.polling_enabled,
        id=before.id if before else uuid4().hex,
        test_connection_us=before.test_connection_us if before else None,
        test_connection_success=before.test_connection_success if before else None,
        created_us=before.created_us if before else now_us,
        updated_us=now_us,
    )


def _refuse_incomplete(config: StoredConfig) -> None:
    if config.use_ssh_tunnel:
        if not config.ssh_host or not config.ssh_username:
            raise BadInput(
                "The SSH tunnel needs a host and a user name",
                hint="Fill in the SSH host and the SSH user.",
            )
        if not config.ssh_private_key and not config.ssh_password:
            raise BadInput(
                "The SSH tunnel needs a private key or a password",
                hint="Paste a private key (better) or enter a password.",
            )
    elif config.host.startswith("/"):
        raise BadInput(
            "A PostgreSQL socket folder can only be reached through the SSH tunnel",
            hint="Switch the SSH tunnel on, or give a host name.",
        )


def _refuse_bad_keys(config: StoredConfig) -> None:
    key = unseal(config.ssh_private_key)
    if config.use_ssh_tunnel and key:
        validate_private_key(key, unseal(config.ssh_key_passphrase))


async def _refuse_bad_wallets(config: StoredConfig) -> None:
    source, commission = config.source_wallet_id, config.commission_wallet_id
    if source and source == commission:
        raise BadInput(
            "The commission wallet is the source wallet",
            hint="Choose another wallet, or none: then the commission stays in the source wallet.",
        )
    problems = await wallet_problems([x for x in (source, commission) if x])
    for wallet_id, what in ((source, "source"), (commission, "commission")):
        if wallet_id and problems[wallet_id]:
            raise BadInput(
                f"The {what} wallet cannot be used: {problems[wallet_id]}",
                hint="Choose a lightning wallet of this LNbits.",
            )


async def wallet_problems(wallet_ids: Sequence[str]) -> dict[str, str | None]:
    """Per wallet: None when it can be used, or why it cannot."""

    async def work(conn: SettlementConnection) -> dict[str, str | None]:
        raise Rollback(await wallet_rows.wallet_problems(conn, wallet_ids))

    return await settlement(work) if wallet_ids else {}


def _changes(before: StoredConfig | None, after: StoredConfig) -> dict[str, Any]:
    """What changed, secrets only by name."""
    changes: dict[str, Any] = {}
    for name in StoredConfig.__fields__:
        if name in ("updated_us", "created_us", "id"):
            continue
        old, new = getattr(before, name, None), getattr(after, name)
        if old != new:
            changes[name] = "changed" if name in SECRETS else {"from": old, "to": new}
    return changes


async def delete_config(config_id: str, actor: str) -> None:
    """Forget connection and secrets; books, settings and the start point stay. Raises NotFound."""
    config = await crud.get_config()
    if config is None or config.id != config_id:
        raise NotFound("There is no such connection")
    await crud.delete_config(config_id)
    await _audit("config_deleted", config_id, {}, actor)


async def set_polling(enabled: bool, actor: str) -> None:
    """Switch automatic work on or off. Raises NotConfigured."""
    config = await crud.get_config()
    if config is None:
        raise NotConfigured("No connection to Lamassu is saved")
    await crud.set_polling_enabled(enabled, clock.now_us())
    await _audit("polling_switched", config.id, {"enabled": enabled}, actor)


async def show_host_key() -> dict[str, str]:
    """The key the SSH server shows now, for the operator to compare. Raises SourceError."""
    settings = source_settings(await crud.get_config())
    key_type, fingerprint, line = await fetch_host_key(settings)
    return {"key_type": key_type, "fingerprint": fingerprint, "ssh_host_key": line}


async def accept_host_key(line: str, actor: str) -> StoredConfig:
    """Pin the key that the operator compared. Raises BadInput or NotConfigured."""
    config = await crud.get_config()
    if config is None:
        raise NotConfigured("No connection to Lamassu is saved")
    key = parse_host_key(line)
    changed = config.copy(update={"ssh_host_key": key.public_line, "updated_us": clock.now_us()})
    await crud.update_config(changed)
    await _audit("host_key_accepted", config.id, {"fingerprint": key.fingerprint_sha256}, actor)
    await resolve_now("host_key")
    return changed


async def test_connection() -> list[TestStep]:
    """Every step from SSH to rows, each with its own result; remembers how it went."""
    steps = await test_connection_steps(source_settings(await crud.get_config()))
    success = all(step.ok is not False for step in steps)
    await crud.store_test_result(success, clock.now_us())
    return steps


# -- settings -----------------------------------------------------------------------------------


async def update_settings(data: UpdateSettings, actor: str) -> OperatorSettings:
    """Change settings. Raises BadInput when one is out of its range; nothing is stored then."""
    now_us = clock.now_us()
    given = data.dict(exclude_unset=True, exclude={"start_at"})
    start = data.start_at
    if "start_at" in data.__fields_set__ and start is not None:
        if instant_us(start) > now_us:
            raise BadInput("The start point is in the future", hint="Choose a moment up to now.")
        given["start_at_us"] = instant_us(start)
    before = await crud.get_settings()
    try:
        after = OperatorSettings(**{**before.dict(), **given})
    except ValueError as exc:
        raise BadInput(str(exc), hint="Choose a value in the range that is named.") from exc
    plain = {name: getattr(value, "value", value) for name, value in given.items()}
    await crud.save_settings(plain, now_us)
    if after.start_at_us != before.start_at_us:
        await look_at_everything_again()
    if after.split_rule != before.split_rule:
        await _release_held_by_rule()
    await _audit("settings_saved", "settings", plain, actor)
    return after


async def preview_start(start_at_us: int) -> tuple[int, int]:
    """(cash-outs, sats) that a start point brings in. Raises NotConfigured or SourceError."""
    async with open_source(source_settings(await crud.get_config())) as source:
        return await source.count_since(start_at_us)


async def look_at_everything_again() -> None:
    """The next poll compares all rows: another source, or another start point."""
    await crud.forget_hours()
    await crud.delete_meta(META_LAST_FULL)
    await crud.delete_meta(META_LAST_SUCCESS)


async def _release_held_by_rule() -> None:
    """Rows held because the old rule lacked a price may be fine under the new one."""

    async def work(conn: SettlementConnection) -> None:
        rows = await conn.rows(
            "SELECT * FROM satoshimachine.lamassu_transactions WHERE status = 'held'"
            " AND hold_code = :code LIMIT 5000",
            {"code": HoldCode.TICKER_MISSING.value},
        )
        rule = (await crud.get_settings(conn)).split_rule
        for row in rows:
            await release_if_eligible(conn, row, rule)

    await settlement(work)


async def _audit(action: str, subject: str, detail: dict[str, Any], actor: str) -> None:
    async def work(conn: SettlementConnection) -> None:
        await record(conn, action, subject, detail, actor=actor, now_us=clock.now_us())

    await settlement(work)


def fingerprint(host_key_line: str | None) -> str | None:
    """The SHA-256 fingerprint of a pinned key, as ssh-keygen prints it; needs no asyncssh."""
    if not host_key_line:
        return None
    digest = hashlib.sha256(base64.b64decode(host_key_line.split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def public_config(
    config: StoredConfig, last_poll_us: int | None, last_success_us: int | None
) -> PublicConfig:
    """The connection as it is shown: what is set, never what it is."""
    return PublicConfig(
        **config.dict(include=set(PublicConfig.__fields__) & set(StoredConfig.__fields__)),
        ssh_host_fingerprint=fingerprint(config.ssh_host_key),
        has_password=bool(config.password),
        has_ssh_password=bool(config.ssh_password),
        has_ssh_private_key=bool(config.ssh_private_key),
        test_connection_last=clock.iso(config.test_connection_us),
        created_at=clock.iso(config.created_us),
        updated_at=clock.iso(config.updated_us),
        last_poll_time=clock.iso(last_poll_us),
        last_successful_poll=clock.iso(last_success_us),
    )
