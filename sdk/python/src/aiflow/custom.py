"""Conditions that are code: a class whose `is_met` is asked of each event, and keeps a state.

Must never run in the process that writes the workflow: the daemon asks a host of its own
(`aiflow.host`), which imports the file anew.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Mapping, Optional, Tuple

from . import program
from .conditions import Condition, any_of, checked_span, on
from .errors import DefinitionError
from .times import Span

if TYPE_CHECKING:
    from .views import Event

# Highest that all Pythons from 3.8 on can read.
PICKLE_PROTOCOL = 4
# What one argument of a program may hold, with room.
INLINE_BYTES_MAX = 120_000


class State:
    """One value that a condition keeps from event to event; anything that can be pickled."""

    def __init__(self, values: Dict[str, Any], name: str) -> None:
        self._values = values
        self._name = name

    def value(self, default: Any = None) -> Any:
        """What was kept, else `default`."""
        return self._values.get(self._name, default)

    def update(self, value: Any) -> None:
        """Keeps a value; it counts when `is_met` returns."""
        self._values[self._name] = value

    def clear(self) -> None:
        """Keeps nothing."""
        self._values.pop(self._name, None)


class ConditionContext:
    """What a condition is told beside the event: its state, and the run that it stands in.

    `run` is None in a trigger. `tasks`: the status of each task's latest execution.
    """

    def __init__(
        self, values: Dict[str, Any], run: Optional[int], tasks: Mapping[str, str]
    ) -> None:
        self.values = values
        self.run = run
        self.tasks = tasks

    def state(self, name: str) -> State:
        """The state of this name, of this condition alone."""
        return State(self.values, name)


class PythonCondition(Condition):
    """A condition of your own: override `is_met`. It is asked of each event of its keys, in order.

    `timeout`: longest time for an answer, 5 s unless told; other events of the namespace wait for it.

    What `__init__` was given is the same in the host, which runs the file anew; what `is_met` is to
    remember goes into `context.state(name)`, never into attributes.
    """

    def __init__(self, *keys: str, timeout: Optional[Span] = None) -> None:
        self._keys = keys
        self._timeout = timeout
        _made.append(self)
        self.number = len(_made) - 1

    def is_met(self, event: "Event", context: ConditionContext) -> bool:
        """Whether it is met by this event. One that raises counts as not met."""
        raise NotImplementedError

    def ask(self, event: "Event", context: ConditionContext) -> bool:
        """What the host calls."""
        return self.is_met(event, context)

    def write(self) -> Dict[str, Any]:
        if not getattr(self, "_keys", None):
            name = type(self).__name__
            hint = 'super().__init__("data.ready") in its __init__'
            raise DefinitionError("condition %s listens to no key" % name, hint)
        of = on(self._keys[0]) if len(self._keys) == 1 else any_of(*map(on, self._keys))
        source = program.current("condition %s" % type(self).__name__)
        command: List[str] = source.command("host")
        config: Any = self.number
        if _inlining:
            command, config = _inline(self, source)
        environment = program.environment()
        if environment:
            command[:0] = ["env", *("%s=%s" % pair for pair in environment.items())]
        said = {"of": of.write(), "exec": command, "config": config, "tasks": True}
        if self._timeout is not None:
            said["timeout"] = checked_span("timeout", self._timeout)
        return {"custom": said}


_inlining = False


@contextmanager
def inlined() -> Iterator[None]:
    """Conditions that are written meanwhile bring their file along, and are themselves pickled.

    For triggers that a script adds: they are no part of the workflow's files.
    """
    global _inlining
    before, _inlining = _inlining, True
    try:
        yield
    finally:
        _inlining = before


def _inline(condition: PythonCondition, source: program.Program) -> Tuple[List[str], Any]:
    import base64
    import pickle
    import zlib

    with open(source.path, "rb") as file:
        packed = base64.b64encode(zlib.compress(file.read(), 9)).decode()
    name = type(condition).__name__
    if len(packed) > INLINE_BYTES_MAX:
        message = "the file of condition %s is too large to go with a trigger" % name
        raise DefinitionError(message, "define the condition in the workflow's file: `triggers=`")
    try:
        pickled = pickle.dumps(condition, protocol=PICKLE_PROTOCOL)
    except Exception as error:
        message = "condition %s cannot be pickled: %s" % (name, error)
        raise DefinitionError(message, "define its class at the top level of the file") from None
    config = {"pickle": base64.b64encode(pickled).decode()}
    return source.command("host", packed), config


# Those of this process, in the order in which they were made: the host makes them in the same.
_made: List[PythonCondition] = []


def made() -> List[PythonCondition]:
    """All conditions that were made in this process, in order."""
    return _made
