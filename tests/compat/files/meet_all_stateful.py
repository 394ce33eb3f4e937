"""MeetAllCondition over stateful conditions, each with a state of its own."""

from ai_flow.model.action import TaskAction
from ai_flow.model.status import TaskStatus
from ai_flow.model.workflow import Workflow
from ai_flow.operators.bash import BashOperator
from ai_flow.operators.python import PythonOperator
from ai_flow.model.condition import Condition
from ai_flow.model.state import ValueStateDescriptor
from ai_flow.model.internal.conditions import MeetAllCondition


class Times(Condition):
    def __init__(self, key, n):
        super().__init__([key])
        self.n = n

    def is_met(self, event, context):
        state = context.get_state(ValueStateDescriptor("count"))
        state.update((state.value() or 0) + 1)
        return state.value() >= self.n


with Workflow(name="meet_all_stateful") as workflow:
    BashOperator(name="stream", bash_command="exec sleep 1000")
    task = BashOperator(name="task", bash_command="echo all")
    task.action_on_condition(TaskAction.START, MeetAllCondition("m", [Times("compat.x", 2), Times("compat.y", 1)]))
