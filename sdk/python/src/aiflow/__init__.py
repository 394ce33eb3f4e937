"""AIFlow from Python: emit and listen to events, ask the daemon, write workflows.

Must never need more than the standard library: tasks run in environments that are not ours.
"""

from . import context, workflow
from .client import Client
from .errors import (
    AiflowError,
    DefinitionError,
    Diagnostic,
    InvalidEvent,
    NoHome,
    NotInTask,
    NotSpooled,
    ProtocolError,
    Rejected,
    Unavailable,
    UnusableSocket,
)
from .events import NewEvent
from .home import Home, find_home
from .listening import AsyncListener, Listener, RecordFollower
from .views import EmitResult, EmitSummary, Event, Record

__version__ = "0.1.0"

__all__ = [
    "AiflowError",
    "AsyncListener",
    "Client",
    "DefinitionError",
    "Diagnostic",
    "EmitResult",
    "EmitSummary",
    "Event",
    "Home",
    "InvalidEvent",
    "Listener",
    "NewEvent",
    "NoHome",
    "NotInTask",
    "NotSpooled",
    "ProtocolError",
    "Record",
    "RecordFollower",
    "Rejected",
    "Unavailable",
    "UnusableSocket",
    "context",
    "find_home",
    "workflow",
]
