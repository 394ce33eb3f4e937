"""Workflows in AIFlow's form."""

from __future__ import annotations

from typing import Any, Dict

from aiflow.errors import DefinitionError
from aiflow.workflow import Workflow as Native

from .action import TaskAction
from .condition import Condition
from .internal.conditions import (
    SingleEventCondition,
    TaskStatusCondition,
    check_namespaces,
    task_statuses,
)
from .status import TaskStatus


class Workflow(Native):
    """A workflow; operators that are made inside its `with` are its tasks."""

    def __init__(self, name: str, namespace: str = "default", **kwargs: Any) -> None:
        # AIFlow's default is no wish: `-n` may say another.
        super().__init__(name, namespace=None if namespace == "default" else namespace)
        self.config = kwargs

    def action_on_condition(
        self, task_name: str, action: TaskAction, condition: Condition
    ) -> None:
        """Acts on a task when a condition is met."""
        check_namespaces(condition, self.namespace)
        self._rule(task_name, action, condition.native(self.name))

    def action_on_event_received(
        self, task_name: str, event_key: str, action: TaskAction
    ) -> None:
        """Acts on a task when an event of the key comes."""
        self._rule(task_name, action, SingleEventCondition(event_key).native(self.name))

    def action_on_task_status(
        self,
        task_name: str,
        action: TaskAction,
        upstream_task_status_dict: Dict[Any, TaskStatus],
    ) -> None:
        """Acts on a task when all of some tasks are in the wanted status at once."""
        wanted = [
            TaskStatusCondition(self.name, getattr(task, "name", task), "default", status)
            for task, status in upstream_task_status_dict.items()
        ]
        self._rule(task_name, action, task_statuses(wanted, self.name))

    def _rule(self, task_name: str, action: TaskAction, condition: Any) -> None:
        rule = getattr(self.task(task_name), "rule", None)
        if rule is None:
            raise DefinitionError("it is no operator of AIFlow", None, task_name)
        rule(TaskAction(action), condition)
