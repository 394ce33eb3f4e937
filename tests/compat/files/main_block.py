"""What stands under `if __name__` does not run at an upload."""

from ai_flow.model.action import TaskAction
from ai_flow.model.status import TaskStatus
from ai_flow.model.workflow import Workflow
from ai_flow.operators.bash import BashOperator
from ai_flow.operators.python import PythonOperator

with Workflow(name="main_block") as workflow:
    BashOperator(name="a", bash_command="echo a")

if __name__ == "__main__":
    raise SystemExit("this must not run")
