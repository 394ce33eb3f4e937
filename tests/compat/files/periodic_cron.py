"""A periodic task is restarted at each tick, and what follows it follows each time."""

from ai_flow.model.action import TaskAction
from ai_flow.model.status import TaskStatus
from ai_flow.model.workflow import Workflow
from ai_flow.operators.bash import BashOperator
from ai_flow.operators.python import PythonOperator

with Workflow(name="periodic_cron") as workflow:
    tick = BashOperator(name="tick", bash_command="echo tick", periodic_expression="cron@* * * * * *")
    after = BashOperator(name="after", bash_command="echo after")
    after.start_after(tick)
