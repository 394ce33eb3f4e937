"""A Flink job: the tool is found, its arguments are as AIFlow gives them, a stop cancels the job."""

from ai_flow.model.action import TaskAction
from ai_flow.model.status import TaskStatus
from ai_flow.model.workflow import Workflow
from ai_flow.operators.bash import BashOperator
from ai_flow.operators.python import PythonOperator
from ai_flow.operators.flink.flink_operator import FlinkOperator

with Workflow(name="flink_job") as workflow:
    done = FlinkOperator(name="done", application="job.jar", application_args=["--days", "3"], target="remote")
    detached = FlinkOperator(
        name="detached", application="app.jar", target="yarn-application", application_mode=True,
        jobs_info_poll_interval=0.05,
    )
    endless = FlinkOperator(name="endless", application="endless.jar", target="remote", stop_with_savepoint=True)
    endless.action_on_event_received(TaskAction.STOP, "compat.flink.stop")
