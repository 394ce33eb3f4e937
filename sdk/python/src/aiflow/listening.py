"""Events and records as they come, over any number of daemons that die and come back.

Must never skip or repeat one: after a break it goes on from the offset that the daemon told last.
"""

from __future__ import annotations

import asyncio
import time
from typing import AsyncIterator, Generic, Iterator, List, Optional, TypeVar

from .connection import (
    CLIENT,
    GREETING_WITHIN,
    READ_BYTES,
    Broken,
    Connection,
    Silent,
    check_path,
    unreachable,
)
from .errors import SHUTTING_DOWN, Rejected, Unavailable
from .following import FOLLOW_NUMBER, Following, Interrupted
from .link import START_HINT, Patience
from .views import Event, Record, event_of
from .wire import Lines, check_hello, read_line, read_result, write_hello, write_request

SUBSCRIBED_WITHIN = 60.0

Item = TypeVar("Item", Record, Event)


class _Follower(Generic[Item]):
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


class Follower(_Follower[Item], Iterator[Item]):
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
            time.sleep(_wait(patience, deadline))

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
        return _event(record)


class RecordFollower(Follower[Record]):
    """Records as they come."""

    def _item(self, record: Record) -> Record:
        return record


class AsyncFollower(_Follower[Item], AsyncIterator[Item]):
    """Items as they come, for asyncio; `async with` subscribes, else the first item does."""

    def __init__(self, path: str, following: Following) -> None:
        super().__init__(path, following)
        self._lines = Lines()
        self._read: List[bytes] = []
        self._reader: Optional[asyncio.StreamReader] = None
        self._writer: Optional[asyncio.StreamWriter] = None
        self._was_subscribed = False

    async def __aenter__(self) -> "AsyncFollower[Item]":
        await self._subscribe_first()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def __anext__(self) -> Item:
        """The next item. Raises `Unavailable` at the first, and `Rejected`."""
        if not self._was_subscribed:
            await self._subscribe_first()
        while True:
            record = self._following.take()
            if record is not None:
                return self._item(record)
            await self._read_more()

    async def aclose(self) -> None:
        """Closes the connection."""
        writer, self._reader, self._writer = self._writer, None, None
        if writer is not None:
            writer.close()
            try:
                await writer.wait_closed()
            except OSError:
                # It is closed either way.
                return

    async def _subscribe_first(self) -> None:
        try:
            await self._subscribe()
        except (Broken, Interrupted) as error:
            raise Unavailable(str(error), START_HINT) from error

    async def _read_more(self) -> None:
        patience = Patience(None)
        while True:
            try:
                if self._reader is None:
                    await self._subscribe()
                    return
                self._following.feed(await self._line())
                return
            except (Broken, Interrupted):
                await self.aclose()
            await asyncio.sleep(_wait(patience, None))

    async def _subscribe(self) -> None:
        try:
            await asyncio.wait_for(self._greet(), GREETING_WITHIN)
            follow = write_request(FOLLOW_NUMBER, "follow", self._following.params())
            await self._write(follow)
            self._following.feed(await self._line())
        except asyncio.TimeoutError:
            await self.aclose()
            raise Broken("the daemon on %s does not greet back" % self._path, False) from None
        except Rejected as error:
            await self.aclose()
            if error.code == SHUTTING_DOWN:
                raise Interrupted() from error
            raise
        except BaseException:
            await self.aclose()
            raise
        self._was_subscribed = True

    async def _greet(self) -> None:
        check_path(self._path)
        self._lines, self._read = Lines(), []
        try:
            self._reader, self._writer = await asyncio.open_unix_connection(self._path)
        except OSError as error:
            raise unreachable(self._path, error) from error
        await self._write(write_hello(1, CLIENT))
        check_hello(read_result(read_line(await self._line())))

    async def _write(self, line: bytes) -> None:
        assert self._writer is not None
        try:
            self._writer.write(line)
            await self._writer.drain()
        except OSError as error:
            raise Broken("the connection to %s broke: %s" % (self._path, error), True) from error

    async def _line(self) -> bytes:
        assert self._reader is not None
        while not self._read:
            try:
                data = await self._reader.read(READ_BYTES)
            except OSError as error:
                message = "the connection to %s broke: %s" % (self._path, error)
                raise Broken(message, True) from error
            if not data:
                raise Broken("the daemon on %s has closed the connection" % self._path, True)
            self._read = self._lines.feed(data)
            self._read.reverse()
        return self._read.pop()


class AsyncListener(AsyncFollower[Event]):
    """Events as they come, for asyncio."""

    def _item(self, record: Record) -> Event:
        return _event(record)


def _event(record: Record) -> Event:
    event = event_of(record)
    assert event is not None, "the daemon was asked for events only, and sent %s" % record.kind
    return event


def _left(deadline: Optional[float]) -> Optional[float]:
    return None if deadline is None else max(deadline - time.monotonic(), 0.0)


def _wait(patience: Patience, deadline: Optional[float]) -> float:
    wait = patience.next_wait()
    left = _left(deadline)
    if wait is None:
        return 0.0 if left is None else left
    return wait if left is None else min(wait, left)
