"""From the stored connection to an open source: secrets are unsealed here and nowhere else."""

from __future__ import annotations

from ..adapters.lamassu_postgres import SourceSettings
from ..adapters.secret_box import unseal
from ..errors import NotConfigured
from ..models import StoredConfig


def source_settings(config: StoredConfig | None) -> SourceSettings:
    """The connection in the clear, for as long as it is used.

    Raises NotConfigured or SecretUnreadable.
    """
    if config is None:
        raise NotConfigured("No connection to Lamassu is saved")
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
