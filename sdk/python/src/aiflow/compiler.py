"""`python -m aiflow.compiler FILE`: the workflows of a file as definitions, for `aiflow workflow`.

Prints one object in JSON; what the file itself prints goes to stderr. Must never show a frame of
this package in a traceback: the fault is in the user's file.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any, Dict, List

from . import program
from .errors import AiflowError, DefinitionError
from .trace import line_in, trace_of
from .workflow import workflows_of


def compile_file(path: str) -> Dict[str, Any]:
    """What `main` prints: `workflows`, or a `fault` with its place."""
    try:
        module = program.load(path)
        found = [_compile(path, workflow) for workflow in workflows_of(module)]
    except DefinitionError as error:
        place = "" if error.task is None else "task `%s`: " % error.task
        return _fault(path, error, place + error.message, error.hint)
    except AiflowError as error:
        return _fault(path, error, str(error), None)
    except (Exception, SystemExit) as error:
        said = "%s: %s" % (type(error).__name__, error) if str(error) else type(error).__name__
        return _fault(path, error, said, None)
    if not found:
        hint = 'with Workflow("my_workflow") as workflow: ... at the top level of the file'
        return {"fault": {"message": "the file holds no workflow", "hint": hint, "line": None}}
    return {"workflows": found}


def _compile(path: str, workflow: Any) -> Dict[str, Any]:
    before, program._loading = program._loading, os.path.abspath(path)
    try:
        text: str = workflow.to_yaml()
        files = workflow.listed_files()
    finally:
        program._loading = before
    return {
        "workflow": workflow.name,
        "namespace": workflow.namespace,
        "source": text,
        "files": files,
        "lines": workflow.lines(text),
    }


def _fault(path: str, error: BaseException, message: str, hint: Any) -> Dict[str, Any]:
    trace: List[str] = [] if isinstance(error, DefinitionError) else trace_of(error)
    line = line_in(os.path.abspath(path), error)
    return {"fault": {"message": message, "hint": hint, "line": line, "trace": trace}}


def main() -> int:
    """The compiler as a process."""
    if len(sys.argv) != 2:
        print("usage: python -m aiflow.compiler FILE", file=sys.stderr)
        return 2
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    json.dump(compile_file(sys.argv[1]), answers)
    answers.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
