"""A condition that asks where another task stands."""

from ai_flow.model.action import TaskAction
from ai_flow.model.status import TaskStatus
from ai_flow.model.workflow import Workflow
from ai_flow.operators.bash import BashOperator
from ai_flow.operators.python import PythonOperator
from ai_flow.model.condition import Condition
from ai_flow.model.state import ValueStateDescriptor


class WhenReady(Condition):
    def is_met(self, event, context):
        return context.get_task_status("prepare") == TaskStatus.SUCCESS


with Workflow(name="condition_task_status") as workflow:
    BashOperator(name="stream", bash_command="exec sleep 1000")
    prepare = BashOperator(name="prepare", bash_command="true")
    prepare.action_on_event_received(TaskAction.START, "compat.prepare")
    use = BashOperator(name="use", bash_command="echo used")
    use.action_on_condition(TaskAction.START, WhenReady(["compat.use"]))
