"""A stateful condition: a number in a state, as AIFlow's tutorial has it."""

from ai_flow.model.action import TaskAction
from ai_flow.model.status import TaskStatus
from ai_flow.model.workflow import Workflow
from ai_flow.operators.bash import BashOperator
from ai_flow.operators.python import PythonOperator
from ai_flow.model.condition import Condition
from ai_flow.model.state import ValueStateDescriptor


class NumCondition(Condition):
    def __init__(self, expect_event_key, num):
        super().__init__([expect_event_key])
        self.num = num

    def is_met(self, event, context):
        state = context.get_state(ValueStateDescriptor(name="num_state"))
        num = (0 if state.value() is None else int(state.value())) + int(event.value)
        if num >= self.num:
            state.update(num - self.num)
            return True
        state.update(num)
        return False


with Workflow(name="condition_count") as workflow:
    BashOperator(name="stream", bash_command="exec sleep 1000")
    task = BashOperator(name="task", bash_command="echo reached")
    task.action_on_condition(action=TaskAction.START, condition=NumCondition("compat.num", 100))
