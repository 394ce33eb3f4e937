"""TaskStatusCondition and TaskStatusAllMetCondition as rules."""

from ai_flow.model.action import TaskAction
from ai_flow.model.status import TaskStatus
from ai_flow.model.workflow import Workflow
from ai_flow.operators.bash import BashOperator
from ai_flow.operators.python import PythonOperator
from ai_flow.model.internal.conditions import TaskStatusAllMetCondition, TaskStatusCondition

with Workflow(name="status_condition") as workflow:
    a = BashOperator(name="a", bash_command="true")
    b = BashOperator(name="b", bash_command="exit 1")
    c = BashOperator(name="c", bash_command="echo c")
    d = BashOperator(name="d", bash_command="echo d")
    workflow.action_on_condition("c", TaskAction.START, TaskStatusCondition("status_condition", "a", "default", TaskStatus.SUCCESS))
    both = TaskStatusAllMetCondition([
        TaskStatusCondition("status_condition", "b", "default", TaskStatus.FAILED),
        TaskStatusCondition("status_condition", "c", "default", TaskStatus.SUCCESS),
    ])
    workflow.action_on_condition("d", TaskAction.START, both)
