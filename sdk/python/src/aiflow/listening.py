"""Events and records as they come, over any number of daemons that die and come back.

Must never skip or repeat one: after a break it goes on from the offset that the daemon told last.
"""

from __future__ import annotations

import time
from typing import Generic, Iterator, Optional, TypeVar

from .connection import GREETING_WITHIN, Broken, Connection, Silent
from .errors import SHUTTING_DOWN, Rejected, Unavailable
from .following import Following, Interrupted
from .link import START_HINT, Patience
from .views import Event, Record, event_of

SUBSCRIBED_WITHIN = 60.0

Item = TypeVar("Item", Record, Event)


class AnyFollower(Generic[Item]):
    """What blocking and asynchronous followers share."""

    def __init__(self, path: str, following: Following) -> None:
        self._path = path
        self._following = following

    @property
    def offset(self) -> Optional[int]:
        """Where to go on after the latest item that was given; None before the first connection."""
        return self._following.offset

    def _item(self, record: Record) -> Item:
        raise NotImplementedError


class Follower(AnyFollower[Item], Iterator[Item]):
    """Items as they come; it is subscribed from when it is made. Use it in one thread.

    `timeout`, which may be changed: the longest wait for the next item, in seconds; None: for ever.
    """

    def __init__(self, path: str, following: Following, timeout: Optional[float] = None) -> None:
        """Subscribes. Raises `Unavailable` when no daemon is there, and `Rejected`."""
        super().__init__(path, following)
        self.timeout = timeout
        self._is_closed = False
        self._connection: Optional[Connection] = None
        try:
            self._subscribe()
        except (Broken, Interrupted) as error:
            raise Unavailable(str(error), START_HINT) from error

    def __next__(self) -> Item:
        """The next item. Raises `TimeoutError`, and `Rejected` when the log cannot be followed."""
        deadline = None if self.timeout is None else time.monotonic() + self.timeout
        while not self._is_closed:
            record = self._following.take()
            if record is not None:
                return self._item(record)
            self._read(deadline)
        raise StopIteration

    def __enter__(self) -> "Follower[Item]":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the iteration."""
        self._is_closed = True
        self._drop()

    def _read(self, deadline: Optional[float]) -> None:
        """Takes one line in, reconnecting as often as it needs."""
        patience = Patience(_left(deadline))
        while True:
            try:
                if self._connection is None:
                    self._subscribe()
                    return
                self._following.feed(self._connection.read_line(_left(deadline)))
                return
            except (Broken, Interrupted) as error:
                # Silence is no reason to subscribe anew: the daemon would look through it again.
                if self._connection is None or not isinstance(error, Silent):
                    self._drop()
            if deadline is not None and time.monotonic() >= deadline:
                raise TimeoutError("nothing came within %s s" % self.timeout)
            time.sleep(wait_before(patience, deadline))

    def _subscribe(self) -> None:
        try:
            self._connection = Connection(self._path)
            self._connection.send("follow", self._following.params(), GREETING_WITHIN)
            self._following.feed(self._connection.read_line(SUBSCRIBED_WITHIN))
        except Rejected as error:
            self._drop()
            if error.code == SHUTTING_DOWN:
                raise Interrupted() from error
            raise
        except BaseException:
            self._drop()
            raise

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None


class Listener(Follower[Event]):
    """Events as they come."""

    def _item(self, record: Record) -> Event:
        return event_in(record)


class RecordFollower(Follower[Record]):
    """Records as they come."""

    def _item(self, record: Record) -> Record:
        return record


def event_in(record: Record) -> Event:
    """The event of a record, of those of a subscription to events."""
    event = event_of(record)
    assert event is not None, "the daemon was asked for events only, and sent %s" % record.kind
    return event


def _left(deadline: Optional[float]) -> Optional[float]:
    return None if deadline is None else max(deadline - time.monotonic(), 0.0)


def wait_before(patience: Patience, deadline: Optional[float]) -> float:
    """Seconds to wait before the next attempt."""
    wait = patience.next_wait()
    left = _left(deadline)
    if wait is None:
        return 0.0 if left is None else left
    return wait if left is None else min(wait, left)
