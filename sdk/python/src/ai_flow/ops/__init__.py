"""AIFlow's operations: upload, start, stop, look, in functions of the names that its users know.

Must never keep state between two calls: the daemon is asked each time.
"""

from __future__ import annotations

from .namespace_ops import (
    add_namespace,
    delete_namespace,
    get_namespace,
    list_namespace,
    update_namespace,
)
from .run_ops import (
    delete_workflow_execution,
    delete_workflow_executions,
    get_task_execution,
    get_workflow_execution,
    list_task_executions,
    list_workflow_executions,
    start_task_execution,
    start_workflow_execution,
    stop_task_execution,
    stop_workflow_execution,
    stop_workflow_executions,
)
from .trigger_ops import (
    add_workflow_schedule,
    add_workflow_trigger,
    delete_workflow_schedule,
    delete_workflow_schedules,
    delete_workflow_trigger,
    delete_workflow_triggers,
    get_workflow_schedule,
    get_workflow_trigger,
    list_workflow_schedules,
    list_workflow_triggers,
    pause_workflow_schedule,
    pause_workflow_trigger,
    resume_workflow_schedule,
    resume_workflow_trigger,
)
from .workflow_ops import (
    delete_workflow,
    disable_workflow,
    enable_workflow,
    get_workflow,
    list_workflows,
    upload_workflows,
)

__all__ = [
    "add_namespace",
    "add_workflow_schedule",
    "add_workflow_trigger",
    "delete_namespace",
    "delete_workflow",
    "delete_workflow_execution",
    "delete_workflow_executions",
    "delete_workflow_schedule",
    "delete_workflow_schedules",
    "delete_workflow_trigger",
    "delete_workflow_triggers",
    "disable_workflow",
    "enable_workflow",
    "get_namespace",
    "get_task_execution",
    "get_workflow",
    "get_workflow_execution",
    "get_workflow_schedule",
    "get_workflow_trigger",
    "list_namespace",
    "list_task_executions",
    "list_workflow_executions",
    "list_workflow_schedules",
    "list_workflow_triggers",
    "list_workflows",
    "pause_workflow_schedule",
    "pause_workflow_trigger",
    "resume_workflow_schedule",
    "resume_workflow_trigger",
    "start_task_execution",
    "start_workflow_execution",
    "stop_task_execution",
    "stop_workflow_execution",
    "stop_workflow_executions",
    "update_namespace",
    "upload_workflows",
]
