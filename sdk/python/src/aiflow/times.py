"""Times and lengths of time as the daemon writes and reads them.

Must never give or take a time without its offset from UTC: it would mean another on each host.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Union

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
Span = Union[str, timedelta]

_MICROSECOND = timedelta(microseconds=1)
_UNITS = {
    "us": 1,
    "ms": 1_000,
    "s": 1_000_000,
    "m": 60_000_000,
    "h": 3_600_000_000,
    "d": 86_400_000_000,
}
_SPAN = re.compile(r"(?:[0-9]+[a-z]+\s*)+\Z")
_SPAN_PART = re.compile(r"([0-9]+)([a-z]+)")
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(?:([Zz])|([+-]\d\d:\d\d))\Z"
)


def parse_time(text: str) -> datetime:
    """A time in RFC 3339, in UTC. Raises `ValueError`."""
    found = _TIME.match(text.strip())
    if found is None:
        raise ValueError("%r is not a time in RFC 3339, such as 2013-01-03T05:00:00Z" % text)
    day, clock, fraction, _, offset = found.groups()
    time = datetime.fromisoformat("%sT%s%s" % (day, clock, offset or "+00:00"))
    return time.astimezone(timezone.utc) + timedelta(
        microseconds=int((fraction or "").ljust(6, "0")[:6])
    )


def format_time(time: datetime) -> str:
    """A time in RFC 3339, in UTC. Raises `ValueError` when it does not know its offset."""
    if time.utcoffset() is None:
        raise ValueError(
            "%r has no time zone; write it as datetime(..., tzinfo=timezone.utc)" % time
        )
    return time.astimezone(timezone.utc).replace(tzinfo=None).isoformat() + "Z"


def from_microseconds(microseconds: int) -> datetime:
    """The time so many microseconds after 1970 began."""
    return EPOCH + timedelta(microseconds=microseconds)


def to_microseconds(time: datetime) -> int:
    """Microseconds since 1970. Raises `ValueError` when the time does not know its offset."""
    if time.utcoffset() is None:
        raise ValueError(
            "%r has no time zone; write it as datetime(..., tzinfo=timezone.utc)" % time
        )
    return (time - EPOCH) // _MICROSECOND


def span_microseconds(span: Span) -> int:
    """The length of `90s`, `1h30m` or a timedelta in microseconds. Raises `ValueError`."""
    if isinstance(span, timedelta):
        if span < timedelta(0):
            raise ValueError("%s is negative" % span)
        return span // _MICROSECOND
    text = span.strip()
    parts = _SPAN_PART.findall(text) if _SPAN.match(text) else []
    if not parts or any(unit not in _UNITS for _, unit in parts):
        raise ValueError(
            "%r is not a length of time, such as 500ms, 90s, 10m or 1h30m" % span
        )
    return sum(int(number) * _UNITS[unit] for number, unit in parts)


def format_span(span: Span) -> str:
    """A length of time as the daemon reads it; text stays as it is. Raises `ValueError`."""
    microseconds = span_microseconds(span)
    if isinstance(span, str):
        return span.strip()
    parts = []
    for unit, size in reversed(list(_UNITS.items())):
        count, microseconds = divmod(microseconds, size)
        if count:
            parts.append("%d%s" % (count, unit))
    return "".join(parts) or "0s"
