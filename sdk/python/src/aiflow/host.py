"""`python -m aiflow.host FILE [SOURCE]`: the conditions of a file that are code, asked by the daemon.

SOURCE: the text of FILE, packed, when it is not there; conditions are then pickled in the questions.

Reads questions and writes answers, a JSON object a line each (docs/plugins.md). Must never keep
anything between two questions: what a condition remembers comes with the question and goes back
with the answer, so that the daemon alone knows it. Must never write anything else to stdout.
"""

from __future__ import annotations

import base64
import json
import os
import pickle
import sys
import zlib
from types import ModuleType
from typing import Any, Dict

from . import program
from .custom import PICKLE_PROTOCOL, ConditionContext, PythonCondition, made
from .times import parse_time
from .views import Event


def answer(question: Dict[str, Any]) -> Dict[str, Any]:
    """What a condition says to a question. Raises what the condition raises."""
    condition = _meant(question["config"])
    event = Event(**{**question["event"], "time": parse_time(question["event"]["time"])})
    values = {name: _read(kept) for name, kept in (question["state"] or {}).items()}
    context = ConditionContext(values, question.get("run"), question.get("tasks") or {})
    is_met = condition.ask(event, context)
    state = {name: _write(value) for name, value in context.values.items()}
    return {"met": bool(is_met), "state": state or None}


def _meant(config: Any) -> PythonCondition:
    """The condition that is asked: by its number in the file, or as it was pickled."""
    if isinstance(config, dict):
        condition: PythonCondition = pickle.loads(base64.b64decode(config["pickle"]))
        return condition
    conditions = made()
    if not isinstance(config, int) or not 0 <= config < len(conditions):
        raise LookupError("the file has no condition number %r" % (config,))
    return conditions[config]


def _load(path: str, packed: str) -> None:
    """Loads a file that is not here, under the name of the script that it was."""
    text = zlib.decompress(base64.b64decode(packed)).decode()
    module = ModuleType(os.path.splitext(path)[0])
    module.__file__ = os.path.abspath(path)
    sys.modules[module.__name__] = module
    # What the script pickled is of its own module, which there was the main one.
    sys.modules["__main__"] = module
    exec(compile(text, path, "exec"), vars(module))


def _write(value: Any) -> Any:
    """JSON where that gives the same value back, so that people can read the state."""
    if _is_json(value):
        return {"json": value}
    pickled = pickle.dumps(value, protocol=PICKLE_PROTOCOL)
    return {"pickle": base64.b64encode(pickled).decode()}


def _read(kept: Dict[str, Any]) -> Any:
    if "json" in kept:
        return kept["json"]
    return pickle.loads(base64.b64decode(kept["pickle"]))


def _is_json(value: Any) -> bool:
    kind = type(value)
    if kind is dict:
        return all(type(name) is str and _is_json(part) for name, part in value.items())
    if kind is list:
        return all(map(_is_json, value))
    if kind is float:
        return bool(value - value == 0.0)
    if kind is int:
        # What every reader of JSON takes in whole.
        return bool(-(2**53) < value < 2**53)
    return value is None or kind in (bool, str)


def main() -> int:
    """The host as a process; it ends when nobody asks any more."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    if len(sys.argv) > 2:
        _load(sys.argv[1], sys.argv[2])
    else:
        program.load(sys.argv[1])
    for line in sys.stdin.buffer:
        question = json.loads(line)
        try:
            said = answer(question)
            text = json.dumps({"id": question["id"], **said})
        except Exception as error:
            reason = "%s: %s" % (type(error).__name__, error)
            text = json.dumps({"id": question["id"], "error": reason})
        answers.write(text + "\n")
        answers.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
