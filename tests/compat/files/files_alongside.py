"""Files and folders that were uploaded with the workflow."""

from ai_flow.model.action import TaskAction
from ai_flow.model.status import TaskStatus
from ai_flow.model.workflow import Workflow
from ai_flow.operators.bash import BashOperator
from ai_flow.operators.python import PythonOperator

from alongside_helper import greeting


def read():
    with open("alongside_data/words.txt") as file:
        print(greeting(), file.read().strip())


with Workflow(name="files_alongside") as workflow:
    python = PythonOperator(name="read", python_callable=read)
    bash = BashOperator(name="bash", bash_command="cat alongside_data/words.txt")
