"""Events on their way out: checked, and written as the `params` of `emit`.

Must never let through what the daemon would refuse: it may be spooled, and then nobody is there to
hear of the refusal.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from typing import Any, NamedTuple, Optional

from .errors import InvalidEvent, Rejected
from .names import KEY_RULE, WORD_RULE, is_key, is_word

VALUE_BYTES_MAX = 1 << 20
VALUE_DEPTH_MAX = 64
IDENTITY_BYTES_MAX = 256

_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


@dataclass(frozen=True)
class NewEvent:
    """An event to emit; what is None is as `Client.emit` has it."""

    key: str
    value: Any = None
    namespace: Optional[str] = None
    source: Optional[str] = None
    id: Optional[str] = None
    execution: Optional[int] = None


class Outgoing(NamedTuple):
    """An event, checked and written."""

    key: str
    source: str
    id: str
    params: bytes


def to_json(value: Any) -> str:
    """A value as JSON on one line. Raises `TypeError` or `ValueError` when it is none."""
    return _ENCODER.encode(value)


def write_event(
    key: str,
    value: Any,
    namespace: str,
    source: str,
    id: str,
    execution: Optional[int],
    token: Optional[str] = None,
) -> Outgoing:
    """Checks an event and writes it. Raises `Rejected` or `InvalidEvent`."""
    for what, text in (("source", source), ("id", id)):
        if not isinstance(text, str):
            message = "the %s of the event %s is %r, which is no text" % (what, key, text)
            raise InvalidEvent(message)
    head = _head(namespace, key, source, execution, token)
    said = _value_text(key, value)
    if len(id) * 4 > IDENTITY_BYTES_MAX:
        _check_identity("id", id)
    try:
        params = ('%s"value":%s,"id":%s}' % (head, said, _ENCODER.encode(id))).encode()
    except UnicodeEncodeError as error:
        raise InvalidEvent("the event %s is not Unicode text: %s" % (key, error)) from None
    return Outgoing(key, source, id, params)


@functools.lru_cache(maxsize=256)
def _head(
    namespace: str, key: str, source: str, execution: Optional[int], token: Optional[str]
) -> str:
    """What events of one kind share."""
    if not is_word(namespace):
        raise Rejected("E0202", "namespace %r is not a valid name: %s" % (namespace, WORD_RULE))
    if not is_key(key):
        raise Rejected("E0202", "event key %r is not a valid name: %s" % (key, KEY_RULE))
    _check_identity("source", source)
    scope = "" if execution is None else '"execution":%d,' % execution
    if token is not None:
        scope += '"token":%s,' % to_json(token)
    names = (to_json(namespace), to_json(key), to_json(source), scope)
    return '{"namespace":%s,"key":%s,"source":%s,%s' % names


def _value_text(key: str, value: Any) -> str:
    try:
        text = _ENCODER.encode(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidEvent("the value of the event %s is not JSON: %s" % (key, error)) from None
    # A character has at most 4 bytes: most values need no second look.
    if len(text) * 4 > VALUE_BYTES_MAX:
        size = len(text.encode("utf-8", "surrogatepass"))
        if size > VALUE_BYTES_MAX:
            message = "the value of %s has %d bytes, at most %d" % (key, size, VALUE_BYTES_MAX)
            raise Rejected("E0203", message, "put large data in a file and emit its path")
    if text.count("[") + text.count("{") > VALUE_DEPTH_MAX and _depth(value) > VALUE_DEPTH_MAX:
        message = "the value of %s is nested deeper than %d" % (key, VALUE_DEPTH_MAX)
        raise Rejected("E0203", message, "make it flatter")
    return text


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level:
        parts = [part for part in level if isinstance(part, (dict, list, tuple))]
        depth += bool(parts)
        level = [
            inner
            for part in parts
            for inner in (part.values() if isinstance(part, dict) else part)
        ]
    return depth


def _check_identity(what: str, text: str) -> None:
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > IDENTITY_BYTES_MAX:
        message = "the event's %s has %d bytes, at most %d" % (what, size, IDENTITY_BYTES_MAX)
        raise Rejected("E0203", message, "use a digest of it")
