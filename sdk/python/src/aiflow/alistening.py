"""Events as they come, for asyncio. Its own module: few need it, and asyncio takes long to import.

Must never skip or repeat one, as the blocking listener does not.
"""

from __future__ import annotations

import asyncio
from typing import AsyncIterator, List, Optional

from .connection import CLIENT, GREETING_WITHIN, READ_BYTES, Broken, check_path, unreachable
from .errors import SHUTTING_DOWN, Rejected, Unavailable
from .following import FOLLOW_NUMBER, Following, Interrupted
from .link import START_HINT, Patience
from .listening import AnyFollower, Item, event_in, wait_before
from .views import Event, Record
from .wire import Lines, check_hello, read_line, read_result, write_hello, write_request


class AsyncFollower(AnyFollower[Item], AsyncIterator[Item]):
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
            await asyncio.sleep(wait_before(patience, None))

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
        return event_in(record)
