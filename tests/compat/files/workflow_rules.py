"""Rules that are said on the workflow rather than on its operators."""

from ai_flow.model.action import TaskAction
from ai_flow.model.status import TaskStatus
from ai_flow.model.workflow import Workflow
from ai_flow.operators.bash import BashOperator
from ai_flow.operators.python import PythonOperator

with Workflow(name="workflow_rules", namespace="default") as workflow:
    a = BashOperator(name="a", bash_command="echo a")
    b = BashOperator(name="b", bash_command="echo b")
    c = BashOperator(name="c", bash_command="echo c")
    workflow.action_on_task_status("b", TaskAction.START, {a: TaskStatus.SUCCESS})
    workflow.action_on_event_received("c", "compat.go", TaskAction.START)
