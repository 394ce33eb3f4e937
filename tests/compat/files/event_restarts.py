"""An event restarts a task: the one that runs is stopped, a new one starts."""

from ai_flow.model.action import TaskAction
from ai_flow.model.status import TaskStatus
from ai_flow.model.workflow import Workflow
from ai_flow.operators.bash import BashOperator
from ai_flow.operators.python import PythonOperator

with Workflow(name="event_restarts") as workflow:
    task = BashOperator(name="task", bash_command="exec sleep 1000")
    task.action_on_event_received(TaskAction.RESTART, "compat.restart")
