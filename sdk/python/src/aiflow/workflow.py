"""Workflows written in Python: tasks, when they start, and what if they fail.

Must never offer what the daemon refuses, nor run anything: it gives the YAML that the daemon reads.
"""

from __future__ import annotations

import difflib
import os
import re
import sys
import textwrap
import threading
from typing import (
    Any,
    Dict,
    Generic,
    Iterable,
    List,
    Mapping,
    Optional,
    Sequence,
    Tuple,
    TypeVar,
    Union,
)

from .client import Client
from .conditions import (
    Condition,
    Watermark,
    after,
    all_of,
    any_of,
    check_number,
    checked_span,
    count,
    every,
    on,
    write_condition,
)
from .errors import DefinitionError, Diagnostic, Rejected
from .events import WORD_RULE, is_word
from .files import check_inside, find_files
from .times import Span, span_microseconds
from .views import Uploaded
from .yaml_text import line_of, to_yaml

__all__ = [
    "Bash",
    "Condition",
    "Exec",
    "Restart",
    "Retry",
    "Task",
    "Watermark",
    "Workflow",
    "after",
    "all_of",
    "any_of",
    "count",
    "every",
    "on",
]

PARALLEL_MAX = 10_000
ATTEMPTS_MAX = 1_000_000
INVALID_DEFINITION = "E0201"
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")

Backoff = Union[Span, Tuple[Span, Span]]

_open = threading.local()


class Retry:
    """So many attempts in all when one fails; `backoff`: the wait between, or first and longest."""

    def __init__(self, attempts: int, backoff: Optional[Backoff] = None) -> None:
        self._attempts = attempts
        self._backoff = backoff

    def write(self) -> Dict[str, Any]:
        """As the definition has it. Raises `DefinitionError` without a task."""
        check_number("attempts of Retry", self._attempts, 1, ATTEMPTS_MAX)
        return {"attempts": self._attempts, **_write_backoff(self._backoff)}


class Restart:
    """Start again on an end: `failure`, or `always`; without `attempts` for ever."""

    def __init__(
        self,
        on: str = "failure",
        backoff: Optional[Backoff] = None,
        attempts: Optional[int] = None,
    ) -> None:
        self._on = on
        self._backoff = backoff
        self._attempts = attempts

    def write(self) -> Dict[str, Any]:
        """As the definition has it. Raises `DefinitionError` without a task."""
        written: Dict[str, Any] = {"on": _word("on of Restart", self._on, ("failure", "always"))}
        if self._attempts is not None:
            check_number("attempts of Restart", self._attempts, 1, ATTEMPTS_MAX)
            written["attempts"] = self._attempts
        return {**written, **_write_backoff(self._backoff)}


Command = TypeVar("Command")


class Task(Generic[Command]):
    """What all tasks share. It belongs to the workflow whose `with` it stands in.

    `start`, `stop`, `restart`: conditions; without `start` it starts with the run. `restart` may be
    a `Restart` instead. `stream`: it is not expected to end. `overlap`: `ignore` or `queue` what
    starts it while it is alive. `parallel`: so many at once. `timeout` of an attempt; `grace`
    between the request to end and the kill.
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
    ) -> None:
        self.name = name
        self._what = command
        self._conditions = {"start": start, "stop": stop}
        self._restart = restart
        self._stream = stream
        self._env = env
        self._overlap = overlap
        self._parallel = parallel
        self._retry = retry
        self._spans = {"timeout": timeout, "grace": grace}
        workflow = _open_workflow(name)
        try:
            self._written = self._write()
        except DefinitionError as error:
            raise DefinitionError(error.message, error.hint, str(name)) from None
        workflow._add(self)

    def write(self) -> Dict[str, Any]:
        """As the definition has it."""
        return self._written

    def upstream(self) -> List[str]:
        """Tasks whose ends its conditions look at."""
        conditions = [*self._conditions.values(), self._restart]
        found = (c.upstream() for c in conditions if isinstance(c, Condition))
        return [name for names in found for name in names]

    def _command(self) -> Dict[str, Any]:
        raise NotImplementedError

    def _write(self) -> Dict[str, Any]:
        if not isinstance(self.name, str) or not is_word(self.name):
            raise DefinitionError("this is not a valid name", WORD_RULE)
        written: Dict[str, Any] = {"kind": "stream"} if self._stream else {}
        written.update(self._command())
        if self._env:
            written["env"] = _write_env(self._env)
        for action, condition in self._conditions.items():
            if condition is not None:
                written[action] = write_condition(condition)
        written.update(self._write_restart())
        if self._overlap is not None:
            written["overlap"] = _word("overlap", self._overlap, ("ignore", "queue"))
        if self._parallel is not None:
            check_number("parallel", self._parallel, 1, PARALLEL_MAX)
            written["parallel"] = self._parallel
        for what, span in self._spans.items():
            if span is not None:
                written[what] = _write_span(what, span)
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


class Workflow:
    """A workflow; tasks that are made inside its `with` are its own.

    `params`: parameters and their defaults, JSON values. `files`: paths that each run gets a copy
    of, relative to `directory`, which is that of the calling file unless told.
    """

    def __init__(
        self,
        name: str,
        *,
        params: Optional[Mapping[str, Any]] = None,
        files: Iterable[str] = (),
        directory: Union[str, "os.PathLike[str]", None] = None,
    ) -> None:
        self.name = name
        self._params = dict(params or {})
        self._files = list(files)
        self._directory = _caller_directory() if directory is None else os.fspath(directory)
        self._tasks: Dict[str, Task[Any]] = {}
        self._check_head()

    def __enter__(self) -> "Workflow":
        if getattr(_open, "workflow", None) is not None:
            message = "workflow `%s` stands inside `%s`" % (self.name, _open.workflow.name)
            raise DefinitionError(message, "end the one before the other")
        _open.workflow = self
        return self

    def __exit__(self, kind: Optional["type[BaseException]"], *_: object) -> None:
        _open.workflow = None
        if kind is None:
            self.check()

    @property
    def tasks(self) -> List[str]:
        """Names of its tasks, in order."""
        return list(self._tasks)

    def check(self) -> None:
        """Raises `DefinitionError` when a task that a condition names is not there."""
        if not self._tasks:
            message = "workflow `%s` has no task" % self.name
            raise DefinitionError(message, 'Bash("hello", "echo hello") inside its `with`')
        for task in self._tasks.values():
            for name in task.upstream():
                if name not in self._tasks:
                    raise DefinitionError(
                        "there is no task `%s`" % name, self._nearest(name), task.name
                    )

    def to_yaml(self) -> str:
        """The definition, as the daemon reads it. Raises `DefinitionError`."""
        self.check()
        document: Dict[str, Any] = {"workflow": self.name}
        if self._params:
            document["params"] = self._params
        if self._files:
            document["files"] = self._files
        document["tasks"] = {name: task.write() for name, task in self._tasks.items()}
        return to_yaml(document)

    def upload(
        self, client: Optional[Client] = None, *, namespace: Optional[str] = None
    ) -> Uploaded:
        """Stores it, with its files; later runs use it. Raises `DefinitionError`, `Rejected`."""
        text = self.to_yaml()
        files = find_files(self._directory, self._files)
        if client is not None:
            return self._upload(client, text, files, namespace)
        with Client() as own:
            return self._upload(own, text, files, namespace)

    def _upload(
        self, client: Client, text: str, files: Any, namespace: Optional[str]
    ) -> Uploaded:
        try:
            return client.upload_workflow(text, files, namespace=namespace)
        except Rejected as error:
            if error.code != INVALID_DEFINITION or not error.diagnostics:
                raise
            first = error.diagnostics[0]
            raise DefinitionError(
                first.message, first.hint, self._task_at(text, first)
            ) from error

    def _task_at(self, text: str, place: Diagnostic) -> Optional[str]:
        """The task whose lines a fault lies in."""
        lines = ((line_of(text, ["tasks", name]), name) for name in self._tasks)
        before = [(line, name) for line, name in lines if 0 < line <= place.line]
        return max(before)[1] if before else None

    def _add(self, task: Task[Any]) -> None:
        if task.name in self._tasks:
            raise DefinitionError("there are two of this name", "rename one", task.name)
        self._tasks[task.name] = task

    def _nearest(self, name: str) -> str:
        near = difflib.get_close_matches(name, self._tasks, 1)
        if near:
            return "did you mean `%s`?" % near[0]
        return "the tasks are: " + ", ".join(self._tasks)

    def _check_head(self) -> None:
        if not isinstance(self.name, str) or not is_word(self.name):
            raise DefinitionError("workflow %r is not a valid name" % (self.name,), WORD_RULE)
        for name in self._params:
            if not isinstance(name, str) or not is_word(name):
                raise DefinitionError("parameter %r is not a valid name" % (name,), WORD_RULE)
        for path in self._files:
            check_inside(path)


def _open_workflow(name: str) -> Workflow:
    workflow = getattr(_open, "workflow", None)
    if not isinstance(workflow, Workflow):
        hint = 'write it inside `with Workflow("name"):`'
        raise DefinitionError("it stands outside of a workflow", hint, str(name))
    return workflow


def _caller_directory() -> str:
    """The folder of the file that makes a workflow, as a definition's folder is for the CLI."""
    path = sys._getframe(2).f_globals.get("__file__")
    return os.path.dirname(os.path.abspath(path)) if path else os.getcwd()


def _word(what: str, word: str, words: Tuple[str, ...]) -> str:
    if word not in words:
        raise DefinitionError("%s is %r" % (what, word), "one of: " + ", ".join(words))
    return word


def _write_span(what: str, span: Span) -> str:
    text = checked_span(what, span)
    if span_microseconds(span) == 0 and what == "timeout":
        raise DefinitionError("timeout has to be longer than nothing", 'timeout="10m"')
    return text


def _write_backoff(backoff: Optional[Backoff]) -> Dict[str, str]:
    if backoff is None:
        return {}
    if isinstance(backoff, str) and ".." in backoff:
        low, high = backoff.split("..", 1)
        backoff = (low, high)
    least, most = backoff if isinstance(backoff, tuple) else (backoff, backoff)
    first, longest = checked_span("backoff", least), checked_span("backoff", most)
    if span_microseconds(least) > span_microseconds(most):
        message = "backoff: the first wait (%s) is longer than the longest (%s)" % (first, longest)
        raise DefinitionError(message, 'backoff=("%s", "%s")' % (longest, first))
    return {"backoff": first if first == longest else "%s..%s" % (first, longest)}


def _write_env(env: Mapping[str, str]) -> Dict[str, str]:
    for name, value in env.items():
        if not _VARIABLE.match(name) or name.startswith("AIFLOW_"):
            hint = "letters, digits and _; AIFLOW_... are the daemon's"
            raise DefinitionError("%r cannot be set as a variable" % name, hint)
        if not isinstance(value, str):
            message = "the variable %s is %r, which is no text" % (name, value)
            raise DefinitionError(message, 'env={"%s": "%s"}' % (name, value))
    return dict(env)
