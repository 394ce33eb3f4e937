"""A task listens to events until one tells it to end."""

from ai_flow.model.action import TaskAction
from ai_flow.model.status import TaskStatus
from ai_flow.model.workflow import Workflow
from ai_flow.operators.bash import BashOperator
from ai_flow.operators.python import PythonOperator
from ai_flow.notification.notification_client import AIFlowNotificationClient, Event, ListenerProcessor

import threading


class UntilEnd(ListenerProcessor):
    def __init__(self):
        self.is_over = threading.Event()

    def process(self, events):
        for event in events:
            print("heard", event.key, event.value, flush=True)
            if event.value == "end":
                self.is_over.set()


def listen():
    client = AIFlowNotificationClient("localhost:50052")
    processor = UntilEnd()
    listener = client.register_listener(listener_processor=processor, event_keys=["compat.talk"])
    print("listening", flush=True)
    processor.is_over.wait(60)
    client.unregister_listener(listener)
    client.close()


with Workflow(name="client_listens") as workflow:
    PythonOperator(name="listener", python_callable=listen)
