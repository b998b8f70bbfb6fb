"""From where the running task acts, as the audit trail says it.

Set by whoever begins the task (a request, the timer, a command), so that nothing in between has to
hand it on: 'page 10.0.0.5', 'api 10.0.0.5', 'token of api 10.0.0.5', 'timer', 'command'.
"""

from __future__ import annotations

from contextvars import ContextVar

came_from: ContextVar[str | None] = ContextVar("satm_came_from", default=None)
