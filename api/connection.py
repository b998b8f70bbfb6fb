"""Routes: the connection to Lamassu, its test, and the operator's settings."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import APIRouter

from .. import clock, crud
from ..domain.days import instant_us
from ..domain.fields import aware
from ..errors import BadInput, SatMachineError
from ..models import (
    EnabledRequest,
    HostKeyRequest,
    OperatorSettings,
    PatchConfig,
    PublicConfig,
    SaveConfig,
    StoredConfig,
    UpdateSettings,
)
from ..services import connection, connection_test, operator_settings
from ..services.observe import META_CLOCK, META_LAST_SUCCESS
from .routing import Actor, AnsweringRoute, changes

router = APIRouter(route_class=AnsweringRoute)


async def _public(config: StoredConfig) -> PublicConfig:
    last = await crud.last_poll()
    success_us = await crud.get_meta(META_LAST_SUCCESS)
    started_us = int(last["started_us"]) if last else None
    secrets_us = await crud.get_meta(connection.META_SECRETS) or {}
    return connection.public_config(config, started_us, success_us, secrets_us)


@router.get("/config")
async def get_config() -> PublicConfig | None:
    """The connection without its secrets; null before the first save."""
    config = await crud.get_config()
    return await _public(config) if config else None


@router.post("/config", status_code=201, dependencies=[changes])
async def post_config(data: SaveConfig, actor: Actor) -> PublicConfig:
    """Save the connection, first or again. A secret that is not given stays."""
    return await _public(await connection.save_config(data, actor=actor))


@router.patch("/config", dependencies=[changes])
async def patch_config(data: PatchConfig, actor: Actor) -> PublicConfig:
    """Save a part of the connection, as the setup does; automatic work stays as it is."""
    return await _public(await connection.save_config(data, actor=actor))


@router.put("/config/{config_id}", dependencies=[changes])
async def put_config(config_id: str, data: SaveConfig, actor: Actor) -> PublicConfig:
    """Change the connection."""
    return await _public(await connection.save_config(data, actor=actor, config_id=config_id))


@router.delete("/config/{config_id}", dependencies=[changes])
async def delete_config(config_id: str, actor: Actor) -> dict[str, bool]:
    """Forget the connection and its secrets; books, settings and the start point stay."""
    await connection.delete_config(config_id, actor)
    return {"success": True}


@router.put("/polling", dependencies=[changes])
async def put_polling(data: EnabledRequest, actor: Actor) -> dict[str, bool]:
    """The stop switch: off, no new work begins; what runs ends its current cash-out."""
    await connection.set_polling(data.enabled, actor)
    return {"polling_enabled": data.enabled}


@router.get("/host-key")
async def get_host_key() -> dict[str, str]:
    """The key that the SSH server shows now; nothing is stored."""
    return await connection.show_host_key()


@router.put("/host-key", dependencies=[changes])
async def put_host_key(data: HostKeyRequest, actor: Actor) -> PublicConfig:
    """Accept a host key that the operator compared."""
    return await _public(await connection.accept_host_key(data.ssh_host_key, actor))


@router.post("/test-connection")
async def post_test_connection(actor: Actor) -> dict[str, Any]:
    """Try every step from SSH to rows. Answers 200 with `success` false when one fails."""
    try:
        steps = await connection_test.test_connection(actor)
    except SatMachineError as exc:
        return {"success": False, "message": exc.message, **exc.answer(), "steps": []}
    failed = next((step for step in steps if step.ok is False), None)
    return {
        "success": failed is None,
        "message": failed.detail if failed else "Every step succeeded",
        "code": failed.code if failed else None,
        "hint": failed.hint if failed else None,
        "steps": [vars(step) for step in steps],
    }


@router.get("/test-connection")
async def get_test_connection() -> dict[str, Any]:
    """How far the test is that runs now: the steps that have ended, as `POST` answers them."""
    steps = connection_test.steps_so_far()
    return {"running": steps is not None, "steps": [vars(step) for step in steps or ()]}


def _settings(settings: OperatorSettings, clock_difference_us: Any) -> dict[str, Any]:
    return {
        **{name: getattr(value, "value", value) for name, value in settings.dict().items()},
        "start_at": clock.iso(settings.start_at_us),
        "clock_difference_us": clock_difference_us,
    }


@router.get("/settings")
async def get_settings() -> dict[str, Any]:
    """The operator's settings."""
    return _settings(await crud.get_settings(), await crud.get_meta(META_CLOCK))


@router.put("/settings", dependencies=[changes])
async def put_settings(data: UpdateSettings, actor: Actor) -> dict[str, Any]:
    """Change settings; a field that is not given stays."""
    settings = await operator_settings.update_settings(data, actor)
    return _settings(settings, await crud.get_meta(META_CLOCK))


@router.get("/start-point/preview")
async def get_start_preview(start_at: datetime) -> dict[str, Any]:
    """How many cash-outs and sats a start point would bring in."""
    try:
        moment = aware(start_at)
    except ValueError as exc:
        raise BadInput(f"start_at: {exc}") from exc
    count, sats = await operator_settings.preview_start(instant_us(moment or start_at))
    return {"start_at": clock.iso(instant_us(moment or start_at)), "cash_outs": count, "sats": sats}
