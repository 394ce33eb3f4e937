"""A function that raises fails; the traceback is the user's own."""

from ai_flow.model.action import TaskAction
from ai_flow.model.status import TaskStatus
from ai_flow.model.workflow import Workflow
from ai_flow.operators.bash import BashOperator
from ai_flow.operators.python import PythonOperator


def divide():
    return 1 / 0


with Workflow(name="python_raises") as workflow:
    task = PythonOperator(name="divide", python_callable=divide)
    alarm = BashOperator(name="alarm", bash_command="echo alarm")
    alarm.action_on_task_status(TaskAction.START, {task: TaskStatus.FAILED})
