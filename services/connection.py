"""Save, test and forget the connection to Lamassu. Invalid settings are refused here, at the save.

Secrets are write-only: a field that is not given stays, an empty one is removed, none comes back.
Every change is one commit with its entry in the audit trail.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from typing import Any
from uuid import uuid4

from .. import clock, crud
from ..adapters import wallet_rows
from ..adapters.audit import record
from ..adapters.secret_box import seal, unseal
from ..adapters.settlement import settlement
from ..adapters.ssh_tunnel import fetch_host_key, parse_host_key, validate_private_key
from ..database import BooksConnection
from ..domain.days import US_PER_S
from ..errors import BadInput, NotConfigured, NotFound, SshKeyUnusable, SshPassphraseWrong
from ..models import PatchConfig, PublicConfig, SaveConfig, StoredConfig
from .alerts import resolve_alerts
from .gates import refuse_switching_on
from .observe import look_at_everything_again
from .source import require_database, source_settings

SECRETS = ("password", "ssh_password", "ssh_private_key", "ssh_key_passphrase")
# What makes it another source: what the hours looked like is forgotten then.
SOURCE_FIELDS = ("host", "port", "database_name", "use_ssh_tunnel", "ssh_host", "ssh_port")
# What a connection test was about: another value, and its result says nothing any more.
TESTED_FIELDS = (*SOURCE_FIELDS, "username", "ssh_username", *SECRETS)
APART = {"polling_enabled", "ssh_host_key", *SECRETS}  # not simply taken over as given
META_SECRETS = "secrets_set_us"
META_ARMED = "setup_armed"  # automatic work was begun once; what stops it later is the switch
START_BEFORE_SAVE_US = 24 * 3_600 * US_PER_S  # SAT-67


async def save_config(
    data: SaveConfig, *, actor: str, config_id: str | None = None
) -> StoredConfig:
    """Save the connection, first or changed, whole or (PatchConfig) in part.

    What is saved in part first works nothing by itself: polling stays off and no start point is set
    until it is armed. Raises BadInput, NotFound, SshKeyUnusable, SshPassphraseWrong or
    DependencyMissing; nothing is stored then.
    """
    now_us = clock.now_us()
    partly = isinstance(data, PatchConfig)
    # Unlocking a key takes as long as its maker wished: not while LNbits' database waits.
    await asyncio.to_thread(_refuse_bad_keys, _merged(data, await crud.get_config(), now_us))

    async def work(conn: BooksConnection) -> StoredConfig:
        before = await crud.get_config(conn)
        if config_id is not None and (before is None or before.id != config_id):
            raise NotFound("There is no such connection")
        config = _merged(data, before, now_us)
        _refuse_incomplete(config, data)
        await _refuse_bad_wallets(conn, config)
        if before is None:
            await conn.insert("satoshimachine.lamassu_config", config)
        else:
            await crud.update_config(config, conn)
            if data.polling_enabled and not before.polling_enabled:
                await refuse_switching_on(conn)
            if data.polling_enabled is not None:
                await crud.set_polling_enabled(data.polling_enabled, now_us, conn)
        if _differ(before, config, SOURCE_FIELDS):
            await look_at_everything_again(conn)
        settings = await crud.get_settings(conn)
        if settings.start_at_us is None and not partly:
            start = {"start_at_us": now_us - START_BEFORE_SAVE_US}
            await crud.save_settings(start, now_us, conn)
        await _remember_secrets(conn, data, now_us)
        if config.polling_enabled:
            await crud.add_meta(META_ARMED, {"at_us": now_us}, conn)
        was, became = _changes(before, config)
        await record(
            conn,
            "config_saved",
            config.id,
            {},
            actor=actor,
            now_us=now_us,
            before=was,
            after=became,
        )
        return config

    return await settlement(work)


def _differ(before: StoredConfig | None, after: StoredConfig, names: tuple[str, ...]) -> bool:
    return before is None or any(getattr(before, n) != getattr(after, n) for n in names)


def _merged(data: SaveConfig, before: StoredConfig | None, now_us: int) -> StoredConfig:
    """What was given over what is stored, with secrets sealed and the host key pin looked after."""
    given: dict[str, Any] = data.dict(exclude=APART)
    if before and isinstance(data, PatchConfig):
        kept = {name: getattr(before, name) for name in given}
        given = {**kept, **data.dict(exclude=APART, exclude_unset=True)}
    secrets: dict[str, Any] = {}
    for name in SECRETS:
        value = getattr(data, name)
        stored = getattr(before, name) if before else None
        secrets[name] = stored if value is None else seal(value)
    if data.ssh_host_key:
        pin: str | None = parse_host_key(data.ssh_host_key).public_line
    elif before and (before.ssh_host, before.ssh_port) == (given["ssh_host"], given["ssh_port"]):
        pin = before.ssh_host_key
    else:
        pin = None  # another server: its key must be looked at again
    enabled = before.polling_enabled if before else not isinstance(data, PatchConfig)
    fields: dict[str, Any] = {**given, **secrets}
    config = StoredConfig(
        **fields,
        ssh_host_key=pin,
        polling_enabled=enabled if data.polling_enabled is None else data.polling_enabled,
        id=before.id if before else uuid4().hex,
        test_connection_us=before.test_connection_us if before else None,
        test_connection_success=before.test_connection_success if before else None,
        created_us=before.created_us if before else now_us,
        updated_us=now_us,
    )
    if _differ(before, config, TESTED_FIELDS):
        config.test_connection_us = config.test_connection_success = None
    return config


async def _remember_secrets(conn: BooksConnection, data: SaveConfig, now_us: int) -> None:
    """When each secret was set: all that is ever told about one."""
    known = await crud.get_meta(META_SECRETS, conn) or {}
    given = {name: getattr(data, name) for name in SECRETS}
    fresh = {name: now_us for name, value in given.items() if value}
    removed = {name for name, value in given.items() if value == ""}
    kept = {name: us for name, us in known.items() if name not in removed}
    if {**kept, **fresh} != known:
        await crud.set_meta(META_SECRETS, {**kept, **fresh}, conn)


def _refuse_incomplete(config: StoredConfig, data: SaveConfig) -> None:
    """Saved in part, only the part at hand has to be complete."""
    ssh = any(name.startswith("ssh_") or name == "use_ssh_tunnel" for name in data.__fields_set__)
    if config.use_ssh_tunnel and (ssh or not isinstance(data, PatchConfig)):
        missing = [name for name in ("ssh_host", "ssh_username") if not getattr(config, name)]
        if missing:
            raise BadInput(
                "The SSH tunnel needs a host and a user name",
                hint="Fill in the SSH host and the SSH user.",
                errors=[{"field": name, "message": "must not be empty"} for name in missing],
            )
        if not config.ssh_private_key and not config.ssh_password:
            sentence = "The SSH tunnel needs a private key or a password"
            raise BadInput(
                sentence,
                hint="Paste a private key (better) or enter a password.",
                errors=[{"field": "ssh_private_key", "message": sentence}],
            )
    elif not config.use_ssh_tunnel and config.host.startswith("/"):
        sentence = "A PostgreSQL socket folder can only be reached through the SSH tunnel"
        raise BadInput(
            sentence,
            hint="Switch the SSH tunnel on, or give a host name.",
            errors=[{"field": "host", "message": sentence}],
        )


def _refuse_bad_keys(config: StoredConfig) -> None:
    key = unseal(config.ssh_private_key)
    if not config.use_ssh_tunnel or not key:
        return
    try:
        validate_private_key(key, unseal(config.ssh_key_passphrase))
    except (SshKeyUnusable, SshPassphraseWrong) as exc:
        passphrase = isinstance(exc, SshPassphraseWrong)
        field = "ssh_key_passphrase" if passphrase else "ssh_private_key"
        exc.facts["errors"] = [{"field": field, "message": exc.message}]
        raise


async def _refuse_bad_wallets(conn: BooksConnection, config: StoredConfig) -> None:
    source, commission = config.source_wallet_id, config.commission_wallet_id
    if source and source == commission:
        sentence = "The commission wallet is the source wallet"
        raise BadInput(
            sentence,
            hint="Choose another wallet, or none: then the commission stays in the source wallet.",
            errors=[{"field": "commission_wallet_id", "message": sentence}],
        )
    problems = await wallet_rows.wallet_problems(conn, [x for x in (source, commission) if x])
    for wallet_id, what in ((source, "source"), (commission, "commission")):
        if wallet_id and problems[wallet_id]:
            sentence = f"The {what} wallet cannot be used: {problems[wallet_id]}"
            raise BadInput(
                sentence,
                hint="Choose a lightning wallet of this LNbits.",
                errors=[{"field": f"{what}_wallet_id", "message": sentence}],
            )


def _changes(
    before: StoredConfig | None, after: StoredConfig | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What changed, as it was and as it is now; of secrets only that they are set."""
    was: dict[str, Any] = {}
    became: dict[str, Any] = {}
    for name in StoredConfig.__fields__:
        if name in ("updated_us", "created_us", "id"):
            continue
        old, new = getattr(before, name, None), getattr(after, name, None)
        if old != new:
            secret = name in SECRETS
            was[name] = bool(old) and "set" if secret else old
            became[name] = bool(new) and "changed" if secret else new
    return was, became


async def delete_config(config_id: str, actor: str) -> None:
    """Forget connection and secrets; books, settings and the start point stay. Raises NotFound."""

    async def work(conn: BooksConnection) -> None:
        config = await crud.get_config(conn)
        if config is None or config.id != config_id:
            raise NotFound("There is no such connection")
        await crud.delete_config(config_id, conn)
        await crud.delete_meta(META_SECRETS, conn)
        await look_at_everything_again(conn)
        await record(
            conn,
            "config_deleted",
            config_id,
            {},
            actor=actor,
            now_us=clock.now_us(),
            before=_changes(config, None)[0],
        )

    await settlement(work)


async def set_polling(enabled: bool, actor: str) -> None:
    """Switch automatic work on or off. Raises NotConfigured."""
    now_us = clock.now_us()

    async def work(conn: BooksConnection) -> None:
        config = await _configured(conn)
        if enabled:
            require_database(config)
            if not config.polling_enabled:
                await refuse_switching_on(conn)
            await crud.add_meta(META_ARMED, {"at_us": now_us}, conn)
        await crud.set_polling_enabled(enabled, now_us, conn)
        await record(
            conn,
            "polling_switched",
            config.id,
            {"enabled": enabled},
            actor=actor,
            now_us=now_us,
            before={"polling_enabled": config.polling_enabled},
            after={"polling_enabled": enabled},
        )

    await settlement(work)


async def show_host_key() -> dict[str, str]:
    """The key the SSH server shows now, for the operator to compare. Raises SourceError."""
    settings = source_settings(await crud.get_config(), only_ssh=True)
    key_type, fingerprint, line = await fetch_host_key(settings)
    return {"key_type": key_type, "fingerprint": fingerprint, "ssh_host_key": line}


async def accept_host_key(line: str, actor: str) -> StoredConfig:
    """Pin the key that the operator compared. Intake that it halted is resumed step by step.

    Raises BadInput or NotConfigured.
    """
    key, now_us = parse_host_key(line), clock.now_us()

    async def work(conn: BooksConnection) -> StoredConfig:
        config = await _configured(conn)
        changed = config.copy(update={"ssh_host_key": key.public_line, "updated_us": now_us})
        await crud.update_config(changed, conn)
        detail = {"fingerprint": key.fingerprint_sha256}
        await record(
            conn,
            "host_key_accepted",
            config.id,
            detail,
            actor=actor,
            now_us=now_us,
            before={"fingerprint": fingerprint(config.ssh_host_key)},
            after=detail,
        )
        await resolve_alerts(conn, "host_key", now_us)
        return changed

    return await settlement(work)


async def _configured(conn: BooksConnection) -> StoredConfig:
    config = await crud.get_config(conn)
    if config is None:
        raise NotConfigured("No connection to Lamassu is saved")
    return config


def fingerprint(host_key_line: str | None) -> str | None:
    """The SHA-256 fingerprint of a pinned key, as ssh-keygen prints it; needs no asyncssh."""
    if not host_key_line:
        return None
    digest = hashlib.sha256(base64.b64decode(host_key_line.split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def public_config(
    config: StoredConfig,
    last_poll_us: int | None,
    last_success_us: int | None,
    secrets_us: dict[str, int],
) -> PublicConfig:
    """The connection as it is shown: what is set, never what it is."""
    return PublicConfig(
        **config.dict(include=set(PublicConfig.__fields__) & set(StoredConfig.__fields__)),
        ssh_host_fingerprint=fingerprint(config.ssh_host_key),
        has_password=bool(config.password),
        has_ssh_password=bool(config.ssh_password),
        has_ssh_private_key=bool(config.ssh_private_key),
        secrets_set={name: clock.iso(us) or "" for name, us in secrets_us.items()},
        test_connection_last=clock.iso(config.test_connection_us),
        created_at=clock.iso(config.created_us),
        updated_at=clock.iso(config.updated_us),
        last_poll_time=clock.iso(last_poll_us),
        last_successful_poll=clock.iso(last_success_us),
    )
