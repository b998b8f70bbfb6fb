"""From the stored connection to an open source: secrets are unsealed here and nowhere else."""

from __future__ import annotations

from ..adapters.lamassu_postgres import SourceSettings
from ..adapters.secret_box import unseal
from ..errors import NotConfigured
from ..models import StoredConfig


def source_settings(config: StoredConfig | None, *, only_ssh: bool = False) -> SourceSettings:
    """The connection in the clear, for as long as it is used.

    `only_ssh`: what lies behind the server may not be set yet. Raises NotConfigured or
    SecretUnreadable.
    """
    if config is None or (only_ssh and not config.ssh_host):
        raise NotConfigured("No connection to Lamassu is saved")
    if not only_ssh:
        require_database(config)
    return SourceSettings(
        host=config.host,
        port=config.port,
        database_name=config.database_name,
        username=config.username,
        password=unseal(config.password) or "",
        use_ssh_tunnel=config.use_ssh_tunnel,
        ssh_host=config.ssh_host,
        ssh_port=config.ssh_port,
        ssh_username=config.ssh_username,
        ssh_password=unseal(config.ssh_password),
        ssh_private_key=unseal(config.ssh_private_key),
        ssh_key_passphrase=unseal(config.ssh_key_passphrase),
        ssh_host_key=config.ssh_host_key,
    )


def require_database(config: StoredConfig) -> None:
    """Raise NotConfigured while only a part of the connection was saved."""
    if not config.username:
        raise NotConfigured(
            "The database of the ATM server is not set up",
            hint="Fill in the database and its role first.",
        )
