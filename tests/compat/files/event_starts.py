"""An event starts a task, each time that none of it is alive."""

from ai_flow.model.action import TaskAction
from ai_flow.model.status import TaskStatus
from ai_flow.model.workflow import Workflow
from ai_flow.operators.bash import BashOperator
from ai_flow.operators.python import PythonOperator

with Workflow(name="event_starts") as workflow:
    BashOperator(name="stream", bash_command="exec sleep 1000")
    on_data = BashOperator(name="on_data", bash_command="echo got data")
    on_data.action_on_event_received(action=TaskAction.START, event_key="compat.data")
