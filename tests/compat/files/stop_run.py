"""Stopping a run stops what is alive in it."""

from ai_flow.model.action import TaskAction
from ai_flow.model.status import TaskStatus
from ai_flow.model.workflow import Workflow
from ai_flow.operators.bash import BashOperator
from ai_flow.operators.python import PythonOperator

import time


def forever():
    while True:
        time.sleep(0.01)


with Workflow(name="stop_run") as workflow:
    PythonOperator(name="forever", python_callable=forever)
    BashOperator(name="sleeps", bash_command="sleep 1000")
