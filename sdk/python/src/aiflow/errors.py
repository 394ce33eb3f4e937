"""What can go wrong, as types that callers can tell apart.

Must never hold a socket or a file: an error outlives what it is about, and can be pickled.
"""

from __future__ import annotations

from typing import NamedTuple, Optional, Tuple

SHUTTING_DOWN = "E0402"


class AiflowError(Exception):
    """Whatever this package raises by itself."""


class Diagnostic(NamedTuple):
    """One fault in a definition; line and column count from 1."""

    line: int
    column: int
    message: str
    hint: Optional[str] = None


def _with_hint(message: str, hint: Optional[str]) -> str:
    return message if hint is None else "%s\nhint: %s" % (message, hint)


class Rejected(AiflowError):
    """The request is not allowed: a normal answer, the same however often it is asked.

    `code` is stable (`E0201`; one page each in docs/errors), `hint` what to do instead.
    """

    def __init__(
        self,
        code: str,
        message: str,
        hint: Optional[str] = None,
        diagnostics: Tuple[Diagnostic, ...] = (),
    ) -> None:
        super().__init__(code, message, hint, diagnostics)
        self.code = code
        self.message = message
        self.hint = hint
        self.diagnostics = diagnostics

    def __str__(self) -> str:
        return _with_hint("%s: %s" % (self.code, self.message), self.hint)


class Unavailable(AiflowError):
    """No daemon answered in time. `maybe_done` tells whether it may have acted all the same."""

    def __init__(
        self, message: str, hint: Optional[str] = None, maybe_done: bool = False
    ) -> None:
        super().__init__(message, hint, maybe_done)
        self.message = message
        self.hint = hint
        self.maybe_done = maybe_done

    def __str__(self) -> str:
        return _with_hint(self.message, self.hint)


class UnusableSocket(AiflowError):
    """The socket cannot be used by this process, now or later."""


class ProtocolError(AiflowError):
    """The answer does not have the shape that this version knows."""


class NoHome(AiflowError):
    """Nothing says where the daemon lives."""


class InvalidEvent(AiflowError, ValueError):
    """The value of an event is not JSON, or its source or id is not text."""


class NotSpooled(AiflowError):
    """No daemon answered, and the event could not be kept for it either: it is not emitted."""


class NotInTask(AiflowError):
    """This process is not a task of a run."""


class DefinitionError(AiflowError):
    """A workflow is not written as the daemon could run it. `task` is the one that is meant."""

    def __init__(
        self, message: str, hint: Optional[str] = None, task: Optional[str] = None
    ) -> None:
        super().__init__(message, hint, task)
        self.message = message
        self.hint = hint
        self.task = task

    def __str__(self) -> str:
        place = "" if self.task is None else "task `%s`: " % self.task
        return _with_hint(place + self.message, self.hint)
