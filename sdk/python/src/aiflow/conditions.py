"""When something happens: events, ends of tasks and clocks, joined with `&` and `|`.

Must never offer what the daemon refuses. A condition does not know its task when it is written, so
what is wrong with it is told when a task takes it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Dict, Iterator, List, Mapping, Optional, Protocol, Tuple, Union

from .errors import DefinitionError
from .events import KEY_RULE, WORD_RULE, is_key, is_word
from .times import Span, format_span, format_time, parse_time, span_microseconds

DEPTH_MAX = 16
FILTER_BYTES_MAX = 4096
COUNT_MAX = 1_000_000_000
PERIOD_MIN_MICROSECONDS = 1_000
ENDS = ("success", "failed", "stopped", "skipped")


class Named(Protocol):
    """A task, as far as a condition knows one."""

    @property
    def name(self) -> str:
        """Its name."""


TaskName = Union[str, Named]


class Condition:
    """When something happens. `a & b`: both have been met; `a | b`: one is met."""

    def __and__(self, other: "Condition") -> "Condition":
        return _join(All, self, other)

    def __or__(self, other: "Condition") -> "Condition":
        return _join(Any_, self, other)

    def __bool__(self) -> bool:
        raise DefinitionError(
            "a condition is neither true nor false while a workflow is written",
            "join conditions with `&` and `|`, in parentheses, not with `and`, `or` and `not`",
        )

    def write(self) -> Dict[str, Any]:
        """As the definition has it. Raises `DefinitionError` without a task."""
        raise NotImplementedError

    def parts(self) -> List["Condition"]:
        """What it is joined of."""
        return []

    def upstream(self) -> Iterator[str]:
        """Tasks whose ends it looks at."""
        for part in self.parts():
            yield from part.upstream()

    def depth(self) -> int:
        """How deep it is nested; 1 for one without parts."""
        return 1 + max((part.depth() for part in self.parts()), default=0)


class On(Condition):
    """An event of a key came."""

    def __init__(self, key: str, if_: Optional[str]) -> None:
        self._key = key
        self._if = if_

    def write(self) -> Dict[str, Any]:
        written: Dict[str, Any] = {"on": checked_key(self._key)}
        if self._if is not None:
            written["if"] = _checked_filter(self._if)
        return written


class After(Condition):
    """The latest execution of each of some tasks has ended as wanted."""

    def __init__(self, tasks: Mapping[str, str]) -> None:
        self._tasks = dict(tasks)

    def write(self) -> Dict[str, Any]:
        for name, status in self._tasks.items():
            if not is_word(name):
                raise DefinitionError("after %r, which is no name of a task" % name, WORD_RULE)
            if status not in ENDS:
                raise DefinitionError(
                    "after %s %r: no end of a task" % (name, status), "one of: " + ", ".join(ENDS)
                )
        if not self._tasks:
            raise DefinitionError("after() names no task", "after(train)")
        return {"after": self._short()}

    def upstream(self) -> Iterator[str]:
        return iter(self._tasks)

    def _short(self) -> Union[str, List[str], Dict[str, str]]:
        if any(status != "success" for status in self._tasks.values()):
            return self._tasks
        names = list(self._tasks)
        return names[0] if len(names) == 1 else names


class _Joined(Condition):
    word = ""

    def __init__(self, parts: Tuple[Condition, ...], by_operator: bool = False) -> None:
        self._parts = parts
        self.by_operator = by_operator

    def write(self) -> Dict[str, Any]:
        if not self._parts:
            raise DefinitionError("%s_of() needs at least one condition" % self.word)
        return {self.word: [write_condition(part) for part in self._parts]}

    def parts(self) -> List[Condition]:
        return list(self._parts)


class All(_Joined):
    """Each part has been met since the last time all were."""

    word = "all"


class Any_(_Joined):
    """Some part is met."""

    word = "any"


class Count(Condition):
    """A condition has been met so many times."""

    def __init__(self, of: Condition, n: int) -> None:
        self._of = of
        self._n = n

    def write(self) -> Dict[str, Any]:
        check_number("n of count()", self._n, 1, COUNT_MAX)
        return {"count": {"of": write_condition(self._of), "n": self._n}}

    def parts(self) -> List[Condition]:
        return [self._of] if isinstance(self._of, Condition) else []


class Watermark:
    """A clock of event time: the lowest of the watermarks that events of these keys report."""

    def __init__(self, *keys: str) -> None:
        self._keys = keys

    def write(self) -> Dict[str, Any]:
        """As the definition has it. Raises `DefinitionError` without a task."""
        if not self._keys:
            raise DefinitionError("Watermark() needs at least one event key")
        if len(set(self._keys)) != len(self._keys):
            raise DefinitionError("Watermark%r names a key twice" % (self._keys,))
        keys = [checked_key(key) for key in self._keys]
        return {"watermark": keys[0] if len(keys) == 1 else keys}


class Every(Condition):
    """A clock has passed the end of a window."""

    def __init__(
        self, period: Span, clock: Optional[Watermark], from_: Union[str, datetime, None]
    ) -> None:
        self._period = period
        self._clock = clock
        self._from = from_

    def write(self) -> Dict[str, Any]:
        written: Dict[str, Any] = {"every": checked_span("every", self._period)}
        if span_microseconds(self._period) < PERIOD_MIN_MICROSECONDS:
            raise DefinitionError("every %s is too often" % self._period, "at least 1ms")
        if self._clock is not None:
            if not isinstance(self._clock, Watermark):
                hint = 'Watermark("my.watermark"), or no clock for the time of the wall'
                raise DefinitionError("every: %r is no clock" % (self._clock,), hint)
            written["clock"] = self._clock.write()
        if self._from is not None:
            written["from"] = _checked_time(self._from)
        return written


def on(key: str, if_: Optional[str] = None) -> Condition:
    """An event of `key` came, and `if_` (such as `value.rows > 0`) is true of it."""
    return On(key, if_)


def after(*tasks: Union[TaskName, Mapping[str, str]], status: str = "success") -> Condition:
    """The latest executions of all these tasks have ended with `status`.

    Instead of a task: {name: status}.
    """
    wanted: Dict[str, str] = {}
    for task in tasks:
        if isinstance(task, Mapping):
            wanted.update(task)
        else:
            wanted[task if isinstance(task, str) else task.name] = status
    return After(wanted)


def all_of(*conditions: Condition) -> Condition:
    """Each has been met since the last time all were."""
    return All(conditions)


def any_of(*conditions: Condition) -> Condition:
    """One is met."""
    return Any_(conditions)


def count(condition: Condition, n: int) -> Condition:
    """The condition has been met `n` times since the last time it was."""
    return Count(condition, n)


def every(
    period: Span,
    clock: Optional[Watermark] = None,
    *,
    from_: Union[str, datetime, None] = None,
) -> Condition:
    """A clock has passed the end of a window so long; without `clock` it is the wall's.

    `from_`: start of the first window, with its offset from UTC; else the clock arms itself.
    """
    return Every(period, clock, from_)


def write_condition(condition: Any) -> Dict[str, Any]:
    """A condition as the definition has it. Raises `DefinitionError` without a task."""
    if not isinstance(condition, Condition):
        hint = 'on("data.ready"), after(train), every("1h") or a join of them with & and |'
        raise DefinitionError("%r is no condition" % (condition,), hint)
    if condition.depth() > DEPTH_MAX:
        raise DefinitionError("conditions are nested deeper than %d" % DEPTH_MAX, "join fewer")
    return condition.write()


def checked_span(what: str, span: Span) -> str:
    """A length of time as the definition has it. Raises `DefinitionError` without a task."""
    try:
        return format_span(span)
    except (ValueError, AttributeError) as error:
        raise DefinitionError("%s: %s" % (what, error), "500ms, 90s, 10m or 1h30m") from None


def checked_key(key: str) -> str:
    """A key of events. Raises `DefinitionError` without a task."""
    if not isinstance(key, str) or not is_key(key):
        raise DefinitionError("event key %r is not a valid name" % (key,), KEY_RULE)
    return key


def check_number(what: str, number: int, least: int, most: int) -> None:
    """Raises `DefinitionError` without a task."""
    if isinstance(number, bool) or not isinstance(number, int) or not least <= number <= most:
        message = "%s is %r" % (what, number)
        raise DefinitionError(message, "a whole number from %d to %d" % (least, most))


def _checked_filter(text: str) -> str:
    size = len(text.encode()) if isinstance(text, str) else 0
    if not size:
        raise DefinitionError("if_ is %r, which is no expression" % (text,), 'if_="value.rows > 0"')
    if size > FILTER_BYTES_MAX:
        message = "the filter has %d bytes, at most %d" % (size, FILTER_BYTES_MAX)
        raise DefinitionError(message, "let the emitter say it in the event's value")
    return text


def _checked_time(time: Union[str, datetime]) -> str:
    try:
        return format_time(time if isinstance(time, datetime) else parse_time(time))
    except (ValueError, AttributeError) as error:
        hint = "datetime(2013, 1, 1, 5, tzinfo=timezone.utc) or 2013-01-01T05:00:00Z"
        raise DefinitionError("from_: %s" % error, hint) from None


def _join(kind: "type[_Joined]", left: Condition, right: Any) -> Condition:
    """`a & b & c` are three parts of one; what stood in `all_of` or `any_of` stays as it is."""
    if not isinstance(right, Condition):
        write_condition(right)
    parts: List[Condition] = []
    for side in (left, right):
        is_open = type(side) is kind and isinstance(side, _Joined) and side.by_operator
        parts.extend(side.parts() if is_open else [side])
    return kind(tuple(parts), by_operator=True)
