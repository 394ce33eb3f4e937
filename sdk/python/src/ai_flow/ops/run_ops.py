"""Runs and task executions: start, stop, look, delete."""

from __future__ import annotations

from typing import List, NamedTuple, Optional, Union

from ai_flow.model.status import TaskStatus, WorkflowStatus
from aiflow import Rejected
from aiflow.views import Run, TaskExecution

from ._common import client, is_unknown, page


class WorkflowExecutionMeta(NamedTuple):
    """A run. Its times are aware datetimes."""

    id: int
    workflow_name: str
    namespace: str
    status: WorkflowStatus
    begin_date: object
    end_date: object
    snapshot_id: int


class TaskExecutionMeta(NamedTuple):
    """A task execution. `id` is RUN.TASK.SEQUENCE."""

    id: str
    workflow_execution_id: int
    task_name: str
    sequence_number: int
    status: TaskStatus
    begin_date: object
    end_date: object
    try_number: int


def start_workflow_execution(workflow_name: str, namespace: str = "default") -> int:
    """Starts a run and gives its id."""
    with client() as daemon:
        return daemon.start_run(workflow_name, namespace=namespace)


def stop_workflow_execution(workflow_execution_id: int) -> bool:
    """Stops a run and all that is alive in it."""
    with client() as daemon:
        daemon.stop_run(int(workflow_execution_id))
    return True


def stop_workflow_executions(workflow_name: str, namespace: str = "default") -> bool:
    """Stops all runs of a workflow that are alive."""
    with client() as daemon:
        for run in daemon.list_runs(workflow_name, namespace=namespace):
            if run.is_alive:
                daemon.stop_run(run.id)
    return True


def get_workflow_execution(workflow_execution_id: int) -> Optional[WorkflowExecutionMeta]:
    """A run; None when there is none."""
    with client() as daemon:
        try:
            return _run(daemon.show_run(int(workflow_execution_id)))
        except Rejected as error:
            if is_unknown(error):
                return None
            raise


def list_workflow_executions(
    workflow_name: Optional[str] = None,
    namespace: str = "default",
    limit: Optional[int] = None,
    offset: Optional[int] = None,
) -> List[WorkflowExecutionMeta]:
    """Runs of a workflow, oldest first."""
    with client() as daemon:
        runs = daemon.list_runs(workflow_name, namespace=namespace)
    return page([_run(run) for run in runs], limit, offset)


def delete_workflow_execution(workflow_execution_id: int) -> bool:
    """Deletes a run that has ended."""
    with client() as daemon:
        daemon.delete_run(int(workflow_execution_id))
    return True


def delete_workflow_executions(workflow_name: str, namespace: str = "default") -> bool:
    """Deletes all runs of a workflow that have ended."""
    with client() as daemon:
        for run in daemon.list_runs(workflow_name, namespace=namespace):
            if not run.is_alive:
                daemon.delete_run(run.id)
    return True


def start_task_execution(workflow_execution_id: int, task_name: str) -> str:
    """Starts a task of a run and gives the id of the execution; one that is alive goes on."""
    with client() as daemon:
        daemon.start_task(int(workflow_execution_id), task_name)
        executions = daemon.list_task_executions(int(workflow_execution_id))
    return _task([each for each in executions if each.task == task_name][-1]).id


def stop_task_execution(workflow_execution_id: int, task_name: str) -> bool:
    """Stops what is alive of a task."""
    with client() as daemon:
        daemon.stop_task(int(workflow_execution_id), task_name)
    return True


def get_task_execution(task_execution_id: Union[str, int]) -> Optional[TaskExecutionMeta]:
    """A task execution by the id that the others give; None when there is none."""
    run, _, rest = str(task_execution_id).partition(".")
    if not run.isdigit() or not rest:
        return None
    found = [each for each in list_task_executions(int(run)) if each.id == task_execution_id]
    return found[0] if found else None


def list_task_executions(
    workflow_execution_id: int,
    limit: Optional[int] = None,
    offset: Optional[int] = None,
) -> List[TaskExecutionMeta]:
    """Task executions of a run."""
    with client() as daemon:
        try:
            executions = daemon.list_task_executions(int(workflow_execution_id))
        except Rejected as error:
            if is_unknown(error):
                return []
            raise
    return page([_task(each) for each in executions], limit, offset)


def _run(run: Run) -> WorkflowExecutionMeta:
    status = WorkflowStatus.of(run.status)
    names = (run.workflow, run.namespace)
    return WorkflowExecutionMeta(
        run.id, *names, status, run.started_at, run.ended_at, run.snapshot
    )


def _task(execution: TaskExecution) -> TaskExecutionMeta:
    attempts = execution.attempts
    return TaskExecutionMeta(
        id="%d.%s.%d" % (execution.run, execution.task, execution.sequence),
        workflow_execution_id=execution.run,
        task_name=execution.task,
        sequence_number=execution.sequence,
        status=TaskStatus.of(execution.status),
        begin_date=execution.created_at,
        end_date=execution.ended_at,
        try_number=len(attempts),
    )
