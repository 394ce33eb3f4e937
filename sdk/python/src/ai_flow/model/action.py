"""What a rule does to its task."""

from __future__ import annotations

from enum import Enum


class TaskAction(str, Enum):
    """What a rule does to its task."""

    START = "START"
    RESTART = "RESTART"
    STOP = "STOP"
