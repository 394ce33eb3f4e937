"""What a follower knows: what it asked for, and from where it goes on after a break.

Must never touch a socket: blocking and asynchronous followers share it. Must never go back, nor
leave out a record that was announced.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Deque, Dict, Mapping, Optional

from .errors import SHUTTING_DOWN
from .views import Record, read_record
from .wire import read_line, read_refusal, read_result, write_params

# Number of the request on its connection; the greeting has number 1.
FOLLOW_NUMBER = 2


class Interrupted(Exception):
    """The daemon goes down: the follower goes on with the next one."""


class Following:
    """Records of one namespace and key, or all, from an offset on."""

    def __init__(self, offset: Optional[int], namespace: Optional[str], key: Optional[str]) -> None:
        self.offset = offset
        self.ready: Deque[Record] = deque()
        self._next = offset
        self._filter: Dict[str, Any] = {"events_in": namespace, "key": key}

    def params(self) -> bytes:
        """Parameters of the request, now: where the last connection left off."""
        return write_params({"from": self._next, **self._filter})

    def take(self) -> Optional[Record]:
        """The next record that is ready; `offset` is then the one after it."""
        if not self.ready:
            self.offset = self._next
            return None
        record = self.ready.popleft()
        self.offset = record.offset + 1
        return record

    def feed(self, line: bytes) -> None:
        """Takes a line in. Raises `Rejected`, `ProtocolError` or `Interrupted`."""
        message = read_line(line)
        method = message.get("method")
        if method == "records":
            self._take_records(message["params"])
        elif method == "ended":
            self._refused(message["params"]["error"])
        elif "error" in message:
            self._refused(message["error"])
        else:
            self._next = read_result(message)["next"]

    def _take_records(self, params: Mapping[str, Any]) -> None:
        self.ready.extend(read_record(logged) for logged in params["records"])
        self._next = params["next"]

    def _refused(self, error: Mapping[str, Any]) -> None:
        refusal = read_refusal(error)
        raise Interrupted() if refusal.code == SHUTTING_DOWN else refusal
