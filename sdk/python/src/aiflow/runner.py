"""`python -m aiflow.runner FILE WORKFLOW TASK`: a task that is code, in the process of its attempt.

Must never catch what the code raises without failing the attempt. Imports little: each start of
such a task pays for it.
"""

from __future__ import annotations

import os
import signal
import sys

from . import program
from .operating import Stopping
from .workflow import workflows_of


def main() -> int:
    """The runner as a process; its exit code is that of the attempt."""
    _, path, workflow_name, task_name = sys.argv
    try:
        module = program.load(path)
        for workflow in workflows_of(module):
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
    sys.exit(main())
