"""Operators of clusters in AIFlow's form.

Must never build a command: `aiflow.jobs` does.
"""

from __future__ import annotations

from typing import Any, Optional

from aiflow.jobs import Submission

from .context import Context
from .operator import AIFlowOperator


class JobOperator(AIFlowOperator):
    """A task that is a job of a cluster."""

    def __init__(self, name: str, submission: Submission, **kwargs: Any) -> None:
        self.submission = submission
        super().__init__(name, **kwargs)

    def start(self, context: Context) -> None:  # type: ignore[override]
        self.submission.start()

    def stop(self, context: Context) -> None:  # type: ignore[override]
        self.submission.stop()

    def await_termination(  # type: ignore[override]
        self, context: Context, timeout: Optional[int] = None
    ) -> None:
        self.submission.wait(timeout)
