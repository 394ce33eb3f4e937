"""Rules in AIFlow's form."""

from __future__ import annotations

from .action import TaskAction
from .condition import Condition


class TaskRule:
    """A condition and what it does to a task."""

    def __init__(self, condition: Condition, action: TaskAction) -> None:
        self.condition = condition
        self.action = action


class WorkflowRule:
    """A condition that starts a run."""

    def __init__(self, condition: Condition) -> None:
        self.condition = condition
