"""Workflows written in Python: a name, parameters, files, and the tasks.

Must never offer what the daemon refuses, nor run anything: it gives the YAML that the daemon reads.
"""

from __future__ import annotations

import difflib
import os
import sys
from typing import TYPE_CHECKING, Any, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple, Union

from . import program
from .clocks import Watermark, cron, every
from .conditions import (
    Condition,
    absent,
    after,
    all_of,
    any_of,
    check_number,
    count,
    debounce,
    on,
    script,
    sequence,
    silent,
    sum_of,
    throttle,
    write_condition,
)
from .custom import ConditionContext, PythonCondition, State
from .errors import DefinitionError, Diagnostic, Rejected
from .names import WORD_RULE, is_word
from .tasks import (
    Bash,
    Emit,
    Exec,
    Operator,
    Plugged,
    Python,
    Restart,
    Retry,
    Task,
    opened,
    task,
)

if TYPE_CHECKING:
    from types import ModuleType

    from .client import Client
    from .views import Uploaded

__all__ = [
    "Bash",
    "Condition",
    "ConditionContext",
    "Emit",
    "Exec",
    "Operator",
    "Param",
    "Plugged",
    "Python",
    "PythonCondition",
    "Restart",
    "Retry",
    "State",
    "Task",
    "Watermark",
    "Workflow",
    "absent",
    "after",
    "all_of",
    "any_of",
    "count",
    "cron",
    "debounce",
    "every",
    "on",
    "script",
    "sequence",
    "silent",
    "sum_of",
    "task",
    "throttle",
]

INVALID_DEFINITION = "E0201"
MISSING: Any = object()


def workflows_of(module: "ModuleType") -> "List[Workflow]":
    """The workflows at the top level of a loaded file, in order."""
    found: List[Workflow] = []
    for value in vars(module).values():
        if isinstance(value, Workflow) and value not in found:
            found.append(value)
    return found


class Param:
    """A parameter of a type: `int`, `number`, `string`, `bool`, `list` or `object`.

    Without `default` a run has to give it.
    """

    def __init__(self, type: str, default: Any = MISSING, about: Optional[str] = None) -> None:
        self._said = {"type": type, "default": default, "about": about or MISSING}

    def write(self) -> Dict[str, Any]:
        """As the definition has it."""
        return {name: word for name, word in self._said.items() if word is not MISSING}


class Workflow:
    """A workflow; tasks that are made inside its `with` are its own.

    `params`: parameters and their defaults, JSON values or `Param`. `files`: paths that each run gets a copy
    of, relative to `directory`, which is that of the calling file unless told. `triggers`: each
    firing of one starts a run. `pools`: slots by name. `max_active_runs`, `max_active_tasks`: so
    many at once; what is more waits.
    """

    def __init__(
        self,
        name: str,
        *,
        params: Optional[Mapping[str, Any]] = None,
        files: Iterable[str] = (),
        triggers: Sequence[Condition] = (),
        pools: Optional[Mapping[str, int]] = None,
        max_active_runs: Optional[int] = None,
        max_active_tasks: Optional[int] = None,
        namespace: Optional[str] = None,
        directory: Union[str, "os.PathLike[str]", None] = None,
    ) -> None:
        self.name = name
        self.namespace = namespace
        self.line = program.line_of_user()
        self._params = dict(params or {})
        self._files = list(files)
        self._triggers = list(triggers)
        self._pools = dict(pools or {})
        self._most = {"max_active_runs": max_active_runs, "max_active_tasks": max_active_tasks}
        self._directory = _caller_directory() if directory is None else os.fspath(directory)
        self._tasks: Dict[str, Task[Any]] = {}
        self._check_head()

    def __enter__(self) -> "Workflow":
        outer = getattr(opened, "workflow", None)
        if outer is not None:
            message = "workflow `%s` stands inside `%s`" % (self.name, outer.name)
            raise DefinitionError(message, "end the one before the other")
        opened.workflow = self
        return self

    def __exit__(self, kind: Optional["type[BaseException]"], *_: object) -> None:
        opened.workflow = None
        if kind is None:
            self.check()

    @property
    def tasks(self) -> List[str]:
        """Names of its tasks, in order."""
        return list(self._tasks)

    def task(self, name: str) -> Task[Any]:
        """A task by its name. Raises `DefinitionError`."""
        if name not in self._tasks:
            raise DefinitionError("there is no task `%s`" % name, self._nearest(name))
        return self._tasks[name]

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
        from .yaml_text import to_yaml

        self.check()
        document: Dict[str, Any] = {"workflow": self.name}
        if self._params:
            document["params"] = {name: _write_param(p) for name, p in self._params.items()}
        tasks = {name: task.write() for name, task in self._tasks.items()}
        triggers = [write_condition(condition) for condition in self._triggers]
        files = self._files_of(tasks, triggers)
        if files:
            document["files"] = files
        if triggers:
            document["triggers"] = triggers
        if self._pools:
            document["pools"] = self._pools
        for what, most in self._most.items():
            if most is not None:
                check_number(what, most, 1, 1_000_000)
                document[what] = most
        document["tasks"] = tasks
        return to_yaml(document)

    def lines(self, text: str) -> List[Tuple[int, int]]:
        """Where tasks begin in `text`, its definition, and in the file they are written in."""
        from .yaml_text import line_of

        placed = [(1, self.line)]
        placed.extend((line_of(text, ["tasks", n]), t.line) for n, t in self._tasks.items())
        return [(line, own) for line, own in placed if own is not None and line > 0]

    def upload(
        self, client: Optional["Client"] = None, *, namespace: Optional[str] = None
    ) -> "Uploaded":
        """Stores it, with its files; later runs use it. Raises `DefinitionError`, `Rejected`."""
        from .client import Client
        from .files import find_files

        text = self.to_yaml()
        files = find_files(self._directory, self.listed_files())
        if client is not None:
            return self._upload(client, text, files, namespace)
        with Client() as own:
            return self._upload(own, text, files, namespace)

    def _upload(
        self, client: "Client", text: str, files: Any, namespace: Optional[str]
    ) -> "Uploaded":
        try:
            space = namespace or self.namespace
            return client.upload_workflow(text, files, namespace=space)
        except Rejected as error:
            if error.code != INVALID_DEFINITION or not error.diagnostics:
                raise
            first = error.diagnostics[0]
            raise DefinitionError(
                first.message, first.hint, self._task_at(text, first)
            ) from error

    def _task_at(self, text: str, place: Diagnostic) -> Optional[str]:
        """The task whose lines a fault lies in."""
        from .yaml_text import line_of

        lines = ((line_of(text, ["tasks", name]), name) for name in self._tasks)
        before = [(line, name) for line, name in lines if 0 < line <= place.line]
        return max(before)[1] if before else None

    def _files_of(self, *written: Any) -> List[str]:
        """Its files, with the one it is written in when something runs from it."""
        if not _runs_from_file(written):
            return self._files
        own = program.current("workflow `%s`" % self.name).name
        return self._files if own in self._files else [*self._files, own]

    def listed_files(self) -> List[str]:
        """What `files:` of the definition names."""
        tasks = [task.write() for task in self._tasks.values()]
        return self._files_of(tasks, [write_condition(condition) for condition in self._triggers])

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
        if self._files:
            from .files import check_inside

            for path in self._files:
                check_inside(path)


def _runs_from_file(written: Any) -> bool:
    """Whether a command of it is one of this package's, which import the file."""
    if isinstance(written, dict):
        command = written.get("exec")
        if isinstance(command, list) and program.is_own(command):
            return True
        return any(map(_runs_from_file, written.values()))
    return isinstance(written, (list, tuple)) and any(map(_runs_from_file, written))


def _write_param(param: Any) -> Any:
    """A mapping would be read as what is said of a parameter, and so stands as its default."""
    if isinstance(param, Param):
        return param.write()
    if isinstance(param, Mapping):
        return {"type": "object", "default": dict(param)}
    return param


def _caller_directory() -> str:
    """The folder of the file that makes a workflow, as a definition's folder is for the CLI."""
    frame = sys._getframe(2)
    while frame.f_code.co_filename.startswith(program.PACKAGES) and frame.f_back is not None:
        frame = frame.f_back
    path = frame.f_globals.get("__file__")
    return os.path.dirname(os.path.abspath(path)) if path else os.getcwd()
