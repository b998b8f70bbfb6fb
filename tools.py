"""Satoshi Machine Admin without its page: `python tools.py status`, while LNbits is up or down.

Start it from this folder with LNbits' own Python. This file only finds LNbits' folder, whose
settings decide which database is meant, and hands over to cli/; what each command does is there.
Nothing of LNbits is imported before its data was found: LNbits creates what it does not find.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

COULD_NOT_LOOK = 2
# The package's name in this process, whatever the folder is called: all imports are relative.
PACKAGE = "satmachineadmin"
SQLITE_FILE = "database.sqlite3"
FOLDER_OPTION = "--lnbits"


class NoLnbits(Exception):
    """There is nothing to look at; the message says what to do."""


def main(arguments: list[str]) -> int:
    """Run one command; 0 fine, 1 something is wrong, 2 could not look."""
    try:
        wanted, rest = _split(arguments)
        if not rest or rest[0] in ("-h", "--help", "help"):
            return int(_cli("arguments").help_text())
        given = _cli("arguments").read(rest, Path.cwd())
        if find_spec("lnbits") is None:
            raise NoLnbits(
                "This Python does not know LNbits. Start tools.py with LNbits' own Python,"
                " for example: ../../../.venv/bin/python tools.py status"
            )
        os.chdir(_lnbits_folder(wanted))
        _require_data()
        return int(_cli("main").run(given))
    except NoLnbits as exc:
        sys.stderr.write(f"Could not look: {exc}\n")
        return COULD_NOT_LOOK


def _split(arguments: list[str]) -> tuple[Path | None, list[str]]:
    """LNbits' folder, if it was named, and everything else."""
    rest, folder = [], None
    given = iter(arguments)
    for one in given:
        name, sign, value = one.partition("=")
        if name == FOLDER_OPTION:
            folder = Path(value if sign else next(given, ""))
            if not folder.is_dir():
                raise NoLnbits(f"{FOLDER_OPTION}: there is no folder '{folder}'")
        else:
            rest.append(one)
    return folder, rest


def _lnbits_folder(wanted: Path | None) -> Path:
    """Where LNbits is started: relative paths in its settings begin there, its .env lies there.

    Looked for upwards from here, by the name the folder was entered with: an extension is often a
    link into another place.
    """
    if wanted is not None:
        return wanted
    if any(name.upper() in ("LNBITS_DATA_FOLDER", "LNBITS_DATABASE_URL") for name in os.environ):
        return Path.cwd()
    entered = Path(os.environ.get("PWD", "")) / sys.argv[0]
    for start in (Path.cwd(), entered.parent, Path(__file__).resolve().parent):
        for folder in (start, *start.parents):
            if (folder / ".env").is_file() or (folder / "data" / SQLITE_FILE).is_file():
                return folder
    raise NoLnbits(
        f"LNbits' folder was not found from here. Name it: {FOLDER_OPTION} FOLDER (the folder with"
        " its .env and data), or set LNBITS_DATA_FOLDER or LNBITS_DATABASE_URL as LNbits has them"
    )


def _require_data() -> None:
    """Refuse where LNbits never ran: importing it there would begin a new one."""
    settings = _settings()
    if settings.get("LNBITS_DATABASE_URL"):
        return
    folder = Path(settings.get("LNBITS_DATA_FOLDER") or "data")
    if not (folder / SQLITE_FILE).is_file():
        raise NoLnbits(f"There is no LNbits database in {folder.absolute()}")


def _settings() -> dict[str, str | None]:
    """The environment over LNbits' .env, as its own settings read them."""
    from dotenv import dotenv_values  # LNbits brings it

    found = {name.upper(): value for name, value in dotenv_values(".env").items()}
    return {**found, **{name.upper(): value for name, value in os.environ.items()}}


def _cli(name: str) -> ModuleType:
    """A file of cli/; what LNbits itself needs of us (pages, routes, tasks) is not imported."""
    if PACKAGE not in sys.modules:
        package = ModuleType(PACKAGE)
        package.__path__ = [str(Path(__file__).resolve().parent)]
        sys.modules[PACKAGE] = package
    return import_module(f"{PACKAGE}.cli.{name}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
