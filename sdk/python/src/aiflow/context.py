"""Who this task is, from the environment that the daemon gave it.

Must never ask the daemon: it works when the daemon is down.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Iterator, List, Mapping, NamedTuple, Optional

from .errors import NotInTask
from .times import parse_time
from .views import Event, read_list

PARAM_PREFIX = "AIFLOW_PARAM_"


class Window(NamedTuple):
    """A stretch of event time, from its start (in) to its end (out)."""

    start: datetime
    end: datetime


class Params(Mapping[str, Any]):
    """Parameters of the run: what parses as JSON is that, all else is text.

    Names count without case, and `-` is `_`, as the environment has them. `text` gives one as it
    stands there.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._texts = {
            _plain(name[len(PARAM_PREFIX) :]): text
            for name, text in environ.items()
            if name.startswith(PARAM_PREFIX)
        }

    def __getitem__(self, name: str) -> Any:
        text = self.text(name)
        try:
            return json.loads(text)
        except ValueError:
            return text

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def __len__(self) -> int:
        return len(self._texts)

    def __repr__(self) -> str:
        return "Params(%r)" % dict(self)

    def text(self, name: str) -> str:
        """A parameter as text. Raises `KeyError`."""
        return self._texts[_plain(name)]


@dataclass(frozen=True)
class TaskContext:
    """Which try of which task this process is. `attempt_id` is never given twice."""

    namespace: str
    workflow: str
    run: int
    task: str
    sequence: int
    attempt: int
    attempt_id: str
    window: Optional[Window]
    params: Params
    events: List[Event]

    @property
    def event(self) -> Optional[Event]:
        """The latest of the events that the task was started by, if any."""
        return self.events[-1] if self.events else None


def current(environ: Optional[Mapping[str, str]] = None) -> TaskContext:
    """Who this task is. Raises `NotInTask` when it is none."""
    variables = os.environ if environ is None else environ
    attempt_id = variables.get("AIFLOW_ATTEMPT_ID", "")
    parts = attempt_id.split(".")
    if len(parts) != 4:
        raise NotInTask(
            "this process is not a task of a run: AIFLOW_ATTEMPT_ID is %s"
            % (repr(attempt_id) if attempt_id else "not set")
        )
    run, task, sequence, attempt = parts
    return TaskContext(
        namespace=variables["AIFLOW_NAMESPACE"],
        workflow=variables["AIFLOW_WORKFLOW"],
        run=int(run),
        task=task,
        sequence=int(sequence),
        attempt=int(attempt),
        attempt_id=attempt_id,
        window=_window(variables),
        params=Params(variables),
        events=_events(variables),
    )


def _window(variables: Mapping[str, str]) -> Optional[Window]:
    start, end = variables.get("AIFLOW_WINDOW_START"), variables.get("AIFLOW_WINDOW_END")
    if start is None or end is None:
        return None
    return Window(parse_time(start), parse_time(end))


def _events(variables: Mapping[str, str]) -> List[Event]:
    text = variables.get("AIFLOW_EVENT")
    path = variables.get("AIFLOW_EVENT_FILE")
    if text is None and path is not None:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    return read_list(Event, json.loads(text)) if text else []


def _plain(name: str) -> str:
    return name.lower().replace("-", "_")
