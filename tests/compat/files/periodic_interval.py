"""An interval of days, hours, minutes and seconds."""

from ai_flow.model.action import TaskAction
from ai_flow.model.status import TaskStatus
from ai_flow.model.workflow import Workflow
from ai_flow.operators.bash import BashOperator
from ai_flow.operators.python import PythonOperator

with Workflow(name="periodic_interval") as workflow:
    tick = BashOperator(name="tick", bash_command="exec sleep 1000", periodic_expression="interval@0 0 0 1")
