"""What the daemon answers, as Python values: times are aware datetimes.

Must never fail on a member that it does not know: members are only added.
"""

from __future__ import annotations

from dataclasses import MISSING, Field, dataclass, field, fields
from datetime import datetime
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple, Type, TypeVar

from .errors import ProtocolError
from .times import from_microseconds, parse_time

View = TypeVar("View")


def read(view: Type[View], answer: Mapping[str, Any]) -> View:
    """An answer as the dataclass `view`. Raises `ProtocolError` when a member is missing."""
    members = fields(view)  # type: ignore[arg-type]
    return view(**{member.name: _read_member(view, member, answer) for member in members})


def read_list(view: Type[View], answers: List[Mapping[str, Any]]) -> List[View]:
    """Each answer of a list."""
    return [read(view, answer) for answer in answers]


def _read_member(view: Type[Any], member: "Field[Any]", answer: Mapping[str, Any]) -> Any:
    value = answer.get(member.name)
    if value is not None:
        convert = _READERS.get(str(member.type))
        return value if convert is None else convert(value)
    if member.default is not MISSING:
        return member.default
    if member.default_factory is not MISSING:
        return member.default_factory()
    if member.name in answer and member.type == "Any":
        return None
    raise ProtocolError("the daemon's answer has no %s (%s)" % (member.name, view.__name__))


@dataclass(frozen=True)
class Event:
    """An event of the log."""

    offset: int
    time: datetime
    namespace: str
    key: str
    value: Any
    source: str
    id: str
    execution: Optional[int] = None


@dataclass(frozen=True)
class Record:
    """Something that happened: `kind` is its name, `body` what it says."""

    offset: int
    time: datetime
    cause: Optional[int]
    kind: str
    body: Dict[str, Any]


@dataclass(frozen=True)
class EmitResult:
    """What became of an event: durable in the log at `offset`, or durable in the file `spooled`."""

    source: str
    id: str
    offset: Optional[int] = None
    duplicate: bool = False
    spooled: Optional[str] = None


@dataclass(frozen=True)
class EmitSummary:
    """What became of many events."""

    accepted: int
    duplicates: int
    spooled: int
    last_offset: Optional[int]


@dataclass(frozen=True)
class Uploaded:
    """A definition was stored."""

    workflow: str
    namespace: str
    snapshot: int
    unchanged: bool = False


@dataclass(frozen=True)
class NamespaceInfo:
    """A namespace."""

    namespace: str
    workflows: int
    events: int
    properties: Dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Output:
    """What an execution said of its work."""

    run: int
    task: str
    sequence: int
    name: str
    value: Any


@dataclass(frozen=True)
class TaskInfo:
    """A task of a definition, its rules in words."""

    task: str
    kind: str
    rules: List[str]


@dataclass(frozen=True)
class WorkflowInfo:
    """A workflow; `source` is there when one is shown."""

    namespace: str
    workflow: str
    snapshot: int
    uploaded_at: datetime
    tasks: List[TaskInfo]
    alive_runs: int
    source: Optional[str] = None
    enabled: bool = True


@dataclass(frozen=True)
class TriggerInfo:
    """A trigger; one that ticks on the wall alone is a schedule. `condition` is in words."""

    id: int
    namespace: str
    workflow: str
    condition: str
    schedule: bool
    paused: bool
    firings: int
    fired_at: Optional[datetime] = None
    next_tick: Optional[datetime] = None


@dataclass(frozen=True)
class EndedCount:
    """Ended task executions by how they ended."""

    success: int
    failed: int
    stopped: int
    skipped: int = 0


@dataclass(frozen=True)
class Run:
    """A run; `status` is running, stopping, success, failed or stopped."""

    id: int
    namespace: str
    workflow: str
    snapshot: int
    status: str
    started_at: datetime
    params: Dict[str, Any]
    alive: int
    ended: EndedCount
    ended_at: Optional[datetime] = None

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended."""
        return self.status in ("running", "stopping")


@dataclass(frozen=True)
class Attempt:
    """One try of a task execution; `state` is queued, running, or how it ended."""

    attempt: int
    state: str
    queued_at: datetime
    pid: Optional[int] = None
    exit_code: Optional[int] = None
    signal: Optional[int] = None
    reason: Optional[str] = None
    started_at: Optional[datetime] = None
    ended_at: Optional[datetime] = None
    rss_bytes_max: int = 0
    cpu_us: int = 0


@dataclass(frozen=True)
class TaskExecution:
    """One instance of a task in a run."""

    run: int
    task: str
    sequence: int
    status: str
    created_at: datetime
    events: List[int]
    attempts: List[Attempt]
    window_start: Optional[datetime] = None
    window_end: Optional[datetime] = None
    ended_at: Optional[datetime] = None


@dataclass(frozen=True)
class EventPage:
    """Events, oldest first; none that is older than `log_begins` is kept."""

    events: List[Event]
    log_begins: int


@dataclass(frozen=True)
class EventCount:
    """How many events."""

    count: int
    log_begins: int


@dataclass(frozen=True)
class LogPiece:
    """A piece of an attempt's output; `next` is where to go on, `ended` that nothing will come."""

    attempt: str
    position: int
    next: int
    text: str
    ended: bool


@dataclass(frozen=True)
class Status:
    """How the daemon is."""

    version: str
    pid: int
    home: str
    epoch: int
    started_at: datetime
    log_begins: int
    durable: int
    alive_runs: int
    alive_attempts: int
    commits: int
    committed_records: int
    committed_bytes: int
    commit_us_p50: int
    commit_us_p99: int
    disk_low: bool
    rss_bytes: int


# How members are read that do not stand in JSON as they are, by the annotation as it is written.
_READERS: Dict[str, Callable[[Any], Any]] = {
    "datetime": parse_time,
    "Optional[datetime]": parse_time,
    "EndedCount": lambda ended: read(EndedCount, ended),
    "List[TaskInfo]": lambda tasks: read_list(TaskInfo, tasks),
    "List[Attempt]": lambda attempts: read_list(Attempt, attempts),
    "List[Event]": lambda events: read_list(Event, events),
}


def read_record(logged: Mapping[str, Any]) -> Record:
    """A record as it stands in a notification. Raises `ProtocolError`."""
    (kind, body), *others = _single(logged).items()
    time = from_microseconds(logged["time"])
    return Record(logged["offset"], time, logged.get("cause"), kind, body)


def _single(logged: Mapping[str, Any]) -> Dict[str, Any]:
    record = logged.get("record")
    if not isinstance(record, dict) or len(record) != 1:
        raise ProtocolError("the daemon's record has no kind: %.200r" % (logged,))
    return record


def event_of(record: Record) -> Optional[Event]:
    """The event that a record is about, if it is one."""
    if record.kind != "EventEmitted":
        return None
    body = record.body
    names: Tuple[str, str] = (body["namespace"], body["key"])
    return Event(
        record.offset,
        record.time,
        *names,
        body.get("value"),
        body["source"],
        body["id"],
        body.get("execution"),
    )
