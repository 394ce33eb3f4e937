"""A state that is an object of a class of the file."""

from ai_flow.model.action import TaskAction
from ai_flow.model.status import TaskStatus
from ai_flow.model.workflow import Workflow
from ai_flow.operators.bash import BashOperator
from ai_flow.operators.python import PythonOperator
from ai_flow.model.condition import Condition
from ai_flow.model.state import ValueStateDescriptor


class Seen:
    def __init__(self):
        self.names = set()

    def add(self, name):
        self.names.add(name)
        return self


class AllOf(Condition):
    def __init__(self, key, names):
        super().__init__(expect_event_keys=[key])
        self.names = set(names)

    def is_met(self, event, context):
        state = context.get_state(ValueStateDescriptor("seen"))
        seen = (state.value() or Seen()).add(event.value)
        if seen.names >= self.names:
            state.clear()
            return True
        state.update(seen)
        return False


with Workflow(name="condition_class_state") as workflow:
    BashOperator(name="stream", bash_command="exec sleep 1000")
    task = BashOperator(name="task", bash_command="echo all")
    task.action_on_condition(TaskAction.START, AllOf("compat.region", ["eu", "us"]))
