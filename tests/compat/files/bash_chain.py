"""Three commands, each after the one before."""

from ai_flow.model.action import TaskAction
from ai_flow.model.status import TaskStatus
from ai_flow.model.workflow import Workflow
from ai_flow.operators.bash import BashOperator
from ai_flow.operators.python import PythonOperator

with Workflow(name="bash_chain") as workflow:
    first = BashOperator(name="first", bash_command="echo one > trace")
    second = BashOperator(name="second", bash_command="echo two >> trace")
    third = BashOperator(name="third", bash_command="cat trace; echo three")
    second.start_after(first)
    third.start_after([second])
