"""The conditions that AIFlow has ready: the daemon decides them by itself.

A class derived from one of them with an `is_met` of its own is asked in Python, as any other.
Must never keep what fired: `MeetAllCondition` begins anew each time.
"""

from __future__ import annotations

from typing import Dict, List, Optional, Sequence

from aiflow.conditions import Condition as Native
from aiflow.conditions import after, all_of, any_of, on
from aiflow.errors import DefinitionError

from ..condition import Condition
from ..context import Context
from ..state import ValueStateDescriptor
from ..status import TaskStatus

AWAITED = {
    TaskStatus.RUNNING: "running",
    TaskStatus.SUCCESS: "success",
    TaskStatus.FAILED: "failed",
    TaskStatus.STOPPED: "stopped",
}


class SingleEventCondition(Condition):
    """An event of the key came."""

    def __init__(self, expect_event_key: str) -> None:
        super().__init__([expect_event_key])
        self.expect_event_key = expect_event_key

    def is_met(self, event: object, context: Context) -> bool:  # type: ignore[override]
        return getattr(event, "key", None) == self.expect_event_key

    def native(self) -> Native:
        return self if _is_own(self, SingleEventCondition) else on(self.expect_event_key)


class _Joined(Condition):
    def __init__(self, conditions: Sequence[Condition]) -> None:
        self.conditions = list(conditions)
        keys = (key for condition in self.conditions for key in condition.expect_event_keys)
        super().__init__(list(dict.fromkeys(keys)))

    def _met(self, event: object, context: Context) -> List[bool]:
        met = []
        for condition in self.conditions:
            looks = getattr(event, "key", None) in condition.expect_event_keys
            met.append(looks and bool(condition.is_met(event, context)))  # type: ignore[arg-type]
        return met


class MeetAllCondition(_Joined):
    """Each of the conditions was met since the last time all were."""

    def __init__(self, name: str, conditions: Sequence[Condition]) -> None:
        super().__init__(conditions)
        self.name = name

    def is_met(self, event: object, context: Context) -> bool:  # type: ignore[override]
        state = context.get_state(ValueStateDescriptor("MeetAllCondition " + self.name))
        before = state.value() or [False] * len(self.conditions)
        now = [one or other for one, other in zip(before, self._met(event, context))]
        state.update(None if all(now) else now)
        return all(now)

    def native(self) -> Native:
        if _is_own(self, MeetAllCondition):
            return self
        return all_of(*(condition.native() for condition in self.conditions))


class MeetAnyCondition(_Joined):
    """One of the conditions is met."""

    def __init__(self, conditions: Sequence[Condition]) -> None:
        super().__init__(conditions)

    def is_met(self, event: object, context: Context) -> bool:  # type: ignore[override]
        return any(self._met(event, context))

    def native(self) -> Native:
        if _is_own(self, MeetAnyCondition):
            return self
        return any_of(*(condition.native() for condition in self.conditions))


class TaskStatusCondition(Condition):
    """A task of the workflow has come to a status."""

    def __init__(
        self, workflow_name: str, task_name: str, namespace: str, expect_status: TaskStatus
    ) -> None:
        super().__init__([])
        self.workflow_name = workflow_name
        self.task_name = task_name
        self.namespace = namespace
        self.expect_status = expect_status

    def native(self) -> Native:
        return task_statuses([self])


class TaskStatusAllMetCondition(Condition):
    """All of some tasks are in the wanted status at once."""

    def __init__(self, condition_list: Sequence[TaskStatusCondition]) -> None:
        super().__init__([])
        self.condition_list = list(condition_list)

    def native(self) -> Native:
        return task_statuses(self.condition_list)


def task_statuses(conditions: Sequence[TaskStatusCondition]) -> Native:
    """All of them at once. Raises `DefinitionError` for a status that cannot be waited for."""
    wanted: Dict[str, str] = {}
    for condition in conditions:
        status = TaskStatus(condition.expect_status)
        if status not in AWAITED:
            hint = "one of: " + ", ".join(known.name for known in AWAITED)
            message = "nothing can wait for task `%s` to be %s" % (condition.task_name, status.name)
            raise DefinitionError(message, hint)
        wanted[condition.task_name] = AWAITED[status]
    return after(wanted)


def check_tasks(condition: Condition, workflow: Optional[str]) -> None:
    """Raises `DefinitionError` where a status is looked at that cannot be seen from there.

    `workflow`: the one whose rule it is; None for a trigger, which is there before any run.
    """
    for part in getattr(condition, "conditions", getattr(condition, "condition_list", [])):
        check_tasks(part, workflow)
    if isinstance(condition, TaskStatusCondition) and condition.workflow_name != workflow:
        task = "task `%s` of workflow `%s`" % (condition.task_name, condition.workflow_name)
        hint = "let that task send an event, and wait for its key"
        place = "a trigger" if workflow is None else "workflow `%s`" % workflow
        raise DefinitionError("%s cannot look at %s" % (place, task), hint)


def _is_own(condition: Condition, ready: "type[Condition]") -> bool:
    """Whether a class has an `is_met` of its own."""
    return type(condition).is_met is not ready.is_met
