"""Events from inside a task: sent to its own run.

Must never speak for another run than the one the task is of.
"""

from __future__ import annotations

from typing import Optional, Sequence, Union

from aiflow import context
from notification_service.client.notification_client import ListenerProcessor, NotificationClient
from notification_service.model.event import Event

__all__ = ["AIFlowNotificationClient", "Event", "ListenerProcessor"]


class AIFlowNotificationClient(NotificationClient):
    """The client of a task. Raises `NotInTask` elsewhere."""

    def __init__(self, server_uri: Optional[str] = None) -> None:
        task = context.current()
        super().__init__(server_uri, task.namespace)

    def send_event(self, key: Union[str, Event], value: Optional[str] = None) -> Event:
        """Sends an event to the rules of the task's own run; it is durable when this returns."""
        sent = key if isinstance(key, Event) else Event(key, value)
        emitted = self._client.emit(sent.key, sent.value)
        sent.namespace, sent.sender, sent.offset = self.namespace, emitted.source, emitted.offset
        return sent

    # The order of AIFlow's own.
    def register_listener(  # type: ignore[override]
        self,
        listener_processor: ListenerProcessor,
        event_keys: Union[str, Sequence[str], None] = None,
        begin_time: Optional[int] = None,
        offset: Optional[int] = None,
    ) -> int:
        return super().register_listener(listener_processor, event_keys, offset, begin_time)
