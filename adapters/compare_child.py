"""The program of the process that compares slices of cash-outs (compare_process.py).

Started by its path, with the folder of this extension: it takes `domain/` from there without the
extension's own `__init__`, which would load all of LNbits. It reads nothing but its input.
"""

from __future__ import annotations

import importlib
import os
import pickle
import struct
import sys
from types import ModuleType
from typing import BinaryIO

LENGTH = struct.Struct(">Q")  # of the message behind it
NICENESS = 5  # LNbits goes first
READY = b"ready"
PACKAGE = "satmachineadmin_compared"


def main(folder: str) -> None:
    """Answer each message (its number, rows, shares, source) with (that number, ids of what seems
    to differ), until the end.
    """
    package = ModuleType(PACKAGE)
    package.__path__ = [folder]
    sys.modules[PACKAGE] = package
    slices = importlib.import_module(f"{PACKAGE}.domain.tie_slice")
    os.nice(NICENESS)
    given, answers = sys.stdin.buffer, sys.stdout.buffer
    _send(answers, READY)
    while len(header := given.read(LENGTH.size)) == LENGTH.size:
        (length,) = LENGTH.unpack(header)
        # What it reads was written by the process that started it, through a pipe of their own.
        number, *parts = pickle.loads(given.read(length))  # noqa: S301
        _send(answers, pickle.dumps((number, slices.Slice(*parts).differing())))


def _send(answers: BinaryIO, message: bytes) -> None:
    answers.write(LENGTH.pack(len(message)) + message)
    answers.flush()


if __name__ == "__main__":
    main(sys.argv[1])
