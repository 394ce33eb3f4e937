"""An operator of one's own: start, await_termination and stop."""

from ai_flow.model.action import TaskAction
from ai_flow.model.status import TaskStatus
from ai_flow.model.workflow import Workflow
from ai_flow.operators.bash import BashOperator
from ai_flow.operators.python import PythonOperator
import subprocess
import sys

from ai_flow.model.operator import AIFlowOperator


class Sleeper(AIFlowOperator):
    def __init__(self, name, seconds, **kwargs):
        super().__init__(name, **kwargs)
        self.seconds = seconds
        self.process = None

    def start(self, context):
        print("starting", flush=True)
        self.process = subprocess.Popen(["sleep", str(self.seconds)])

    def stop(self, context):
        print("stopping", flush=True)
        self.process.terminate()

    def await_termination(self, context, timeout=None):
        if self.process.wait(timeout) != 0:
            raise RuntimeError("it did not sleep")
        print("slept", flush=True)

    def get_metrics(self, context):
        return {}


with Workflow(name="custom_operator") as workflow:
    Sleeper(name="short", seconds=0)
    long = Sleeper(name="long", seconds=1000)
    long.action_on_event_received(TaskAction.STOP, "compat.wake")
