"""A command that fails fails its task and the run; what comes after does not start."""

from ai_flow.model.action import TaskAction
from ai_flow.model.status import TaskStatus
from ai_flow.model.workflow import Workflow
from ai_flow.operators.bash import BashOperator
from ai_flow.operators.python import PythonOperator

with Workflow(name="bash_fails") as workflow:
    bad = BashOperator(name="bad", bash_command="exit 3")
    never = BashOperator(name="never", bash_command="echo never")
    never.start_after(bad)
