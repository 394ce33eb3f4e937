"""When something happens: events, ends of tasks and clocks, joined with `&` and `|`.

Must never offer what the daemon refuses. A condition does not know its task when it is written, so
what is wrong with it is told when a task takes it.
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Mapping, Optional, Tuple, Union

from .errors import DefinitionError
from .names import KEY_RULE, WORD_RULE, is_key, is_pattern, is_word
from .times import Span, format_span

DEPTH_MAX = 16
FILTER_BYTES_MAX = 4096
COUNT_MAX = 1_000_000_000
STATUSES = ("running", "success", "failed", "stopped", "skipped")
RESETS = ("on fire", "per key", "per window", "never")


if TYPE_CHECKING:
    from typing import Protocol

    class Named(Protocol):
        """A task, as far as a condition knows one."""

        name: str

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


class Gathering(Condition):
    """One that gathers over time, and may forget in a way of its own."""

    _within: Optional[Span] = None
    _reset: Optional[str] = None

    def within(self, span: Span) -> "Gathering":
        """Only what lies no further apart than this counts. For all, sequence and count."""
        changed = copy(self)
        changed._within = span
        return changed

    def reset(self, mode: str) -> "Gathering":
        """How it forgets: `on fire` (the default), `per key`, `per window` or `never`."""
        changed = copy(self)
        changed._reset = mode
        return changed

    def beside(self) -> Dict[str, Any]:
        """What stands beside its kind in the definition."""
        written: Dict[str, Any] = {}
        if self._within is not None:
            written["within"] = checked_span("within", self._within)
        if self._reset is not None:
            if self._reset not in RESETS:
                raise DefinitionError("reset %r" % self._reset, "one of: " + ", ".join(RESETS))
            written["reset"] = self._reset
        return written


class On(Condition):
    """An event of a key came."""

    def __init__(self, key: str, if_: Optional[str]) -> None:
        self._key = key
        self._if = if_

    def write(self) -> Dict[str, Any]:
        written: Dict[str, Any] = {"on": _checked_pattern(self._key)}
        if self._if is not None:
            written["if"] = _checked_filter(self._if)
        return written


class After(Condition):
    """The latest execution of each of some tasks is in the wanted status.

    Or one of another workflow, as `workflow/task`, has come to it, in whichever run.
    """

    def __init__(self, tasks: Mapping[str, str], if_: Optional[str] = None) -> None:
        self._tasks = dict(tasks)
        self._if = if_

    def write(self) -> Dict[str, Any]:
        for name, status in self._tasks.items():
            if "/" in name and (len(self._tasks) > 1 or self._if is not None):
                message = "%r has no run in common with other tasks" % name
                raise DefinitionError(message, 'all_of(after("etl/load"), after(train))')
            if name.count("/") > 1 or not all(is_word(part) for part in name.split("/")):
                raise DefinitionError("after %r, which is no name of a task" % name, WORD_RULE)
            if status not in STATUSES:
                message = "after %s %r: no status that a task can be waited for" % (name, status)
                raise DefinitionError(message, "one of: " + ", ".join(STATUSES))
        if not self._tasks:
            raise DefinitionError("after() names no task", "after(train)")
        written: Dict[str, Any] = {"after": self._short()}
        if self._if is not None:
            written["if"] = _checked_filter(self._if)
        return written

    def upstream(self) -> Iterator[str]:
        return (name for name in self._tasks if "/" not in name)

    def _short(self) -> Union[str, List[str], Dict[str, str]]:
        if any(status != "success" for status in self._tasks.values()):
            return self._tasks
        names = list(self._tasks)
        return names[0] if len(names) == 1 else names


class _Joined(Gathering):
    word = ""

    def __init__(self, parts: Tuple[Condition, ...], by_operator: bool = False) -> None:
        self._parts = parts
        self.by_operator = by_operator

    def write(self) -> Dict[str, Any]:
        if not self._parts:
            raise DefinitionError("%s_of() needs at least one condition" % self.word)
        written = [write_condition(part) for part in self._parts]
        return {self.word: written, **self.beside()}

    def parts(self) -> List[Condition]:
        return list(self._parts)


class All(_Joined):
    """Each part has been met since the last time all were."""

    word = "all"


class Any_(_Joined):
    """Some part is met."""

    word = "any"


class Sequence(_Joined):
    """The parts are met one after the other."""

    word = "sequence"


class Of(Gathering):
    """What is made of another condition: the word of its kind, and what is said with it."""

    def __init__(self, kind: str, of: Condition, said: Mapping[str, Any]) -> None:
        self._kind = kind
        self._of = of
        self._said = said

    def write(self) -> Dict[str, Any]:
        said = {name: value for name, value in self._said.items() if value is not None}
        return {self._kind: {"of": write_condition(self._of), **said}, **self.beside()}

    def parts(self) -> List[Condition]:
        return [self._of] if isinstance(self._of, Condition) else []


class Count(Of):
    """A condition has been met so many times."""

    def __init__(self, of: Condition, n: int) -> None:
        super().__init__("count", of, {"n": n})

    def write(self) -> Dict[str, Any]:
        check_number("n of count()", self._said["n"], 1, COUNT_MAX)
        return super().write()


class Timer(Of):
    """A condition and a time."""

    def __init__(self, kind: str, of: Condition, word: str, span: Span) -> None:
        super().__init__(kind, of, {word: span})

    def write(self) -> Dict[str, Any]:
        for word, span in self._said.items():
            checked_span("%s of %s" % (word, self._kind), span)
        return super().write()


class Silent(Condition):
    """A task that has a heartbeat was not heard of for so long."""

    def __init__(self, task: "TaskName") -> None:
        self._task = task if isinstance(task, str) else task.name

    def write(self) -> Dict[str, Any]:
        return {"silent": self._task}

    def upstream(self) -> Iterator[str]:
        return iter([self._task])


def on(key: str, if_: Optional[str] = None) -> Condition:
    """An event of `key` came (`*` stands for any text), and `if_` (such as `value.rows > 0`) is true of it."""
    return On(key, if_)


def after(
    *tasks: "Union[TaskName, Mapping[str, str]]",
    status: str = "success",
    if_: Optional[str] = None,
) -> Condition:
    """The latest executions of all these tasks are in this status.

    Instead of a task: {name: status}; instead of a name one of another workflow, alone, such as
    "etl/load", which is met each time that it comes to it in any run. `if_`: and this is true, such as
    `tasks.train.outputs.mae < 15.0`.
    """
    wanted: Dict[str, str] = {}
    for task in tasks:
        if isinstance(task, Mapping):
            wanted.update(task)
        else:
            wanted[task if isinstance(task, str) else task.name] = status
    return After(wanted, if_)


def all_of(*conditions: Condition) -> Gathering:
    """Each has been met since the last time all were."""
    return All(conditions)


def any_of(*conditions: Condition) -> Condition:
    """One is met."""
    return Any_(conditions)


def sequence(*conditions: Condition) -> Gathering:
    """They are met one after the other; others may come in between."""
    return Sequence(conditions)


def sum_of(
    condition: Condition, expr: str, reaches: float, carry: Optional[bool] = None
) -> Gathering:
    """What `expr` (such as `value.rows`) gives of the events has come to `reaches`.

    `carry`: what was too much counts for the next time.
    """
    return Of("sum", condition, {"expr": expr, "reaches": reaches, "carry": carry})


def absent(condition: Condition, for_: Span) -> Condition:
    """Nothing met the condition for so long."""
    return Timer("absent", condition, "for", for_)


def debounce(condition: Condition, for_: Span) -> Condition:
    """The condition was met, and then not again for so long."""
    return Timer("debounce", condition, "for", for_)


def throttle(condition: Condition, per: Span) -> Condition:
    """The condition was met, at most once in so long."""
    return Timer("throttle", condition, "per", per)


def script(condition: Condition, script: str) -> Condition:
    """A script in rhai, which keeps a `state`, says so of an event that met the condition."""
    return Of("state", condition, {"script": script})


def silent(task: "TaskName") -> Condition:
    """The task has a `heartbeat`, and was not heard of for so long."""
    return Silent(task)


def count(condition: Condition, n: int) -> Gathering:
    """The condition has been met `n` times since the last time it was."""
    return Count(condition, n)


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


def _checked_pattern(key: str) -> str:
    if not isinstance(key, str) or not is_pattern(key):
        raise DefinitionError("event key %r is not a valid name" % (key,), KEY_RULE + "; * for any")
    return key


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


def _join(kind: "type[_Joined]", left: Condition, right: Any) -> Condition:
    """`a & b & c` are three parts of one; what stood in `all_of` or `any_of` stays as it is."""
    if not isinstance(right, Condition):
        write_condition(right)
    parts: List[Condition] = []
    for side in (left, right):
        is_open = type(side) is kind and isinstance(side, _Joined) and side.by_operator
        parts.extend(side.parts() if is_open else [side])
    return kind(tuple(parts), by_operator=True)
