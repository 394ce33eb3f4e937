"""AIFlow from Python: emit and listen to events, ask the daemon, write workflows.

Must never need more than the standard library: tasks run in environments that are not ours. What is
not used is not imported: each task that runs a function pays for it at its start.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from . import context, workflow
    from .alistening import AsyncListener
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
    from .listening import Listener, RecordFollower
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

_MODULES = {
    "client": ("Client",),
    "events": ("NewEvent",),
    "home": ("Home", "find_home"),
    "alistening": ("AsyncListener",),
    "listening": ("Listener", "RecordFollower"),
    "views": ("EmitResult", "EmitSummary", "Event", "Record"),
    "errors": (
        "AiflowError",
        "DefinitionError",
        "Diagnostic",
        "InvalidEvent",
        "NoHome",
        "NotInTask",
        "NotSpooled",
        "ProtocolError",
        "Rejected",
        "Unavailable",
        "UnusableSocket",
    ),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> object:
    """Imports what is asked for, once."""
    import importlib

    if name in ("context", "workflow"):
        return importlib.import_module("." + name, __name__)
    if name not in _HOMES:
        raise AttributeError("module %r has no attribute %r" % (__name__, name))
    found: object = getattr(importlib.import_module("." + _HOMES[name], __name__), name)
    globals()[name] = found
    return found
