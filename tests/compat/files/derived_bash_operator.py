"""An operator derived from BashOperator with an await of its own."""

from ai_flow.model.action import TaskAction
from ai_flow.model.status import TaskStatus
from ai_flow.model.workflow import Workflow
from ai_flow.operators.bash import BashOperator
from ai_flow.operators.python import PythonOperator


class Announced(BashOperator):
    def await_termination(self, context, timeout=None):
        super().await_termination(context, timeout)
        print("done with it", flush=True)


with Workflow(name="derived_bash_operator") as workflow:
    Announced(name="a", bash_command="echo working")
    Announced(name="b", bash_command="exit 4")
