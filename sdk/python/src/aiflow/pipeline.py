"""Many events on one connection, many of them on their way at a time.

Must never count an event as taken before the daemon has said so or its file in the spool is
durable, and must never forget one that is on its way when the connection breaks: it is sent again
with its id, in its place.
"""

from __future__ import annotations

import select
import time
from typing import Callable, Dict, Iterable, Iterator, Optional, Tuple

from . import spool
from .connection import READ_BYTES, Broken, Connection
from .errors import SHUTTING_DOWN, Rejected
from .events import Outgoing
from .link import Patience
from .views import EmitResult, EmitSummary
from .wire import Lines, read_line, read_result, write_request

# The daemon takes 256 at a time; the rest waits in the socket, so that it never runs dry.
IN_FLIGHT_MAX = 1024
IN_FLIGHT_BYTES_MAX = 8 << 20
SEND_BYTES = 64 << 10
# How many events are sent from one look for answers to the next, while there is room.
LOOK_EVERY = 64
# How often it is tried whether a daemon is back, while events go into the spool.
PROBE_SECONDS = 1.0

OnResult = Callable[[EmitResult], None]


class Pipeline:
    """Emits events in their order; use it once."""

    def __init__(
        self, path: str, spool_directory: str, patience: float, on_result: Optional[OnResult]
    ) -> None:
        self._path = path
        self._spool_directory = spool_directory
        self._patience = patience
        self._on_result = on_result
        self._connection: Optional[Connection] = None
        self._lines = Lines()
        self._poll = select.poll()
        self._out = bytearray()
        self._number = 1
        # What has no answer yet, in order, by the number of its request.
        self._waiting: Dict[int, Tuple[Outgoing, bytes]] = {}
        self._waiting_bytes = 0
        self._probe_at: Optional[float] = None
        self._absence: Optional[Patience] = None
        self._refusal: Optional[Rejected] = None
        self._accepted = self._duplicates = self._spooled = 0
        self._last_offset: Optional[int] = None

    def run(self, events: Iterable[Outgoing], never_waits: bool) -> EmitSummary:
        """Emits all. `never_waits`: the next event is at hand, so that sending can wait for it.

        After a refused event no further one is taken; when all that were on their way are
        settled, raises its `Rejected`.
        """
        try:
            self._take_all(iter(events), never_waits)
        finally:
            self._drop()
        return EmitSummary(self._accepted, self._duplicates, self._spooled, self._last_offset)

    def _take_all(self, events: Iterator[Outgoing], never_waits: bool) -> None:
        while self._refusal is None:
            try:
                event = next(events)
            except StopIteration:
                break
            except Exception:
                self._settle_all()
                raise
            if self._is_to_spool():
                self._keep(event)
            else:
                self._send(event, never_waits)
        self._settle_all()
        if self._refusal is not None:
            raise self._refusal

    def _settle_all(self) -> None:
        while self._waiting:
            self._guarded(self._exchange)

    def _send(self, event: Outgoing, never_waits: bool) -> None:
        self._enqueue(event)
        # An event that is not sent now would wait for the one after it.
        if not never_waits or len(self._out) >= SEND_BYTES:
            self._guarded(self._send_some)
        if len(self._waiting) % LOOK_EVERY == 0:
            self._guarded(self._receive)
        while self._is_full():
            self._guarded(self._exchange)

    def _is_full(self) -> bool:
        return len(self._waiting) >= IN_FLIGHT_MAX or self._waiting_bytes >= IN_FLIGHT_BYTES_MAX

    def _enqueue(self, event: Outgoing) -> None:
        self._number += 1
        line = write_request(self._number, "emit", event.params)
        self._waiting[self._number] = (event, line)
        self._waiting_bytes += len(line)
        self._out += line

    def _guarded(self, work: Callable[[], None]) -> None:
        """Does work on a connection; when that breaks, makes a new one or gives up to the spool."""
        try:
            if self._connection is None:
                self._connect()
            work()
        except Broken:
            self._recover()

    def _recover(self) -> None:
        # Counted from the latest answer: a daemon that takes connections and is silent is none.
        if self._absence is None:
            self._absence = Patience(self._patience)
        while True:
            self._drop()
            wait = self._absence.next_wait()
            if wait is None:
                self._keep_waiting()
                return
            time.sleep(wait)
            try:
                self._connect()
            except Broken:
                continue
            self._absence.was_reached()
            return

    def _connect(self) -> None:
        """Connects, and sends again what has no answer."""
        try:
            self._connection = Connection(self._path)
        except Rejected as error:
            raise _as_broken(error) from error
        self._connection.socket.setblocking(False)
        self._poll = select.poll()
        self._poll.register(self._connection.socket, select.POLLIN)
        self._lines = Lines()
        self._out = bytearray().join(line for _, line in self._waiting.values())

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _exchange(self) -> None:
        """Sends what can be sent and reads what is there, and waits until one of them can be."""
        assert self._connection is not None
        wanted = select.POLLIN | (select.POLLOUT if self._out else 0)
        self._poll.modify(self._connection.socket, wanted)
        within = max(self._patience, 1.0) * 1000
        ready = self._poll.poll(within)
        if not ready:
            raise Broken("the daemon on %s has not answered in time" % self._path, sent=True)
        if ready[0][1] & select.POLLOUT:
            self._send_some()
        if ready[0][1] & ~select.POLLOUT:
            self._receive()

    def _send_some(self) -> None:
        assert self._connection is not None
        try:
            sent = self._connection.socket.send(self._out)
        except BlockingIOError:
            return
        except OSError as error:
            raise Broken("the connection to %s broke: %s" % (self._path, error), True) from error
        del self._out[:sent]

    def _receive(self) -> None:
        assert self._connection is not None
        try:
            data = self._connection.socket.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            raise Broken("the connection to %s broke: %s" % (self._path, error), True) from error
        if not data:
            raise Broken("the daemon on %s has closed the connection" % self._path, True)
        self._absence = None
        for line in self._lines.feed(data):
            self._settle(line)

    def _settle(self, line: bytes) -> None:
        answer = read_line(line)
        try:
            result = read_result(answer)
        except Rejected as error:
            self._refuse(answer["id"], error)
            return
        event = self._forget(answer["id"])
        duplicate = result.get("duplicate", False)
        self._accepted += 1
        self._duplicates += duplicate
        self._last_offset = result["offset"]
        if self._on_result is not None:
            self._on_result(EmitResult(event.source, event.id, result["offset"], duplicate))

    def _refuse(self, number: int, error: Rejected) -> None:
        if error.code == SHUTTING_DOWN:
            raise _as_broken(error) from error
        event = self._forget(number)
        message = "the event %s (id %s): %s" % (event.key, event.id, error.message)
        if self._refusal is None:
            self._refusal = Rejected(error.code, message, error.hint, error.diagnostics)

    def _forget(self, number: int) -> Outgoing:
        event, line = self._waiting.pop(number)
        self._waiting_bytes -= len(line)
        return event

    def _is_to_spool(self) -> bool:
        """Whether no daemon has been there for long enough; looks now and then whether one is."""
        if self._probe_at is None:
            return False
        if time.monotonic() < self._probe_at:
            return True
        try:
            self._connect()
        except Broken:
            self._probe_at = time.monotonic() + PROBE_SECONDS
            return True
        self._probe_at = None
        return False

    def _keep_waiting(self) -> None:
        for number in list(self._waiting):
            event, _ = self._waiting[number]
            self._keep(event)
            self._forget(number)
        self._out.clear()
        self._absence = None
        self._probe_at = time.monotonic() + PROBE_SECONDS

    def _keep(self, event: Outgoing) -> None:
        path = spool.keep(self._spool_directory, event)
        self._spooled += 1
        if self._on_result is not None:
            self._on_result(EmitResult(event.source, event.id, spooled=path))


def _as_broken(error: Rejected) -> Broken:
    """A daemon that goes down is one that is away. Raises the error when it is another."""
    if error.code != SHUTTING_DOWN:
        raise error
    return Broken(error.message, sent=False)
