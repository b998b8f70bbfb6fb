"""The environment LNbits is imported into. Must be ready before anything imports lnbits.

LNbits reads its settings once, at import, and keeps the database type, its engines and its locks
in module globals. So one process tests one database type, chosen by SATM_TEST_DB.

The extension is reached through a symlink in a temporary folder and always imported as the
top-level package `satmachineadmin`, whatever the checkout's own folder is called: under two names
its models, locks and error classes would exist twice.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

EXTENSION = "satmachineadmin"
CHECKOUT = Path(__file__).resolve().parents[2]

# Settings of the person who runs the tests must not reach the LNbits under test.
_FOREIGN = ("LNBITS_", "AUTH_", "SUPER_USER", "FIRST_INSTALL", "FAKE_WALLET", "PG")


@dataclass(frozen=True)
class Environment:
    """Where this test process works, and on what."""

    folder: Path
    database: str  # sqlite | postgres
    postgres_url: str | None  # what LNbits is given
    postgres_server: str | None  # a server the caller brought; None: we start our own
    postgres_port: int  # of our own server

    @property
    def data(self) -> Path:
        """LNbits' data folder: its SQLite files lie here."""
        return self.folder / "data"

    @property
    def extensions(self) -> Path:
        """What LNBITS_EXTENSIONS_PATH/extensions is; on sys.path."""
        return self.folder / "extensions"

    def remove(self) -> None:
        """Forget everything this test process wrote."""
        shutil.rmtree(self.folder, ignore_errors=True)


def prepare() -> Environment:
    """Make the folder, set the variables, put the extension on sys.path."""
    if "lnbits" in sys.modules:
        raise RuntimeError("lnbits was imported before the tests set its environment")
    environment = _choose(Path(tempfile.mkdtemp(prefix="satm-tests-")))
    environment.data.mkdir()
    environment.extensions.mkdir()
    (environment.extensions / EXTENSION).symlink_to(CHECKOUT, target_is_directory=True)
    sys.path.append(str(environment.extensions))

    for name in list(os.environ):
        if name.upper().startswith(_FOREIGN):
            del os.environ[name]
    os.environ.update(lnbits_variables(environment.data, environment.folder))
    if environment.postgres_url:
        os.environ["LNBITS_DATABASE_URL"] = environment.postgres_url
    # Hypothesis writes beside the current folder, which LNbits forces to be site-packages.
    os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = str(CHECKOUT / ".hypothesis")
    return environment


def lnbits_variables(data: Path, extensions_parent: Path) -> dict[str, str]:
    """Settings of an LNbits that tests may boot, in this process or in another one."""
    return {
        "LNBITS_DATA_FOLDER": str(data),
        "LNBITS_EXTENSIONS_PATH": str(extensions_parent),
        "LNBITS_BACKEND_WALLET_CLASS": "FakeWallet",
        "LNBITS_ADMIN_UI": "true",
        "LNBITS_EXTENSIONS_DEFAULT_INSTALL": json.dumps([]),
        "LNBITS_RATE_LIMIT_NO": "1000000",
        "AUTH_SECRET_KEY": "only-for-tests-0123456789-0123456789-abcdef",
        "AUTH_HTTPS_ONLY": "false",
        "ENABLE_LOG_TO_FILE": "false",
    }


def _choose(folder: Path) -> Environment:
    database = os.environ.get("SATM_TEST_DB", "sqlite")
    if database == "sqlite":
        return Environment(folder, database, None, None, 0)
    if database != "postgres":
        raise RuntimeError(f"SATM_TEST_DB is '{database}', not sqlite or postgres")
    server = os.environ.get("SATM_TEST_POSTGRES_URL")
    if server:
        # LNbits knows only this spelling of the scheme.
        address = urlsplit(server)._replace(scheme="postgres", path=f"/satm_test_{uuid4().hex}")
        return Environment(folder, database, urlunsplit(address), server, 0)
    port = _free_port()
    url = f"postgres://lnbits:lnbits@127.0.0.1:{port}/lnbits"
    return Environment(folder, database, url, None, port)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
