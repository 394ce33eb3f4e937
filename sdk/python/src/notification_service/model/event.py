"""Events in AIFlow's form: what they say is text.

Must never lose what an event of another emitter says: a value that is no text stands here as JSON.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Optional

if TYPE_CHECKING:
    from aiflow.views import Event as Native

# The member of a context that names a run.
RUN = "workflow_execution_id"


class Event:
    """An event. `context` names the run that it is for, `create_time` is in milliseconds."""

    def __init__(
        self,
        key: str,
        value: Optional[str] = None,
        namespace: Optional[str] = None,
        sender: Optional[str] = None,
        context: Optional[str] = None,
        create_time: Optional[int] = None,
        offset: Optional[int] = None,
    ) -> None:
        self.key = key
        self.value = value
        self.namespace = namespace
        self.sender = sender
        self.context = context
        self.create_time = create_time
        self.offset = offset

    @classmethod
    def of(cls, event: "Native") -> "Event":
        """An event of the daemon."""
        value = event.value
        said = value if value is None or isinstance(value, str) else json.dumps(value)
        context = None if event.execution is None else json.dumps({RUN: event.execution})
        milliseconds = int(event.time.timestamp() * 1000)
        names = (event.namespace, event.source)
        return cls(event.key, said, *names, context, milliseconds, event.offset)

    @property
    def execution(self) -> Optional[int]:
        """The run that it is for; None: all."""
        if not self.context:
            return None
        try:
            said = json.loads(self.context)
        except ValueError:
            said = self.context
        run = said.get(RUN) if isinstance(said, dict) else said
        return int(run) if isinstance(run, (int, str)) and str(run).isdigit() else None

    def __str__(self) -> str:
        return "Event(%s)" % ", ".join("%s=%r" % pair for pair in vars(self).items())

    __repr__ = __str__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Event) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((self.key, self.offset))
