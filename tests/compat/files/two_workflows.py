"""A file with several workflows; all are found."""

from ai_flow.model.action import TaskAction
from ai_flow.model.status import TaskStatus
from ai_flow.model.workflow import Workflow
from ai_flow.operators.bash import BashOperator
from ai_flow.operators.python import PythonOperator

with Workflow(name="two_first") as first:
    BashOperator(name="a", bash_command="echo first")

with Workflow("two_second") as second:
    BashOperator(name="a", bash_command="echo second")
