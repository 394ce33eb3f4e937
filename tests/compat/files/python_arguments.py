"""A function with positional and keyword arguments."""

from ai_flow.model.action import TaskAction
from ai_flow.model.status import TaskStatus
from ai_flow.model.workflow import Workflow
from ai_flow.operators.bash import BashOperator
from ai_flow.operators.python import PythonOperator


def add(a, b, scale=1):
    print("sum", (a + b) * scale)


with Workflow(name="python_arguments") as workflow:
    PythonOperator(name="add", python_callable=add, op_args=[1, 2], op_kwargs={"scale": 10})
