"""A condition that raises is no match, and the next event is looked at."""

from ai_flow.model.action import TaskAction
from ai_flow.model.status import TaskStatus
from ai_flow.model.workflow import Workflow
from ai_flow.operators.bash import BashOperator
from ai_flow.operators.python import PythonOperator
from ai_flow.model.condition import Condition
from ai_flow.model.state import ValueStateDescriptor


class Strict(Condition):
    def is_met(self, event, context):
        return int(event.value) > 3


with Workflow(name="condition_raises") as workflow:
    BashOperator(name="stream", bash_command="exec sleep 1000")
    task = BashOperator(name="task", bash_command="echo met")
    task.action_on_condition(TaskAction.START, Strict(["compat.strict"]))
