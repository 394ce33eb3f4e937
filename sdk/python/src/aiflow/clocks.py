"""When something happens by a clock: of event time, of the wall, or a calendar.

Must never tick: the daemon does.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Dict, Iterable, List, Mapping, Optional, Union

from .conditions import Condition, checked_key, checked_span
from .errors import DefinitionError
from .times import Span, format_time, parse_time, span_microseconds

PERIOD_MIN_MICROSECONDS = 1_000
MISSED = ("all", "latest", "skip")
LATE = ("ignore", "rerun")
Time = Union[str, datetime]


class Watermark:
    """A clock of event time: the lowest of the watermarks that events of these keys report.

    `idle`: a source that is silent for so long is passed; one length of time, or one by key.
    """

    def __init__(self, *keys: str, idle: Union[Span, Mapping[str, Span], None] = None) -> None:
        self._keys = keys
        self._idle = idle

    def write(self) -> Dict[str, Any]:
        """As the definition has it. Raises `DefinitionError` without a task."""
        if not self._keys:
            raise DefinitionError("Watermark() needs at least one event key")
        if len(set(self._keys)) != len(self._keys):
            raise DefinitionError("Watermark%r names a key twice" % (self._keys,))
        keys: List[Any] = [checked_key(key) for key in self._keys]
        idle: Dict[str, Any] = {}
        if isinstance(self._idle, Mapping):
            unknown = [key for key in self._idle if key not in keys]
            if unknown:
                raise DefinitionError("idle names %r, which is no key of the clock" % unknown[0])
            spans = {key: checked_span("idle", span) for key, span in self._idle.items()}
            keys = [{"key": key, "idle": spans[key]} if key in spans else key for key in keys]
        elif self._idle is not None:
            idle["idle"] = checked_span("idle", self._idle)
        return {"watermark": keys[0] if len(keys) == 1 else keys, **idle}


class Every(Condition):
    """A clock has passed the end of a window."""

    def __init__(self, period: Span, clock: Optional[Watermark], said: Mapping[str, Any]) -> None:
        self._period = period
        self._clock = clock
        self._said = said

    def write(self) -> Dict[str, Any]:
        written: Dict[str, Any] = {"every": checked_span("every", self._period)}
        if span_microseconds(self._period) < PERIOD_MIN_MICROSECONDS:
            raise DefinitionError("every %s is too often" % self._period, "at least 1ms")
        if self._clock is not None:
            if not isinstance(self._clock, Watermark):
                hint = 'Watermark("my.watermark"), or no clock for the time of the wall'
                raise DefinitionError("every: %r is no clock" % (self._clock,), hint)
            written["clock"] = self._clock.write()
        return {**written, **_write_said(self._said)}


class Cron(Condition):
    """A time of a calendar."""

    def __init__(self, expression: str, said: Mapping[str, Any]) -> None:
        self._expression = expression
        self._said = said

    def write(self) -> Dict[str, Any]:
        if not isinstance(self._expression, str) or not self._expression.strip():
            raise DefinitionError("cron is %r" % (self._expression,), 'cron("0 6 * * MON")')
        return {"cron": self._expression, **_write_said(self._said)}


def every(
    period: Span,
    clock: Optional[Watermark] = None,
    *,
    from_: Optional[Time] = None,
    until: Optional[Time] = None,
    missed: Optional[str] = None,
    late: Optional[str] = None,
) -> Condition:
    """A clock has passed the end of a window so long; without `clock` it is the wall's.

    `from_`: start of the first window, with its offset from UTC; else the clock arms itself.
    `until`: no window ends after it. `missed`: what becomes of ticks of the wall while no daemon
    ran: `all`, `latest` or `skip`. `late`: of windows that a late watermark is in: `ignore` or
    `rerun`.
    """
    said = {"from": from_, "until": until, "missed": missed, "late": late}
    return Every(period, clock, said)


def cron(
    expression: str,
    *,
    tz: Optional[str] = None,
    missed: Optional[str] = None,
    jitter: Optional[Span] = None,
    except_: Iterable[str] = (),
) -> Condition:
    """The wall has come to a time of a calendar, in the time zone `tz` (UTC).

    `jitter`: puts each off by up to so much. `except_`: dates and days of the week without any.
    """
    said = {"tz": tz, "missed": missed, "jitter": jitter, "except": list(except_) or None}
    return Cron(expression, said)


def _write_said(said: Mapping[str, Any]) -> Dict[str, Any]:
    written: Dict[str, Any] = {}
    for name, value in said.items():
        if value is None:
            continue
        if name in ("from", "until"):
            value = _checked_time(name, value)
        elif name == "jitter":
            value = checked_span(name, value)
        elif name in ("missed", "late") and value not in (MISSED if name == "missed" else LATE):
            words = MISSED if name == "missed" else LATE
            raise DefinitionError("%s is %r" % (name, value), "one of: " + ", ".join(words))
        written[name] = value
    return written


def _checked_time(name: str, time: Time) -> str:
    try:
        return format_time(time if isinstance(time, datetime) else parse_time(time))
    except (ValueError, AttributeError) as error:
        hint = "datetime(2013, 1, 1, 5, tzinfo=timezone.utc) or 2013-01-01T05:00:00Z"
        raise DefinitionError("%s: %s" % (name, error), hint) from None
