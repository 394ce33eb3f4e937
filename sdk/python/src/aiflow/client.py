"""The client of a daemon: emits, listens, asks.

Must never lose an event that it reported as emitted: without a daemon it is durable in the spool
before `emit` returns. Must never make an event twice: each has an id before it is first sent.
"""

from __future__ import annotations

import os
import time
from datetime import datetime
from typing import (
    TYPE_CHECKING,
    Any,
    Iterable,
    Iterator,
    List,
    Mapping,
    Optional,
    Tuple,
    Union,
)

from . import spool
from .control import Control
from .errors import NotInTask, Unavailable
from .events import NewEvent, Outgoing, write_event
from .following import Following
from .home import Path, find_home
from .ids import new_id
from .link import Link
from .listening import Listener, RecordFollower
from .pipeline import OnResult, Pipeline
from .times import span_microseconds, to_microseconds
from .views import (
    EmitResult,
    EmitSummary,
    EventCount,
    EventPage,
    LogPiece,
    Run,
    Status,
    TaskExecution,
    View,
    read,
    read_list,
)
from .wire import write_params
if TYPE_CHECKING:
    from .alistening import AsyncListener

PATIENCE_DEFAULT = "10s"
REPLY_WITHIN = 60.0


class Client(Control):
    """The daemon of one home. Threads may share it.

    Inside a task it speaks for the task: its namespace, its name as source, its run as scope.

    `patience`: seconds for which a call is tried again when the daemon goes away, and an event
    before it is spooled; without it `$AIFLOW_EMIT_WAIT`, else 10 s. A call other than `emit` fails
    at once when no daemon was there to begin with. `reply_within`: seconds that an answer may take.
    """

    def __init__(
        self,
        home: Optional[Path] = None,
        *,
        patience: Optional[float] = None,
        reply_within: float = REPLY_WITHIN,
    ) -> None:
        self.home = find_home(home)
        self._patience = _patience_of_environment() if patience is None else patience
        self._namespace = os.environ.get("AIFLOW_NAMESPACE") or "default"
        self._source = _own_source()
        self._run = _own_run()
        self._token = os.environ.get("AIFLOW_TOKEN") or None
        self._link = Link(self.home.socket, reply_within)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections; the next call opens a new one."""
        self._link.close()

    # Events.

    def emit(
        self,
        key: str,
        value: Any = None,
        *,
        namespace: Optional[str] = None,
        source: Optional[str] = None,
        id: Optional[str] = None,
        execution: Optional[int] = None,
        all_runs: bool = False,
    ) -> EmitResult:
        """Emits an event. When this returns it is durable: in the log, or in the spool.

        (`namespace`, `source`, `id`) is the identity: the same again is the same event. Inside a
        task the event is for its own run, unless `execution` names another or `all_runs` is set.
        Raises `Rejected`, `InvalidEvent`, `NotSpooled`.
        """
        new = NewEvent(key, value, namespace, source, id, execution)
        event = self._outgoing(new, all_runs)
        try:
            answer = self._link.call("emit", event.params, self._patience, True, True)
        except Unavailable:
            path = spool.keep(self.home.spool, event)
            return EmitResult(event.source, event.id, spooled=path)
        duplicate = bool(answer.get("duplicate"))
        return EmitResult(event.source, event.id, answer["offset"], duplicate)

    def heartbeat(self) -> None:
        """Inside a task with a `heartbeat`: says that it lives; so does each event that it emits.

        Raises `NotInTask`, `Rejected`, `Unavailable`.
        """
        if self._token is None:
            raise NotInTask("AIFLOW_TOKEN is not set: a heartbeat is a task's")
        self._ask("task.heartbeat", {"token": self._token})

    def emit_many(
        self,
        events: Iterable[Union[NewEvent, Tuple[str, Any]]],
        *,
        all_runs: bool = False,
        on_result: Optional[OnResult] = None,
    ) -> EmitSummary:
        """Emits events, as `NewEvent` or (key, value), in order, many on their way at a time.

        When this returns all are durable. `on_result` is told what became of each, as it is known.
        At the first that is refused no more are taken, those on their way are settled, and then
        `Rejected` is raised.
        """
        never_waits = isinstance(events, (list, tuple))
        prepared = (self._outgoing(_as_new(event), all_runs) for event in events)
        pipeline = Pipeline(self.home.socket, self.home.spool, self._patience, on_result)
        return pipeline.run(prepared, never_waits)

    def listen(
        self,
        key: Optional[str] = None,
        *,
        namespace: Optional[str] = None,
        offset: Optional[int] = None,
        timeout: Optional[float] = None,
    ) -> Listener:
        """Events of a key, or all, as they come: an iterator that outlives the daemon.

        From `offset` on (an event's offset + 1 goes on after it), else from now on. It is
        subscribed when this returns. `timeout`: the longest wait for one, in seconds, after which
        it raises `TimeoutError`.
        """
        following = Following(offset, namespace or self._namespace, key)
        return Listener(self.home.socket, following, timeout)

    def alisten(
        self,
        key: Optional[str] = None,
        *,
        namespace: Optional[str] = None,
        offset: Optional[int] = None,
    ) -> AsyncListener:
        """As `listen`, for asyncio: `async for`. `async with` subscribes, else the first item."""
        from .alistening import AsyncListener

        following = Following(offset, namespace or self._namespace, key)
        return AsyncListener(self.home.socket, following)

    def follow(
        self, *, offset: Optional[int] = None, timeout: Optional[float] = None
    ) -> RecordFollower:
        """All records of the log as they become durable."""
        return RecordFollower(self.home.socket, Following(offset, None, None), timeout)

    def list_events(
        self,
        key: Optional[str] = None,
        *,
        namespace: Optional[str] = None,
        from_offset: Optional[int] = None,
        since: Optional[datetime] = None,
        limit: Optional[int] = None,
    ) -> EventPage:
        """The newest events (100 unless `limit` says else, at most 10,000), oldest first."""
        query = self._query(key, namespace, from_offset, since)
        return self._read(EventPage, "event.list", {**query, "limit": limit})

    def count_events(
        self,
        key: Optional[str] = None,
        *,
        namespace: Optional[str] = None,
        from_offset: Optional[int] = None,
        since: Optional[datetime] = None,
    ) -> EventCount:
        """How many events."""
        query = self._query(key, namespace, from_offset, since)
        return self._read(EventCount, "event.count", query)

    # Runs and their output; what changes workflows and tasks is in `Control`.

    def start_run(
        self,
        workflow: str,
        params: Optional[Mapping[str, Any]] = None,
        *,
        namespace: Optional[str] = None,
        request: Optional[str] = None,
    ) -> int:
        """Starts a run and gives its number. The same `request` gives the same run."""
        start = {
            "workflow": workflow,
            "namespace": namespace or self._namespace,
            "params": dict(params or {}),
            "request": request or new_id(),
        }
        run: int = self._ask("execution.start", start)["run"]
        return run

    def list_runs(
        self, workflow: Optional[str] = None, *, namespace: Optional[str] = None
    ) -> List[Run]:
        """Runs of one workflow or all, of one namespace or all."""
        query = {"workflow": workflow, "namespace": namespace}
        return read_list(Run, self._ask("execution.list", query))

    def show_run(self, run: int) -> Run:
        """A run."""
        return self._read(Run, "execution.show", {"run": run})

    def wait_run(self, run: int, timeout: Optional[float] = None) -> Run:
        """Waits until a run has ended, over restarts of the daemon. Raises `TimeoutError`."""
        deadline = None if timeout is None else time.monotonic() + timeout
        with self.follow() as records:
            shown = self.show_run(run)
            while shown.is_alive:
                if deadline is not None:
                    records.timeout = max(deadline - time.monotonic(), 0.0)
                record = next(records)
                if record.kind == "RunFinished" and record.body["run"] == run:
                    shown = self.show_run(run)
            return shown

    def list_task_executions(self, run: int) -> List[TaskExecution]:
        """Task executions of a run with their attempts."""
        return read_list(TaskExecution, self._ask("task.list", {"run": run}))

    def read_log(
        self,
        run: int,
        task: str,
        *,
        sequence: Optional[int] = None,
        attempt: Optional[int] = None,
        position: int = 0,
        bytes_max: Optional[int] = None,
    ) -> LogPiece:
        """A piece of an attempt's output, of the latest unless told: lines as the protocol has."""
        query = {
            "run": run,
            "task": task,
            "sequence": sequence,
            "attempt": attempt,
            "position": position,
            "bytes_max": bytes_max,
        }
        return self._read(LogPiece, "log.read", query)

    def log_text(
        self,
        run: int,
        task: str,
        *,
        sequence: Optional[int] = None,
        attempt: Optional[int] = None,
        stream: Optional[str] = None,
    ) -> str:
        """All that an attempt has written so far; `stream`: only `stdout` or only `stderr`."""
        texts: List[str] = []
        for piece in self._pieces(run, task, sequence, attempt):
            texts.extend(_log_texts(piece.text, stream))
        return "".join(texts)

    # The daemon.

    def status(self) -> Status:
        """How the daemon is."""
        return self._read(Status, "daemon.status", {})

    def stop_daemon(self) -> None:
        """Asks the daemon to go down; tasks go on."""
        self._ask("daemon.stop", {}, False)

    # Inside.

    def _pieces(
        self, run: int, task: str, sequence: Optional[int], attempt: Optional[int]
    ) -> Iterator[LogPiece]:
        position = 0
        while True:
            piece = self.read_log(
                run, task, sequence=sequence, attempt=attempt, position=position
            )
            yield piece
            if piece.ended or piece.next == position:
                return
            # Another attempt may become the latest meanwhile.
            _, _, number, tried = piece.attempt.split(".")
            position, sequence, attempt = piece.next, int(number), int(tried)

    def _outgoing(self, event: NewEvent, all_runs: bool) -> Outgoing:
        namespace = event.namespace or self._namespace
        execution = event.execution
        # A run sees only its own namespace.
        if execution is None and not all_runs and namespace == self._namespace:
            execution = self._run
        source = self._source if event.source is None else event.source
        id = new_id() if event.id is None else event.id
        # Proves who speaks, where that is allowed: to the own run.
        token = self._token if execution is not None and execution == self._run else None
        return write_event(event.key, event.value, namespace, source, id, execution, token)

    def _query(
        self,
        key: Optional[str],
        namespace: Optional[str],
        from_offset: Optional[int],
        since: Optional[datetime],
    ) -> Mapping[str, Any]:
        return {
            "namespace": namespace or self._namespace,
            "key": key,
            "from": from_offset,
            "since": None if since is None else to_microseconds(since),
        }

    def _read(self, view: "type[View]", method: str, params: Mapping[str, Any]) -> View:
        return read(view, self._ask(method, params))

    def _ask(self, method: str, params: Mapping[str, Any], repeatable: bool = True) -> Any:
        return self._link.call(method, write_params(params), self._patience, repeatable, False)


def _as_new(event: Union[NewEvent, Tuple[str, Any]]) -> NewEvent:
    return event if isinstance(event, NewEvent) else NewEvent(*event)


def _log_texts(text: str, stream: Optional[str]) -> Iterator[str]:
    """What the lines of a piece say; an upper-case tag: the line goes on in the next."""
    wanted = {"stdout": "oO", "stderr": "eE", None: "oOeE"}[stream]
    for line in text.split("\n"):
        if not line:
            continue
        _, tag, said = line.split(" ", 2)
        if tag in wanted:
            yield said + ("\n" if tag.islower() else "")


def _patience_of_environment() -> float:
    span = os.environ.get("AIFLOW_EMIT_WAIT") or PATIENCE_DEFAULT
    return span_microseconds(span) / 1_000_000


def _own_source() -> str:
    workflow, task = os.environ.get("AIFLOW_WORKFLOW"), os.environ.get("AIFLOW_TASK")
    return "%s/%s" % (workflow, task) if workflow and task else "python"


def _own_run() -> Optional[int]:
    text = os.environ.get("AIFLOW_EXECUTION_ID")
    if text and not text.isdigit():
        raise NotInTask("AIFLOW_EXECUTION_ID is %r, which is not the number of a run" % text)
    return int(text) if text else None
