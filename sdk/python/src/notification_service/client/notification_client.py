"""What clients of AIFlow's notification service have in common: listeners in threads of their own.

Must never skip or repeat an event: a listener goes on over restarts of the daemon.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Dict, List, Optional, Sequence, TypeVar, Union

from ..model.event import Event

if TYPE_CHECKING:
    from datetime import datetime

    from aiflow import Client, Listener

Self = TypeVar("Self", bound="NotificationClient")

# How often a listener looks whether it was unregistered, in seconds.
LOOK_WITHIN = 0.2


class ListenerProcessor:
    """What a listener hands its events to."""

    def process(self, events: List[Event]) -> None:
        """Takes one or more events, in order."""
        raise NotImplementedError


class NotificationClient:
    """Sends, listens and asks. Server URIs are taken and not looked at: there is one local socket."""

    def __init__(
        self,
        server_uri: Optional[str] = None,
        namespace: Optional[str] = None,
        sender: Optional[str] = None,
    ) -> None:
        from aiflow import Client

        self.server_uri = server_uri
        self.namespace = namespace
        self.sender = sender
        self._client: "Client" = Client()
        self._listeners: Dict[int, "_Listening"] = {}

    def register_listener(
        self,
        listener_processor: ListenerProcessor,
        event_keys: Union[str, Sequence[str], None] = None,
        offset: Optional[int] = None,
        begin_time: Optional[int] = None,
    ) -> int:
        """Hands events of these keys, or all, to the processor, from now on or from a point on.

        `begin_time`: milliseconds since 1970.
        """
        keys = [event_keys] if isinstance(event_keys, str) else event_keys
        if offset is None and begin_time is not None:
            offset = self.time_to_offset(time_millis=begin_time)
        # Of one key alone the daemon sends only that one's.
        key = keys[0] if keys is not None and len(keys) == 1 else None
        listener = self._client.listen(key, namespace=self.namespace, offset=offset)
        listening = _Listening(listener, listener_processor, keys)
        number = len(self._listeners) + 1
        self._listeners[number] = listening
        listening.start()
        return number

    def unregister_listener(self, listener_id: int) -> None:
        """Ends a listener; when this returns it hands nothing on any more."""
        listening = self._listeners.get(listener_id)
        if listening is not None:
            listening.end()

    def time_to_offset(
        self, time_string: Union[str, int, None] = None, time_millis: int = 0
    ) -> int:
        """The offset of the first event at or after a time.

        ISO 8601, of this host's time zone unless it says another; or milliseconds since 1970.
        """
        since = _time(time_millis if time_string is None else time_string)
        counted = self._client.count_events(namespace=self.namespace, since=since)
        if counted.count == 0:
            return self._client.status().durable
        newest = self._client.list_events(
            namespace=self.namespace, since=since, limit=min(counted.count, EVENTS_MAX)
        )
        return newest.events[0].offset

    def list_events(
        self,
        key: Optional[str] = None,
        namespace: Optional[str] = None,
        sender: Optional[str] = None,
        begin_offset: Optional[int] = None,
        end_offset: Optional[int] = None,
    ) -> List[Event]:
        """The newest 10,000 events, oldest first; `end_offset` is the last one."""
        page = self._client.list_events(
            key, namespace=namespace or self.namespace, from_offset=begin_offset, limit=EVENTS_MAX
        )
        events = map(Event.of, page.events)
        return [event for event in events if _is_wanted(event, sender, end_offset)]

    def count_events(
        self,
        key: Optional[str] = None,
        namespace: Optional[str] = None,
        sender: Optional[str] = None,
        begin_offset: Optional[int] = None,
        end_offset: Optional[int] = None,
    ) -> int:
        """How many events."""
        if sender is not None or end_offset is not None:
            return len(self.list_events(key, namespace, sender, begin_offset, end_offset))
        space = namespace or self.namespace
        return self._client.count_events(key, namespace=space, from_offset=begin_offset).count

    def __enter__(self: "Self") -> "Self":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends all listeners and the connection."""
        for listening in self._listeners.values():
            listening.end()
        self._client.close()


EVENTS_MAX = 10_000


class _Listening(threading.Thread):
    """One listener's thread."""

    def __init__(
        self, listener: "Listener", processor: ListenerProcessor, keys: Optional[Sequence[str]]
    ) -> None:
        super().__init__(daemon=True, name="aiflow listener")
        self._listener = listener
        self._listener.timeout = LOOK_WITHIN
        self._processor = processor
        self._keys = None if keys is None else set(keys)
        self._is_over = threading.Event()

    def run(self) -> None:
        while not self._is_over.is_set():
            try:
                event = Event.of(next(self._listener))
            except TimeoutError:
                continue
            except StopIteration:
                return
            if self._keys is None or event.key in self._keys:
                self._hand_on(event)

    def end(self) -> None:
        """Ends it and waits until it has, unless its own processor asks."""
        self._is_over.set()
        if threading.current_thread() is not self:
            self.join()
        self._listener.close()

    def _hand_on(self, event: Event) -> None:
        try:
            self._processor.process([event])
        except Exception:
            # One that fails on an event is given the next: a thread that ends is not noticed.
            import traceback

            traceback.print_exc()


def _time(time: Union[str, int]) -> "datetime":
    from datetime import datetime

    from aiflow.times import from_microseconds

    if isinstance(time, int):
        return from_microseconds(time * 1000)
    if time.isdigit():
        return from_microseconds(int(time) * 1000)
    # Python reads `Z` from 3.11 on; one without a zone is taken as local.
    return datetime.fromisoformat(time.replace("Z", "+00:00").replace("z", "+00:00")).astimezone()


def _is_wanted(event: Event, sender: Optional[str], end_offset: Optional[int]) -> bool:
    is_of = sender is None or event.sender == sender
    return is_of and (end_offset is None or (event.offset or 0) <= end_offset)
