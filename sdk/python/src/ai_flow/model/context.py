"""What conditions and operators are told of the run that they stand in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Mapping, Optional

from .state import StateDescriptor, ValueState
from .status import TaskStatus

if TYPE_CHECKING:
    from aiflow.context import TaskContext
    from aiflow.custom import ConditionContext


class Context:
    """What is told of the run."""

    def get_state(self, state_descriptor: StateDescriptor) -> ValueState:
        """The state of this name."""
        raise NotImplementedError

    def get_task_status(self, task_name: str) -> Optional[TaskStatus]:
        """Where the latest execution of a task stands; None when there is none."""
        raise NotImplementedError


class EventContext(Context):
    """What a condition is told."""

    def __init__(self, context: "ConditionContext") -> None:
        self._context = context

    def get_state(self, state_descriptor: StateDescriptor) -> ValueState:
        return ValueState(self._context.state(state_descriptor.name))

    def get_task_status(self, task_name: str) -> Optional[TaskStatus]:
        return _status(self._context.tasks, task_name)


class OperatorContext(Context):
    """What an operator is told; it asks the daemon. Its states live as long as the attempt."""

    def __init__(self, task: "TaskContext") -> None:
        self.task = task
        self._values: Any = {}

    def get_state(self, state_descriptor: StateDescriptor) -> ValueState:
        from aiflow.custom import State

        return ValueState(State(self._values, state_descriptor.name))

    def get_task_status(self, task_name: str) -> Optional[TaskStatus]:
        from aiflow import Client

        with Client() as client:
            executions = client.list_task_executions(self.task.run)
        return _status({each.task: each.status for each in executions}, task_name)


def _status(statuses: Mapping[str, str], task: str) -> Optional[TaskStatus]:
    status = statuses.get(task)
    return None if status is None else TaskStatus.of(status)
