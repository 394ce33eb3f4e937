"""Operators in AIFlow's form: tasks whose rules are added one by one.

Must never run anything where the workflow is written.
"""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Sequence, Union

from aiflow.clocks import cron, every
from aiflow.conditions import Condition as Native
from aiflow.conditions import after, any_of
from aiflow.context import TaskContext
from aiflow.errors import DefinitionError
from aiflow.tasks import Operator as NativeOperator

from .action import TaskAction
from .condition import Condition
from .context import Context, OperatorContext
from .status import TaskStatus

INTERVAL_PARTS = 4


class Operator(NativeOperator):
    """What all operators share. `periodic_expression`: the task is restarted at each tick."""

    def __init__(self, name: str, **kwargs: Any) -> None:
        self.config = kwargs
        self._rules: Dict[TaskAction, List[Native]] = {}
        super().__init__(name)

    def start_after(self, tasks: "Union[Operator, str, Sequence[Union[Operator, str]]]") -> None:
        """Starts when all these tasks have succeeded."""
        listed = [tasks] if isinstance(tasks, (str, Operator)) else list(tasks)
        self.rule(TaskAction.START, after(*map(_name, listed)))

    def action_on_event_received(self, action: TaskAction, event_key: str) -> None:
        """Acts when an event of the key comes."""
        self._of_workflow().action_on_event_received(self.name, event_key, action)

    def action_on_task_status(
        self,
        action: TaskAction,
        upstream_task_status_dict: "Dict[Union[Operator, str], TaskStatus]",
    ) -> None:
        """Acts when all of some tasks are in the wanted status at once."""
        named = {_name(task): status for task, status in upstream_task_status_dict.items()}
        self._of_workflow().action_on_task_status(self.name, action, named)

    def action_on_condition(self, action: TaskAction, condition: Condition) -> None:
        """Acts when a condition is met."""
        self._of_workflow().action_on_condition(self.name, action, condition)

    def rule(self, action: TaskAction, condition: Native) -> None:
        """Acts when a condition is met: the form that all others are brought to."""
        self._rules.setdefault(action, []).append(condition)
        self.write()

    def start(self, context: Context) -> None:  # type: ignore[override]
        """Begins the work."""
        raise NotImplementedError

    def stop(self, context: Context) -> None:  # type: ignore[override]
        """Makes the work end."""

    def await_termination(  # type: ignore[override]
        self, context: Context, timeout: Optional[int] = None
    ) -> None:
        """Returns when the work is done; raises when it has failed."""

    def get_metrics(self, context: Context) -> Dict[str, Any]:
        """What the work tells of itself; nobody asks yet."""
        return {}

    def context_of(self, context: TaskContext) -> Context:
        return OperatorContext(context)

    def upstream(self) -> List[str]:
        conditions = (c for rules in self._rules.values() for c in rules)
        return [name for condition in conditions for name in condition.upstream()]

    def _of_workflow(self) -> Any:
        from .workflow import Workflow

        if not isinstance(self.workflow, Workflow):
            raise DefinitionError("its workflow is not AIFlow's", None, self.name)
        return self.workflow

    def _write(self) -> Dict[str, Any]:
        written = super()._write()
        rules = {action: list(conditions) for action, conditions in self._rules.items()}
        expression = self.config.get("periodic_expression")
        if expression is not None:
            rules.setdefault(TaskAction.RESTART, []).append(read_schedule(expression))
        for action, conditions in rules.items():
            joined = conditions[0] if len(conditions) == 1 else any_of(*conditions)
            written[action.value.lower()] = joined.write()
        return written


class AIFlowOperator(Operator):
    """What operators of users derive from."""


def read_schedule(expression: str) -> Native:
    """`cron@<crontab>` or `interval@<days> <hours> <minutes> <seconds>`.

    Raises `DefinitionError`.
    """
    kind, _, rest = str(expression).partition("@")
    if kind == "cron" and rest.strip():
        return cron(rest.strip(), missed="latest")
    parts = rest.split()
    if kind == "interval" and len(parts) == INTERVAL_PARTS and all(p.isdigit() for p in parts):
        days, hours, minutes, seconds = map(int, parts)
        total = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
        return every("%ds" % total, missed="latest")
    message = "%r is no schedule" % (expression,)
    raise DefinitionError(message, "cron@*/5 * * * * or interval@0 1 30 0 (d h m s)")


def _name(task: "Union[Operator, str]") -> str:
    return task if isinstance(task, str) else task.name
