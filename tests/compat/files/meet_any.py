"""MeetAnyCondition, with a condition of one's own in it."""

from ai_flow.model.action import TaskAction
from ai_flow.model.status import TaskStatus
from ai_flow.model.workflow import Workflow
from ai_flow.operators.bash import BashOperator
from ai_flow.operators.python import PythonOperator
from ai_flow.model.condition import Condition
from ai_flow.model.state import ValueStateDescriptor
from ai_flow.model.internal.conditions import MeetAnyCondition, SingleEventCondition


class Large(Condition):
    def is_met(self, event, context):
        return int(event.value) > 10


with Workflow(name="meet_any") as workflow:
    BashOperator(name="stream", bash_command="exec sleep 1000")
    task = BashOperator(name="task", bash_command="echo any")
    condition = MeetAnyCondition([SingleEventCondition("compat.now"), Large(["compat.size"])])
    task.action_on_condition(TaskAction.START, condition)
