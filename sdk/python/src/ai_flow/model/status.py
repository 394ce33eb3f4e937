"""Where tasks and workflows stand, in AIFlow's words.

Must never invent a status: each is what the daemon says, under AIFlow's name for it.
"""

from __future__ import annotations

from enum import Enum


class TaskStatus(str, Enum):
    """Where a task execution stands."""

    INIT = "INIT"
    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    SUCCESS = "SUCCESS"
    FAILED = "FAILED"
    STOPPING = "STOPPING"
    STOPPED = "STOPPED"
    RETRYING = "RETRYING"

    @classmethod
    def of(cls, status: str) -> "TaskStatus":
        """The daemon's word in AIFlow's words."""
        return _TASK[status]


class WorkflowStatus(str, Enum):
    """Where a run stands."""

    INIT = "INIT"
    RUNNING = "RUNNING"
    SUCCESS = "SUCCESS"
    FAILED = "FAILED"
    STOPPED = "STOPPED"

    @classmethod
    def of(cls, status: str) -> "WorkflowStatus":
        """The daemon's word in AIFlow's words."""
        return _WORKFLOW[status]


_TASK = {
    "waiting": TaskStatus.INIT,
    "queued": TaskStatus.QUEUED,
    "running": TaskStatus.RUNNING,
    "retrying": TaskStatus.RETRYING,
    "stopping": TaskStatus.STOPPING,
    "success": TaskStatus.SUCCESS,
    "failed": TaskStatus.FAILED,
    "stopped": TaskStatus.STOPPED,
    # What came after a task that was skipped goes on as after a success.
    "skipped": TaskStatus.SUCCESS,
}
_WORKFLOW = {
    "waiting": WorkflowStatus.INIT,
    "running": WorkflowStatus.RUNNING,
    "stopping": WorkflowStatus.RUNNING,
    "success": WorkflowStatus.SUCCESS,
    "failed": WorkflowStatus.FAILED,
    "stopped": WorkflowStatus.STOPPED,
}
