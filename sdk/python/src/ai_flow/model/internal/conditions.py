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

    def native(self, workflow: Optional[str]) -> Native:
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

    def native(self, workflow: Optional[str]) -> Native:
        if _is_own(self, MeetAllCondition):
            return self
        return all_of(*(condition.native(workflow) for condition in self.conditions))


class MeetAnyCondition(_Joined):
    """One of the conditions is met."""

    def __init__(self, conditions: Sequence[Condition]) -> None:
        super().__init__(conditions)

    def is_met(self, event: object, context: Context) -> bool:  # type: ignore[override]
        return any(self._met(event, context))

    def native(self, workflow: Optional[str]) -> Native:
        if _is_own(self, MeetAnyCondition):
            return self
        return any_of(*(condition.native(workflow) for condition in self.conditions))


class TaskStatusCondition(Condition):
    """A task has come to a status: of the own run, or of another workflow, in whichever run."""

    def __init__(
        self, workflow_name: str, task_name: str, namespace: str, expect_status: TaskStatus
    ) -> None:
        super().__init__([])
        self.workflow_name = workflow_name
        self.task_name = task_name
        self.namespace = namespace
        self.expect_status = expect_status

    def native(self, workflow: Optional[str]) -> Native:
        return task_statuses([self], workflow)


class TaskStatusAllMetCondition(Condition):
    """All of some tasks are in the wanted status at once.

    Tasks of other workflows have no run in common: each has come to its status since the last time
    that all had.
    """

    def __init__(self, condition_list: Sequence[TaskStatusCondition]) -> None:
        super().__init__([])
        self.condition_list = list(condition_list)

    def native(self, workflow: Optional[str]) -> Native:
        return task_statuses(self.condition_list, workflow)


def task_statuses(conditions: Sequence[TaskStatusCondition], workflow: Optional[str]) -> Native:
    """All of them, for a rule of the workflow; None: for a trigger, which has no run of its own.

    Raises `DefinitionError` for a status that cannot be waited for.
    """
    own: Dict[str, str] = {}
    elsewhere: List[Native] = []
    for condition in conditions:
        status = TaskStatus(condition.expect_status)
        if status not in AWAITED:
            hint = "one of: " + ", ".join(known.name for known in AWAITED)
            message = "nothing can wait for task `%s` to be %s" % (condition.task_name, status.name)
            raise DefinitionError(message, hint)
        if condition.workflow_name == workflow:
            own[condition.task_name] = AWAITED[status]
        else:
            task = "%s/%s" % (condition.workflow_name, condition.task_name)
            elsewhere.append(after({task: AWAITED[status]}))
    parts = ([after(own)] if own else []) + elsewhere
    return parts[0] if len(parts) == 1 else all_of(*parts)


def check_namespaces(condition: Condition, namespace: Optional[str]) -> None:
    """Raises `DefinitionError` where a task of another namespace is looked at."""
    for part in getattr(condition, "conditions", getattr(condition, "condition_list", [])):
        check_namespaces(part, namespace)
    if isinstance(condition, TaskStatusCondition):
        # AIFlow's default is no wish: `-n` may say another.
        if condition.namespace not in ("default", namespace or "default"):
            message = "task `%s` of workflow `%s` is in namespace `%s`, which is not seen from `%s`"
            seen = (condition.task_name, condition.workflow_name, condition.namespace)
            hint = "upload both workflows to one namespace"
            raise DefinitionError(message % (*seen, namespace or "default"), hint)


def _is_own(condition: Condition, ready: "type[Condition]") -> bool:
    """Whether a class has an `is_met` of its own."""
    return type(condition).is_met is not ready.is_met
