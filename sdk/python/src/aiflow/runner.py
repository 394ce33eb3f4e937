"""`python -m aiflow.runner FILE WORKFLOW TASK`: a task that is code, in the process of its attempt.

Must never catch what the code raises without failing the attempt. Imports little: each start of
such a task pays for it.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Any

from . import program

if TYPE_CHECKING:
    from .tasks import Operator


class Stopping(BaseException):
    """The task was asked to end, and its operator was told."""


def run_operator(operator: "Operator") -> None:
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


def main() -> int:
    """The runner as a process; its exit code is that of the attempt."""
    _, path, workflow_name, task_name = sys.argv
    try:
        module = program.load(path)
        for workflow in program.workflows(module):
            if workflow.name == workflow_name:
                workflow.task(task_name).run()
                return 0
        print("error: %s has no workflow `%s`" % (path, workflow_name), file=sys.stderr)
        return 1
    except Stopping:
        sys.stdout.flush()
        sys.stderr.flush()
        # Ends as whoever takes the signal as it comes.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)
        return 1
    except Exception as error:
        from .trace import print_trace

        sys.stdout.flush()
        print_trace(error)
        return 1


if __name__ == "__main__":
    # Under its own name too, so that `Stopping` is one class.
    from aiflow.runner import main as own_main

    sys.exit(own_main())
