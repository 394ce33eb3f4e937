"""One open connection, blocking: a request, its answer.

Must never repeat a request: whether that is harmless is known above. After any failure but a
refusal it is not to be asked again, for the answer may still come.
"""

from __future__ import annotations

import os
import socket
import time
from typing import Any, List, Optional

from .errors import UnusableSocket
from .wire import Lines, check_hello, read_line, read_result, write_hello, write_request

CLIENT = "aiflow-python 0.1.0"
GREETING_WITHIN = 5.0
SOCKET_PATH_BYTES_MAX = 107
READ_BYTES = 256 << 10


class Broken(Exception):
    """The connection broke, or none came about. `sent`: the daemon may have read the request."""

    def __init__(self, message: str, sent: bool) -> None:
        super().__init__(message, sent)
        self.message = message
        self.sent = sent


class Silent(Broken):
    """Nothing came in time. Who only listens may go on with the connection."""


class Connection:
    """A connection to a daemon that has greeted back."""

    def __init__(self, path: str) -> None:
        """Connects and greets. Raises `Broken`, `UnusableSocket` or `ProtocolError`."""
        self._path = path
        self._numbers = 0
        self._lines = Lines()
        self._read: List[bytes] = []
        self.socket = _open(path)
        try:
            self._send(write_hello(self._number(), CLIENT), GREETING_WITHIN)
            hello = read_result(read_line(self.read_line(GREETING_WITHIN)))
            self.version = check_hello(hello)[1]
        except Broken as error:
            self.close()
            raise Broken(error.message, sent=False) from error
        except BaseException:
            self.close()
            raise

    def request(self, method: str, params: bytes, within: Optional[float]) -> Any:
        """Asks, and waits for the answer. Raises `Rejected` or `Broken`."""
        self.send(method, params, within)
        return read_result(read_line(self.read_line(within)))

    def send(self, method: str, params: bytes, within: Optional[float]) -> None:
        """Sends a request. Raises `Broken`, `sent` being false: the line did not arrive whole."""
        self._send(write_request(self._number(), method, params), within)

    def read_line(self, within: Optional[float]) -> bytes:
        """The next line. Raises `Broken`, in time `Silent`."""
        deadline = None if within is None else time.monotonic() + within
        while not self._read:
            self._read = self._lines.feed(self._receive(deadline))
            self._read.reverse()
        return self._read.pop()

    def close(self) -> None:
        """Closes it; the daemon forgets what it was asked to follow."""
        self.socket.close()

    def _number(self) -> int:
        self._numbers += 1
        return self._numbers

    def _send(self, line: bytes, within: Optional[float]) -> None:
        self.socket.settimeout(within)
        try:
            self.socket.sendall(line)
        except OSError as error:
            raise self._broken(error, sent=False) from error

    def _receive(self, deadline: Optional[float]) -> bytes:
        left = None if deadline is None else max(deadline - time.monotonic(), 0.000_001)
        self.socket.settimeout(left)
        try:
            data = self.socket.recv(READ_BYTES)
        except OSError as error:
            raise self._broken(error, sent=True) from error
        if not data:
            raise Broken("the daemon on %s has closed the connection" % self._path, sent=True)
        return data

    def _broken(self, error: OSError, sent: bool) -> Broken:
        if isinstance(error, socket.timeout):
            return Silent("the daemon on %s has not answered in time" % self._path, sent)
        return Broken("the connection to %s broke: %s" % (self._path, error), sent)


def check_path(path: str) -> None:
    """Raises `UnusableSocket` when the path cannot be that of a socket."""
    size = len(os.fsencode(path))
    if size > SOCKET_PATH_BYTES_MAX:
        message = "the socket path %s has %d bytes, and the system allows %d"
        raise UnusableSocket(message % (path, size, SOCKET_PATH_BYTES_MAX))


def unreachable(path: str, error: OSError) -> Broken:
    """Why nobody answers there. Raises `UnusableSocket` when waiting would not help."""
    if isinstance(error, PermissionError):
        raise UnusableSocket("the socket %s may not be used: %s" % (path, error)) from error
    return Broken("no daemon answers on %s: %s" % (path, error), sent=False)


def _open(path: str) -> socket.socket:
    check_path(path)
    opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    opened.settimeout(GREETING_WITHIN)
    try:
        opened.connect(path)
    except OSError as error:
        opened.close()
        raise unreachable(path, error) from error
    except BaseException:
        opened.close()
        raise
    return opened
