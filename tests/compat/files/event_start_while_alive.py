"""START does nothing while an execution is alive."""

from ai_flow.model.action import TaskAction
from ai_flow.model.status import TaskStatus
from ai_flow.model.workflow import Workflow
from ai_flow.operators.bash import BashOperator
from ai_flow.operators.python import PythonOperator

with Workflow(name="event_start_while_alive") as workflow:
    task = BashOperator(name="task", bash_command="exec sleep 1000")
    task.action_on_event_received(TaskAction.START, "compat.again")
    BashOperator(name="other", bash_command="exec sleep 1000")
