"""Tasks: what they run, when they start and stop, and what if they fail.

Must never run anything: a task that is a function is run by `aiflow.runner`, in a process of its own.
"""

from __future__ import annotations

import re
import textwrap
import threading
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Dict,
    Generic,
    List,
    Mapping,
    Optional,
    Sequence,
    Tuple,
    TypeVar,
    Union,
)

from . import program
from .conditions import Condition, check_number, checked_span, write_condition
from .errors import DefinitionError
from .names import WORD_RULE, is_word
from .times import Span, span_microseconds

if TYPE_CHECKING:
    from .context import TaskContext
    from .workflow import Workflow

PARALLEL_MAX = 10_000
ATTEMPTS_MAX = 1_000_000
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")

Backoff = Union[Span, Tuple[Span, Span]]
PluginSpec = Union[str, Mapping[str, Any]]
Pools = Union[str, Sequence[str], Mapping[str, int]]

# The workflow whose `with` is open, in this thread.
opened = threading.local()


class Retry:
    """So many attempts in all when one fails; `backoff`: the wait between, or first and longest.

    `on`: exit codes that are worth another one; without it every failure is. `jitter`: adds up to so
    much to each wait.
    """

    def __init__(
        self,
        attempts: int,
        backoff: Optional[Backoff] = None,
        *,
        on: Sequence[int] = (),
        jitter: Optional[Span] = None,
    ) -> None:
        self._attempts = attempts
        self._backoff = backoff
        self._on = list(on)
        self._jitter = jitter

    def write(self) -> Dict[str, Any]:
        """As the definition has it. Raises `DefinitionError` without a task."""
        check_number("attempts of Retry", self._attempts, 1, ATTEMPTS_MAX)
        written = {"attempts": self._attempts, **_write_backoff(self._backoff, self._jitter)}
        if self._on:
            written["on"] = self._on
        return written


class Restart:
    """Start again on an end: `failure`, or `always`; without `attempts` for ever."""

    def __init__(
        self,
        on: str = "failure",
        backoff: Optional[Backoff] = None,
        attempts: Optional[int] = None,
        *,
        jitter: Optional[Span] = None,
    ) -> None:
        self._on = on
        self._backoff = backoff
        self._attempts = attempts
        self._jitter = jitter

    def write(self) -> Dict[str, Any]:
        """As the definition has it. Raises `DefinitionError` without a task."""
        written: Dict[str, Any] = {"on": _word("on of Restart", self._on, ("failure", "always"))}
        if self._attempts is not None:
            check_number("attempts of Restart", self._attempts, 1, ATTEMPTS_MAX)
            written["attempts"] = self._attempts
        return {**written, **_write_backoff(self._backoff, self._jitter)}


Command = TypeVar("Command")


class Emit:
    """Derives an event of `key` each time that `when` is met.

    `value`: an expression over what met it; without it that event's value goes on. `scope`: `run`
    (only rules of the run see it, and triggers) or `namespace`.
    """

    def __init__(
        self,
        key: str,
        when: Condition,
        value: Optional[str] = None,
        scope: Optional[str] = None,
    ) -> None:
        self._said = {"key": key, "value": value, "scope": scope}
        self.when = when

    def write(self) -> Dict[str, Any]:
        """As the definition has it. Raises `DefinitionError` without a task."""
        said = {name: word for name, word in self._said.items() if word is not None}
        return {"when": write_condition(self.when), **said}


class Task(Generic[Command]):
    """What all tasks share. It belongs to the workflow whose `with` it stands in.

    `start`, `stop`, `restart`: conditions; without `start` it starts with the run. `restart` may be
    a `Restart` instead. `stream`: it is not expected to end. `overlap`: `ignore`, `queue` or
    `latest` of what starts it while it is alive. `parallel`: so many at once. `timeout` of an
    attempt; `grace` between the request to end and the kill; `heartbeat`: how often it has to be
    heard of. `pools`: slots that it takes; `priority` in their lines. `limits`, `run_as`, `secrets`:
    what it may use, and who it is. `ready`: when what runs of it is ready. `for_each`: an expression
    that gives a list; each start is one execution for each item. `executor`: a plugin that runs it
    elsewhere, by name or as {"name": ..., "config": ...}.
    """

    def __init__(
        self,
        name: str,
        command: Command,
        *,
        start: Optional[Condition] = None,
        stop: Optional[Condition] = None,
        restart: Union[Condition, Restart, None] = None,
        stream: bool = False,
        env: Optional[Mapping[str, str]] = None,
        overlap: Optional[str] = None,
        parallel: Optional[int] = None,
        retry: Optional[Retry] = None,
        timeout: Optional[Span] = None,
        grace: Optional[Span] = None,
        heartbeat: Optional[Span] = None,
        emit: Sequence[Emit] = (),
        pools: Optional[Pools] = None,
        priority: Optional[int] = None,
        limits: Optional[Mapping[str, Union[int, str]]] = None,
        run_as: Optional[str] = None,
        secrets: Optional[Mapping[str, str]] = None,
        ready: Optional[Condition] = None,
        for_each: Optional[str] = None,
        executor: Optional[PluginSpec] = None,
    ) -> None:
        self.name = name
        self.line = program.line_of_user()
        self._what = command
        self._conditions = {"start": start, "stop": stop, "ready": ready}
        self._restart = restart
        self._stream = stream
        self._env = env
        self._overlap = overlap
        self._parallel = parallel
        self._retry = retry
        self._spans = {"timeout": timeout, "grace": grace, "heartbeat": heartbeat}
        self._emit = list(emit)
        self._plain = {"priority": priority, "run_as": run_as, "for_each": for_each}
        self._nested = {
            "pools": pools,
            "limits": limits,
            "secrets": secrets,
            "executor": executor,
        }
        self.workflow = _open_workflow(name)
        self._check()
        self.workflow._add(self)

    def write(self) -> Dict[str, Any]:
        """As the definition has it. Raises `DefinitionError`."""
        return self._checked(self._write)

    def upstream(self) -> List[str]:
        """Tasks whose statuses its conditions look at."""
        conditions = [*self._conditions.values(), self._restart]
        conditions.extend(emit.when for emit in self._emit if isinstance(emit, Emit))
        found = (c.upstream() for c in conditions if isinstance(c, Condition))
        return [name for names in found for name in names]

    def _command(self) -> Dict[str, Any]:
        raise NotImplementedError

    def _check(self) -> None:
        """What is wrong is told where the task is written."""
        self.write()

    def _checked(self, write: "Callable[[], Dict[str, Any]]") -> Dict[str, Any]:
        try:
            return write()
        except DefinitionError as error:
            raise DefinitionError(error.message, error.hint, str(self.name)) from None

    def _write(self) -> Dict[str, Any]:
        if not isinstance(self.name, str) or not is_word(self.name):
            raise DefinitionError("this is not a valid name", WORD_RULE)
        written: Dict[str, Any] = {"kind": "stream"} if self._stream else {}
        written.update(self._command())
        if self._env:
            written["env"] = {**written.get("env", {}), **_write_env(self._env)}
        for action, condition in self._conditions.items():
            if condition is not None:
                written[action] = write_condition(condition)
        written.update(self._write_restart())
        if self._overlap is not None:
            written["overlap"] = _word("overlap", self._overlap, ("ignore", "queue", "latest"))
        if self._parallel is not None:
            check_number("parallel", self._parallel, 1, PARALLEL_MAX)
            written["parallel"] = self._parallel
        for what, span in self._spans.items():
            if span is not None:
                written[what] = _write_span(what, span)
        if self._emit:
            written["emit"] = [emit.write() for emit in self._emit]
        written.update({name: word for name, word in self._plain.items() if word is not None})
        written.update({name: _plainly(what) for name, what in self._nested.items() if what})
        return written

    def _write_restart(self) -> Dict[str, Any]:
        written: Dict[str, Any] = {}
        if isinstance(self._restart, Restart):
            if self._retry is not None:
                raise DefinitionError("it has both retry and Restart", "give one of them")
            written["restart"] = self._restart.write()
        elif self._restart is not None:
            written["restart"] = write_condition(self._restart)
        if self._retry is not None:
            if not isinstance(self._retry, Retry):
                message = "retry is %r" % (self._retry,)
                raise DefinitionError(message, 'retry=Retry(3, backoff=("1s", "1m"))')
            written["retry"] = self._retry.write()
        return written


class Bash(Task[str]):
    """A task that runs a script of bash; text that begins with a line break is dedented."""

    def _command(self) -> Dict[str, Any]:
        script = self._what
        if not isinstance(script, str) or not script.strip():
            message = "it does not say what to run"
            raise DefinitionError(message, 'Bash(name, "echo hello")')
        if script.startswith("\n"):
            script = textwrap.dedent(script[1:]).rstrip(" \t")
        return {"bash": script}


class Exec(Task[Sequence[str]]):
    """A task that runs a program with arguments, without a shell."""

    def _command(self) -> Dict[str, Any]:
        words = self._what
        is_text = not isinstance(words, str) and all(isinstance(word, str) for word in words)
        if not is_text or not words:
            message = "Exec runs a list of words, not %r" % (words,)
            raise DefinitionError(message, 'Exec(name, ["python3", "train.py"])')
        return {"exec": list(words)}


class Plugged(Task[str]):
    """A task whose work a plugin does: `aiflow-operator-NAME`, told `config` as it is."""

    def __init__(self, name: str, operator: str, config: Any = None, **options: Any) -> None:
        self._config = config
        super().__init__(name, operator, **options)

    def _command(self) -> Dict[str, Any]:
        if self._config is None:
            return {"operator": self._what}
        return {"operator": {"name": self._what, "config": self._config}}


class Python(Task["Callable[..., object]"]):
    """A task that runs a function of this file, in a process of its own.

    `args`, `kwargs`: what it is called with. One that raises fails the attempt. What it prints is
    the task's output; `aiflow.context.current()` tells it who it is.
    """

    def __init__(
        self,
        name: str,
        function: "Callable[..., object]",
        args: Sequence[Any] = (),
        kwargs: Optional[Mapping[str, Any]] = None,
        **options: Any,
    ) -> None:
        self._args = list(args)
        self._kwargs = dict(kwargs or {})
        super().__init__(name, function, **options)

    def run(self) -> None:
        """Calls the function, in the task's own process."""
        self._what(*self._args, **self._kwargs)

    def _command(self) -> Dict[str, Any]:
        if not callable(self._what):
            message = "Python runs a function, not %r" % (self._what,)
            raise DefinitionError(message, "Python(name, train, args=[1])")
        return run_from_file(self)


class Operator(Task[None]):
    """A task of your own kind: override `start` and `await_termination`, and perhaps `stop`.

    They are called in the task's own process, which runs the file anew: `start` to begin the work,
    `await_termination` until it is done; what they raise fails the attempt. `stop` is called when
    the task is to end; the process is ended after it, and killed after `grace`.
    """

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(name, None, **options)

    def start(self, context: "TaskContext") -> None:
        """Begins the work."""
        raise NotImplementedError

    def stop(self, context: "TaskContext") -> None:
        """Makes the work end."""

    def await_termination(self, context: "TaskContext", timeout: Optional[int] = None) -> None:
        """Returns when the work is done; raises when it has failed."""

    def context_of(self, context: "TaskContext") -> Any:
        """What the methods are given."""
        return context

    def run(self) -> None:
        """Does all of it, in the task's own process."""
        from .runner import run_operator

        run_operator(self)

    def _command(self) -> Dict[str, Any]:
        return run_from_file(self)


def run_from_file(task: "Task[Any]") -> Dict[str, Any]:
    """The command that runs a task which is code of the file it is written in."""
    source = program.current("task `%s`" % task.name)
    command = source.command("runner", task.workflow.name, task.name)
    environment = program.environment()
    return {"exec": command, **({"env": environment} if environment else {})}


def task(
    name: Optional[str] = None, **options: Any
) -> "Callable[[Callable[..., object]], Python]":
    """Makes a function a task, of its own name unless told; options as `Task` has them."""

    def make(function: "Callable[..., object]") -> Python:
        return Python(name or function.__name__, function, **options)

    return make


def _open_workflow(name: str) -> "Workflow":
    workflow: "Optional[Workflow]" = getattr(opened, "workflow", None)
    if workflow is None:
        hint = 'write it inside `with Workflow("name"):`'
        raise DefinitionError("it stands outside of a workflow", hint, str(name))
    return workflow


def _plainly(what: Any) -> Any:
    """As JSON has it."""
    if isinstance(what, str):
        return what
    return dict(what) if isinstance(what, Mapping) else list(what)


def _word(what: str, word: str, words: Tuple[str, ...]) -> str:
    if word not in words:
        raise DefinitionError("%s is %r" % (what, word), "one of: " + ", ".join(words))
    return word


def _write_span(what: str, span: Span) -> str:
    text = checked_span(what, span)
    if span_microseconds(span) == 0 and what == "timeout":
        raise DefinitionError("timeout has to be longer than nothing", 'timeout="10m"')
    return text


def _write_backoff(backoff: Optional[Backoff], jitter: Optional[Span]) -> Dict[str, Any]:
    written = {} if jitter is None else {"jitter": checked_span("jitter", jitter)}
    if backoff is None:
        return written
    if isinstance(backoff, str) and ".." in backoff:
        low, high = backoff.split("..", 1)
        backoff = (low, high)
    least, most = backoff if isinstance(backoff, tuple) else (backoff, backoff)
    first, longest = checked_span("backoff", least), checked_span("backoff", most)
    if span_microseconds(least) > span_microseconds(most):
        message = "backoff: the first wait (%s) is longer than the longest (%s)" % (first, longest)
        raise DefinitionError(message, 'backoff=("%s", "%s")' % (longest, first))
    return {"backoff": first if first == longest else "%s..%s" % (first, longest), **written}


def _write_env(env: Mapping[str, str]) -> Dict[str, str]:
    for name, value in env.items():
        if not _VARIABLE.match(name) or name.startswith("AIFLOW_"):
            hint = "letters, digits and _; AIFLOW_... are the daemon's"
            raise DefinitionError("%r cannot be set as a variable" % name, hint)
        if not isinstance(value, str):
            message = "the variable %s is %r, which is no text" % (name, value)
            raise DefinitionError(message, 'env={"%s": "%s"}' % (name, value))
    return dict(env)
