"""One condition on several keys."""

from ai_flow.model.action import TaskAction
from ai_flow.model.status import TaskStatus
from ai_flow.model.workflow import Workflow
from ai_flow.operators.bash import BashOperator
from ai_flow.operators.python import PythonOperator
from ai_flow.model.condition import Condition
from ai_flow.model.state import ValueStateDescriptor


class Either(Condition):
    def is_met(self, event, context):
        return event.key == "compat.left" and event.value == "go" or event.key == "compat.right"


with Workflow(name="condition_keys") as workflow:
    BashOperator(name="stream", bash_command="exec sleep 1000")
    task = BashOperator(name="task", bash_command="echo met")
    task.action_on_condition(TaskAction.START, Either(["compat.left", "compat.right"]))
