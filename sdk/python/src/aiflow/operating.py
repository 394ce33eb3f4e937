"""An operator in the process of its attempt: started, awaited, and stopped on a signal.

Must never end the wait for another reason than that the operator returns, raises or was told to stop.
"""

from __future__ import annotations

import signal
from typing import Any


class Stopping(BaseException):
    """The task was asked to end, and its operator was told."""


def run_operator(operator: Any) -> None:
    """Starts an operator and waits for its end. A SIGTERM calls its `stop` and ends the wait."""
    from .context import current

    context: Any = operator.context_of(current())

    def stop(number: int, frame: Any) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        operator.stop(context)
        raise Stopping()

    signal.signal(signal.SIGTERM, stop)
    operator.start(context)
    operator.await_termination(context)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
