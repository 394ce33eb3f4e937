"""MeetAllCondition of single events: fires when all came, and then begins anew."""

from ai_flow.model.action import TaskAction
from ai_flow.model.status import TaskStatus
from ai_flow.model.workflow import Workflow
from ai_flow.operators.bash import BashOperator
from ai_flow.operators.python import PythonOperator
from ai_flow.model.internal.conditions import MeetAllCondition, SingleEventCondition

with Workflow(name="meet_all") as workflow:
    BashOperator(name="stream", bash_command="exec sleep 1000")
    task = BashOperator(name="task", bash_command="echo all")
    condition = MeetAllCondition("both", [SingleEventCondition("compat.one"), SingleEventCondition("compat.two")])
    task.action_on_condition(TaskAction.START, condition)
