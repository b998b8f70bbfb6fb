"""The set-up of a simulated operation by the services that the routes call: a hundred times faster
than over HTTP, which the people of a seed use from then on.
"""

from __future__ import annotations

from typing import Any

from satmachineadmin.models import (
    CreateClient,
    CreateDeposit,
    SaveConfig,
    UpdateDepositStatus,
    UpdateSettings,
)
from satmachineadmin.services import clients, connection, deposits, operator_settings

ACTOR = "the simulation"


async def call_service(method: str, path: str, body: dict[str, Any]) -> Any:
    """What the route of this name does."""
    name, *rest = path.split("/")
    if name == "config":
        return await connection.save_config(SaveConfig(**body), actor=ACTOR)
    if name == "polling":
        return await connection.set_polling(body["enabled"], ACTOR)
    if name == "settings":
        return await operator_settings.update_settings(UpdateSettings(**body), ACTOR)
    if name == "clients":
        return await clients.create_client(CreateClient(**body), ACTOR)
    if method == "POST":
        return await deposits.create_deposit(CreateDeposit(**body), ACTOR)
    return await deposits.decide_deposit(rest[0], UpdateDepositStatus(**body), ACTOR)
