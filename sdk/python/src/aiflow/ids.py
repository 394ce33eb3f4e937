"""Identities that sort in the order in which they were made (UUID version 7).

Must never give an identity twice, nor one that sorts before an earlier one of this process: the
daemon takes spooled events in the order of their names.
"""

from __future__ import annotations

import os
import threading
import time
import uuid

_lock = threading.Lock()
_latest = 0


def new_id() -> str:
    """A new identity, 36 characters."""
    return str(uuid.UUID(int=_stamp() | int.from_bytes(os.urandom(8), "big") >> 2))


def _stamp() -> int:
    """All but the random bits: milliseconds since 1970, and below them 1/4096 of one."""
    global _latest
    with _lock:
        _latest = max((time.time_ns() << 12) // 1_000_000, _latest + 1)
        ticks = _latest
    milliseconds, fraction = ticks >> 12, ticks & 0xFFF
    return milliseconds << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62
