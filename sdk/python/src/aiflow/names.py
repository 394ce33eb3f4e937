"""Names as the daemon takes them.

Must never import anything heavy: whoever writes a workflow pays for it at each start of a task.
"""

from __future__ import annotations

import re

WORD_RULE = "1 to 128 of a-z A-Z 0-9 _ -, beginning with a letter, digit or _"
KEY_RULE = "1 to 128 of a-z A-Z 0-9 _ - . : /, beginning with a letter, digit or _"
_WORD = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9_-]{0,127}\Z")
_KEY = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9_.:/-]{0,127}\Z")
_PATTERN = re.compile(r"[a-zA-Z0-9_*][a-zA-Z0-9_.:/*-]{0,127}\Z")


def is_word(name: str) -> bool:
    """Whether it may name a namespace, a workflow or a task."""
    return _WORD.match(name) is not None


def is_key(name: str) -> bool:
    """Whether it may be the key of an event."""
    return _KEY.match(name) is not None


def is_pattern(name: str) -> bool:
    """Whether it may stand for keys of events: a key, perhaps with `*` for any text."""
    return _PATTERN.match(name) is not None
