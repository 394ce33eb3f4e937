"""A task sends events to its own run."""

from ai_flow.model.action import TaskAction
from ai_flow.model.status import TaskStatus
from ai_flow.model.workflow import Workflow
from ai_flow.operators.bash import BashOperator
from ai_flow.operators.python import PythonOperator
from ai_flow.notification.notification_client import AIFlowNotificationClient, Event, ListenerProcessor


def send():
    client = AIFlowNotificationClient("localhost:50052")
    client.send_event(key="compat.sent", value="from the task")
    client.close()


with Workflow(name="client_sends") as workflow:
    sender = PythonOperator(name="sender", python_callable=send)
    receiver = BashOperator(name="receiver", bash_command="echo \"$AIFLOW_EVENT\"")
    receiver.action_on_event_received(TaskAction.START, "compat.sent")
