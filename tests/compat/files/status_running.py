"""A task starts when another is running, and another is stopped when it has ended."""

from ai_flow.model.action import TaskAction
from ai_flow.model.status import TaskStatus
from ai_flow.model.workflow import Workflow
from ai_flow.operators.bash import BashOperator
from ai_flow.operators.python import PythonOperator

with Workflow(name="status_running") as workflow:
    server = BashOperator(name="server", bash_command="exec sleep 1000")
    client = BashOperator(name="client", bash_command="echo connected")
    client.action_on_task_status(TaskAction.START, {server: TaskStatus.RUNNING})
    server.action_on_task_status(TaskAction.STOP, {client: TaskStatus.SUCCESS})
