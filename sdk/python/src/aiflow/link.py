"""Connections to one daemon, kept open between calls, and patience while it is away.

Must never repeat a call that may have been done, unless the caller says that once more is the same
as once. Must never share a connection with a child process.
"""

from __future__ import annotations

import os
import time
from typing import Any, List, Optional

from .connection import Broken, Connection
from .errors import SHUTTING_DOWN, Rejected, Unavailable

BACKOFF_MIN = 0.01
BACKOFF_MAX = 1.0
# What one attempt may take at least, however little patience is left.
ATTEMPT_MIN = 1.0
START_HINT = "aiflow server start"


class Patience:
    """Waits between attempts: 10 ms, twice as long each time up to 1 s, until time is up."""

    def __init__(self, seconds: Optional[float]) -> None:
        """For so many seconds; for ever when None."""
        self._deadline = None if seconds is None else time.monotonic() + seconds
        self._backoff = BACKOFF_MIN

    def left(self) -> Optional[float]:
        """Seconds that the next attempt may take; None for as long as it wants."""
        if self._deadline is None:
            return None
        return max(self._deadline - time.monotonic(), ATTEMPT_MIN)

    def was_reached(self) -> None:
        """A daemon was there: what breaks from here on is a new absence, and the waits short."""
        self._backoff = BACKOFF_MIN

    def next_wait(self) -> Optional[float]:
        """Seconds to wait before the next attempt; None when there is to be none."""
        wait = self._backoff
        if self._deadline is not None and time.monotonic() + wait > self._deadline:
            return None
        self._backoff = min(wait * 2, BACKOFF_MAX)
        return wait


class Link:
    """The way to one daemon. Threads may share it; each call has a connection of its own."""

    def __init__(self, path: str, reply_within: Optional[float]) -> None:
        self.path = path
        self._reply_within = reply_within
        self._idle: List[Connection] = []
        self._process = os.getpid()

    def call(
        self, method: str, params: bytes, seconds: float, repeatable: bool, from_cold: bool
    ) -> Any:
        """Calls, again while the daemon is away, for so many seconds.

        `from_cold`: also when no connection was ever there, and an answer that takes longer counts
        as none. Raises `Rejected` or `Unavailable`.
        """
        was_connected = bool(self._own())
        patience = Patience(seconds)
        while True:
            try:
                within = patience.left() if from_cold else self._reply_within
                return self._attempt(method, params, within)
            except Broken as error:
                broken = error
            except Rejected as error:
                if error.code != SHUTTING_DOWN:
                    raise
                broken = Broken(error.message, sent=False)
            self.close()
            if broken.sent:
                patience.was_reached()
            wait = patience.next_wait()
            if broken.sent and not repeatable:
                raise Unavailable("%s (%s)" % (broken.message, method), None, True)
            was_connected = was_connected or broken.sent
            if wait is None or not (was_connected or from_cold):
                raise Unavailable(broken.message, START_HINT)
            time.sleep(wait)

    def close(self) -> None:
        """Closes what is not in use; the next call connects anew."""
        idle = self._own()
        while idle:
            idle.pop().close()

    def _attempt(self, method: str, params: bytes, within: Optional[float]) -> Any:
        connection = self._take()
        try:
            result = connection.request(method, params, within)
        except Rejected:
            self._own().append(connection)
            raise
        except BaseException:
            connection.close()
            raise
        self._own().append(connection)
        return result

    def _take(self) -> Connection:
        try:
            return self._own().pop()
        except IndexError:
            return Connection(self.path)

    def _own(self) -> List[Connection]:
        """Connections that are not in use, of this process: a child must not read its parent's."""
        if self._process != os.getpid():
            inherited, self._idle, self._process = self._idle, [], os.getpid()
            for connection in inherited:
                connection.close()
        return self._idle
