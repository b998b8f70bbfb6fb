"""`python -m dev`: the demo. Light, so that Ctrl-C ends it in silence from the first moment."""

from __future__ import annotations

import signal
import sys


def start() -> int:
    """While the libraries load there is nothing to stop yet; then the demo takes the signals."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from .demo import main

    return main()


sys.exit(start())
