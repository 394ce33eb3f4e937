"""Many tasks and one that follows all of them."""

from ai_flow.model.action import TaskAction
from ai_flow.model.status import TaskStatus
from ai_flow.model.workflow import Workflow
from ai_flow.operators.bash import BashOperator
from ai_flow.operators.python import PythonOperator

with Workflow(name="fan_in") as workflow:
    parts = [BashOperator(name="part%d" % i, bash_command="echo %d" % i) for i in range(8)]
    join = BashOperator(name="join", bash_command="echo joined")
    join.start_after(parts)
