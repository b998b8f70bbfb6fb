"""The commands: what each is called and takes. Nothing of LNbits is imported here (tools.py)."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

FINE = 0

DESCRIPTION = "Satoshi Machine Admin without its page; LNbits may be up or down."
EPILOG = (
    "'stop' writes the switch, 'halt' a halt, 'reconcile' its findings; others only read. Work is"
    " switched on again on the page, where what would be paid is shown first."
    " Exit code: 0 fine, 1 something is wrong, 2 could not look."
)


def parser() -> argparse.ArgumentParser:
    """The commands and their arguments; each runs the function of its name in commands.py."""
    top = argparse.ArgumentParser(
        prog="python tools.py",
        description=DESCRIPTION,
        epilog=EPILOG,
        usage="python tools.py [--lnbits FOLDER] COMMAND",
    )
    sub = top.add_subparsers(metavar="COMMAND", required=True)

    def add(name: str, says: str, *aliases: str) -> argparse.ArgumentParser:
        one = sub.add_parser(name, help=says, description=says, aliases=list(aliases))
        one.set_defaults(command=name.replace("-", "_"))
        return one

    add("status", "where everything stands and what needs you")
    stop = add("stop", "emergency stop: nothing is paid from now", "disable-polling")
    stop.add_argument("--by", default="", help="your name, for the audit trail")
    halt = add("halt", "stop one thing: intake, settlement, machine, client or everything")
    halt.add_argument("scope", choices=("intake", "settlement", "machine", "client", "everything"))
    halt.add_argument("subject", nargs="?", default="", help="the machine's or client's id")
    halt.add_argument("--reason", required=True, help="why, for whoever lifts it")
    halt.add_argument("--by", default="", help="your name, for the audit trail")
    add("balances", "what every client has, and whether it adds up")
    last = add("last", "the newest cash-outs")
    last.add_argument("count", nargs="?", type=int, default=10)
    add("unpaid", "payments that are not completed")
    add("reconcile", "compare Lamassu, plans, ledger and wallets, to the sat")
    verify = add("verify", "prove that the audit trail is as it was written")
    verify.add_argument("--hash", default="", help="a head that you kept")
    export = add("export", "every table, the audit report and a manifest")
    export.add_argument("folder", type=Path, help="a dated folder is made in it")
    check = add("check-export", "is an export as it was written?")
    check.add_argument("folder", type=Path, help="the dated folder")
    return top


def help_text() -> int:
    """The list of commands; asks nothing of LNbits."""
    parser().print_help(sys.stdout)
    return FINE


def read(arguments: list[str], here: Path) -> argparse.Namespace:
    """What is asked for. `here`: where it was started, for paths that begin there."""
    given = parser().parse_args(arguments)
    if hasattr(given, "folder"):
        given.folder = here / given.folder
    return given
