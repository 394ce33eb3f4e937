"""A workflow of another namespace hears that namespace's events alone."""

from ai_flow.model.action import TaskAction
from ai_flow.model.status import TaskStatus
from ai_flow.model.workflow import Workflow
from ai_flow.operators.bash import BashOperator
from ai_flow.operators.python import PythonOperator

with Workflow(name="namespaced", namespace="compat_space") as workflow:
    BashOperator(name="stream", bash_command="exec sleep 1000")
    task = BashOperator(name="task", bash_command="echo here")
    task.action_on_event_received(TaskAction.START, "compat.space")
