"""Tracebacks as the user wants them: the frames of the user's own code.

Must never hide a frame that is not of this distribution or of the import machinery.
"""

from __future__ import annotations

import os
import sys
from typing import Any, Iterator, List, Optional, Tuple

from .program import PACKAGES

OWN = tuple(os.path.join(PACKAGES, name) + os.sep for name in ("aiflow", "ai_flow"))
OWN += (os.path.join(PACKAGES, "notification_service") + os.sep, "<frozen ")


def line_in(path: str, error: BaseException) -> Optional[int]:
    """The innermost line of a file that an error came through."""
    if isinstance(error, SyntaxError) and error.filename == path:
        return error.lineno
    lines = [line for name, line, _ in _frames(error) if name == path]
    return lines[-1] if lines else None


def trace_of(error: BaseException) -> List[str]:
    """The user's frames, outermost first: `FILE:LINE in NAME`."""
    return ["%s:%d in %s" % frame for frame in _frames(error)]


def print_trace(error: BaseException) -> None:
    """The traceback on stderr, with those that led to it, without frames of ours."""
    import traceback

    shown = traceback.TracebackException(type(error), error, error.__traceback__)
    part: Optional[traceback.TracebackException] = shown
    while part is not None:
        kept = [frame for frame in part.stack if not frame.filename.startswith(OWN)]
        part.stack = traceback.StackSummary.from_list(kept)
        part = part.__cause__ or part.__context__
    sys.stderr.write("".join(shown.format()))


def _frames(error: BaseException) -> Iterator[Tuple[str, int, str]]:
    trace: Any = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        is_main = trace.tb_frame.f_globals.get("__name__") == "runpy"
        if not is_main and not code.co_filename.startswith(OWN):
            yield code.co_filename, trace.tb_lineno, code.co_name
        trace = trace.tb_next
