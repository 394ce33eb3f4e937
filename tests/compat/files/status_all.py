"""A rule on several statuses fires when all hold at once."""

from ai_flow.model.action import TaskAction
from ai_flow.model.status import TaskStatus
from ai_flow.model.workflow import Workflow
from ai_flow.operators.bash import BashOperator
from ai_flow.operators.python import PythonOperator

with Workflow(name="status_all") as workflow:
    good = BashOperator(name="good", bash_command="true")
    bad = BashOperator(name="bad", bash_command="exit 1")
    both = BashOperator(name="both", bash_command="echo both")
    both.action_on_task_status(TaskAction.START, {good: TaskStatus.SUCCESS, bad: TaskStatus.FAILED})
    wrong = BashOperator(name="wrong", bash_command="echo wrong")
    wrong.action_on_task_status(TaskAction.START, {good: TaskStatus.FAILED, bad: TaskStatus.FAILED})
