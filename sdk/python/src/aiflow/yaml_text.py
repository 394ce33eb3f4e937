"""YAML written for people, and read by the daemon as exactly what it was.

Must never write a plain scalar that could be read as anything but the text it is.
"""

from __future__ import annotations

import json
import re
from typing import Any, Iterator, List, Mapping, Sequence

WIDTH = 100
# Tasks, their commands and policies stand one below the other; what is deeper may share a line.
FLOW_FROM = 4
_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\Z")
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./<>=+()-]*(?: [A-Za-z0-9_./<>=+()-]+)*\Z")
_WORDS = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"}
# What may stand in a literal block: all that prints, but no form of line break other than \n.
_BLOCK = re.compile(r"[\t\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd]*\Z")


def to_yaml(document: Mapping[str, Any]) -> str:
    """A document of mappings, lists and JSON scalars as YAML in block style."""
    return "".join(line + "\n" for line in _mapping(document, 0))


def _mapping(entries: Mapping[str, Any], indent: int) -> Iterator[str]:
    for name, value in entries.items():
        yield from _entry(" " * indent + _key(name) + ":", value, indent)


def _entry(head: str, value: Any, indent: int) -> Iterator[str]:
    flow = _flow(value)
    if isinstance(value, str) and _is_block(value):
        yield from _block(head, value, indent)
    elif not isinstance(value, (dict, list)) or not value:
        yield "%s %s" % (head, flow)
    elif indent >= FLOW_FROM and _is_short(value) and len(head) + 1 + len(flow) <= WIDTH:
        yield "%s %s" % (head, flow)
    elif isinstance(value, dict):
        yield head
        yield from _mapping(value, indent + 2)
    else:
        yield head
        for item in value:
            yield from _item(item, indent + 2)


def _item(item: Any, indent: int) -> Iterator[str]:
    """An item of a list; a mapping begins on the line of its dash."""
    if not isinstance(item, dict) or not item or indent >= FLOW_FROM and _is_short(item):
        yield from _entry(" " * indent + "-", item, indent)
        return
    first, *others = _mapping(item, indent + 2)
    yield " " * indent + "- " + first.lstrip(" ")
    yield from others


def _is_short(value: Any) -> bool:
    """Whether it reads well on one line: one level of lists, or few words about one thing."""
    parts = value.values() if isinstance(value, dict) else value
    if isinstance(value, list):
        return all(not isinstance(part, (dict, list)) for part in parts)
    return len(value) <= 3 and all(_is_short(p) for p in parts if isinstance(p, (dict, list)))


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        parts = ("%s: %s" % (_key(name), _flow(part)) for name, part in value.items())
        return "{%s}" % ", ".join(parts)
    if isinstance(value, list):
        return "[%s]" % ", ".join(_flow(part) for part in value)
    if isinstance(value, str):
        return _text(value)
    return json.dumps(value, allow_nan=False)


def _key(name: str) -> str:
    return name if _KEY.match(name) else _quoted(name)


def _text(text: str) -> str:
    if _PLAIN.match(text) and text.lower() not in _WORDS and not _is_number(text):
        return text
    return _quoted(text)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _quoted(text: str) -> str:
    """JSON's string, with what YAML does not print escaped; YAML joins no surrogates."""
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(char if _is_printable(char) else _escaped(char) for char in quoted)


def _is_printable(char: str) -> bool:
    return char > "\uffff" or _BLOCK.match(char) is not None and char != "\t"


def _escaped(char: str) -> str:
    return "\\u%04x" % ord(char)


def _is_block(text: str) -> bool:
    lines = text.split("\n")
    if len(lines) < 2 or not lines[0] or lines[0][0] in " \t" or text.endswith("\n\n"):
        return False
    return text != "\n" and all(_BLOCK.match(line) and _has_text(line) for line in lines)


def _has_text(line: str) -> bool:
    """A line of white space alone could be taken for an indent."""
    return not line or bool(line.strip(" \t"))


def _block(head: str, text: str, indent: int) -> Iterator[str]:
    keeps = text.endswith("\n")
    yield head + (" |" if keeps else " |-")
    lines: Sequence[str] = text[:-1].split("\n") if keeps else text.split("\n")
    for line in lines:
        yield " " * (indent + 2) + line if line else ""


def line_of(text: str, path: List[str]) -> int:
    """The line, from 1, of the entry that nested keys lead to; 0 when there is none."""
    lines, depth = text.split("\n"), 0
    for number, line in enumerate(lines, 1):
        if line.startswith(" " * (2 * depth) + _key(path[depth]) + ":"):
            depth += 1
            if depth == len(path):
                return number
    return 0
