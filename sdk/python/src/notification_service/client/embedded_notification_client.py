"""The client of AIFlow's notification service, for use anywhere."""

from __future__ import annotations

from typing import Optional, Union

from ..model.event import Event
from .notification_client import ListenerProcessor, NotificationClient

__all__ = ["EmbeddedNotificationClient", "ListenerProcessor"]


class EmbeddedNotificationClient(NotificationClient):
    """Sends events to all, listens, and asks. All but the URI, namespace and sender is passed over."""

    def __init__(
        self,
        server_uri: Optional[str] = None,
        namespace: Optional[str] = None,
        sender: Optional[str] = None,
        *_: object,
        **__: object,
    ) -> None:
        super().__init__(server_uri, namespace, sender)

    def send_event(
        self,
        event: Union[Event, str, None] = None,
        value: Optional[str] = None,
        key: Optional[str] = None,
    ) -> Event:
        """Sends an event, or one of a key and a value; it is durable when this returns."""
        said = key if event is None else event
        if said is None:
            raise TypeError("send_event takes an Event, or a key and a value")
        sent = said if isinstance(said, Event) else Event(said, value)
        namespace = sent.namespace or self.namespace
        emitted = self._client.emit(
            sent.key,
            sent.value,
            namespace=namespace,
            source=sent.sender or self.sender,
            execution=sent.execution,
            all_runs=sent.execution is None,
        )
        sent.namespace = namespace or "default"
        sent.sender = emitted.source
        sent.offset = emitted.offset
        return sent
