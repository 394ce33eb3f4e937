"""What an operator raises fails its task."""

from ai_flow.model.action import TaskAction
from ai_flow.model.status import TaskStatus
from ai_flow.model.workflow import Workflow
from ai_flow.operators.bash import BashOperator
from ai_flow.operators.python import PythonOperator
from ai_flow.model.operator import AIFlowOperator


class Refuses(AIFlowOperator):
    def start(self, context):
        raise ValueError("refused to start")


class NeverGood(AIFlowOperator):
    def start(self, context):
        print("status of refuses:", context.get_task_status("refuses"))

    def await_termination(self, context, timeout=None):
        raise RuntimeError("ended badly")


with Workflow(name="custom_operator_fails") as workflow:
    refuses = Refuses("refuses")
    bad = NeverGood("bad")
    bad.action_on_task_status(TaskAction.START, {refuses: TaskStatus.FAILED})
