"""The parts that need no daemon: homes, times, ids, lines, answers, the context of a task."""

from __future__ import annotations

import json
import os
import pickle
import tempfile
import threading
import unittest
import uuid
from datetime import datetime, timedelta, timezone
from typing import Dict, List

from aiflow import (
    DefinitionError,
    Diagnostic,
    NoHome,
    NotInTask,
    ProtocolError,
    Rejected,
    Unavailable,
    UnusableSocket,
    context,
    find_home,
    ids,
)
from aiflow.client import Client
from aiflow.ids import new_id
from aiflow.times import (
    format_span,
    format_time,
    from_microseconds,
    parse_time,
    span_microseconds,
    to_microseconds,
)
from aiflow.views import EventCount, read, read_record
from aiflow.wire import Lines, read_line, read_refusal, read_result, write_request


class Homes(unittest.TestCase):
    """As `common/client/src/home.rs` has them."""

    def test_the_most_explicit_wins(self) -> None:
        variables = {"HOME": "/h"}
        self.assertEqual(find_home(None, variables).directory, "/h/.local/state/aiflow")
        variables["XDG_STATE_HOME"] = "/x"
        self.assertEqual(find_home(None, variables).directory, "/x/aiflow")
        variables.update({"AIFLOW_HOME": "/a", "AIFLOW_SOCKET": "/s.sock"})
        home = find_home(None, variables)
        self.assertEqual((home.socket, home.spool), ("/s.sock", "/a/spool"))
        self.assertEqual(find_home("/e", variables).socket, "/e/aiflow.sock")

    def test_empty_and_relative_values_count_as_unset(self) -> None:
        variables = {"HOME": "/h", "XDG_STATE_HOME": "x", "AIFLOW_HOME": "", "AIFLOW_SOCKET": ""}
        self.assertEqual(find_home(None, variables).socket, "/h/.local/state/aiflow/aiflow.sock")
        self.assertRaises(NoHome, find_home, None, {})

    def test_a_socket_that_cannot_be_is_no_reason_to_spool(self) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            home = os.path.join(scratch, "x" * 120)
            with Client(home, patience=0) as client:
                self.assertRaises(UnusableSocket, client.emit, "k")
            self.assertFalse(os.path.exists(home))


class Times(unittest.TestCase):
    """As `common/model/src/time.rs` has them."""

    def test_times_read_and_write(self) -> None:
        expected = datetime(2013, 1, 3, 5, 17, tzinfo=timezone.utc)
        for text in ("2013-01-03T05:17:00Z", "2013-01-03t00:17:00-05:00", "2013-01-03 05:17:00z"):
            self.assertEqual(parse_time(text), expected)
        fine = parse_time("2026-11-24T11:32:12.05Z")
        self.assertEqual(fine.microsecond, 50_000)
        self.assertEqual(parse_time("2026-11-24T11:32:12.123456789Z").microsecond, 123_456)
        for time in (expected, fine):
            self.assertEqual(parse_time(format_time(time)), time)
            self.assertEqual(from_microseconds(to_microseconds(time)), time)
        for bad in ("2013-01-03", "2013-01-03T05:17:00", "x", "2013-13-03T05:17:00Z"):
            self.assertRaises(ValueError, parse_time, bad)
        self.assertRaises(ValueError, format_time, datetime(2013, 1, 1))
        self.assertRaises(ValueError, to_microseconds, datetime(2013, 1, 1))

    def test_spans_read_and_write(self) -> None:
        for text, seconds in (("1h30m", 5400), ("90s", 90), ("1d 2h", 93_600)):
            self.assertEqual(span_microseconds(text), seconds * 1_000_000)
            written = format_span(timedelta(seconds=seconds))
            self.assertEqual(span_microseconds(written), seconds * 1_000_000)
        self.assertEqual(format_span(timedelta(hours=1, milliseconds=2)), "1h2ms")
        self.assertEqual(format_span(timedelta(0)), "0s")
        for bad in ("", "1", "h", "1 hour", "-1s", "1x", timedelta(seconds=-1)):
            self.assertRaises(ValueError, span_microseconds, bad)


class Ids(unittest.TestCase):
    """Identities that sort."""

    def test_they_sort_as_they_were_made(self) -> None:
        made: List[str] = []
        lists: List[List[str]] = [[] for _ in range(4)]

        def make(into: List[str]) -> None:
            into.extend(new_id() for _ in range(2000))

        threads = [threading.Thread(target=make, args=(into,)) for into in lists]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for of_thread in lists:
            self.assertEqual(of_thread, sorted(of_thread))
            made.extend(of_thread)
        self.assertEqual(len(set(made)), 8000)
        self._check_form(made[0])

    def test_they_sort_when_the_clock_goes_back(self) -> None:
        latest = ids._latest
        self.addCleanup(setattr, ids, "_latest", latest)
        ids._latest = latest + (3_600_000 << 12)
        made = [new_id() for _ in range(100)]
        self.assertEqual(made, sorted(made))
        self.assertGreaterEqual(uuid.UUID(made[0]).int >> 80, (latest >> 12) + 3_600_000)

    def _check_form(self, made: str) -> None:
        one = uuid.UUID(made)
        self.assertEqual((one.version, one.variant), (7, uuid.RFC_4122))
        made_at = datetime.fromtimestamp((one.int >> 80) / 1000, timezone.utc)
        self.assertLess(abs(datetime.now(timezone.utc) - made_at), timedelta(hours=1))


class Wire(unittest.TestCase):
    """Lines in and out."""

    def test_lines_are_cut_wherever_the_bytes_are_cut(self) -> None:
        text = b"one\n\ntwo and more\nthree\n"
        for size in range(1, len(text) + 1):
            lines, found = Lines(), []
            for begin in range(0, len(text), size):
                found += lines.feed(text[begin : begin + size])
            self.assertEqual(found, [b"one", b"", b"two and more", b"three"])

    def test_a_refusal_keeps_code_hint_and_places(self) -> None:
        place = {"line": 1, "column": 2, "message": "m", "hint": "h"}
        data = {"code": "E0201", "message": "wrong", "hint": "do", "diagnostics": [place]}
        with self.assertRaises(Rejected) as raised:
            read_result({"error": {"code": -32201, "message": "wrong", "data": data}})
        error = raised.exception
        self.assertEqual((error.code, error.hint), ("E0201", "do"))
        self.assertEqual(error.diagnostics, (Diagnostic(1, 2, "m", "h"),))
        self.assertEqual(str(error), "E0201: wrong\nhint: do")
        self.assertEqual(read_refusal({"code": -32603, "message": "m"}).code, "E0007")

    def test_what_is_no_answer_is_told(self) -> None:
        for line in (b"{", b"[]", b"3"):
            self.assertRaises(ProtocolError, read_line, line)
        self.assertRaises(ProtocolError, read, EventCount, {"count": 3})
        self.assertRaises(ProtocolError, read_record, {"offset": 1, "time": 2})
        known = read(EventCount, {"count": 3, "log_begins": 0, "added later": True})
        self.assertEqual(known, EventCount(3, 0))
        self.assertRaises(Rejected, write_request, 1, "emit", b" " * (2 << 20))

    def test_errors_can_be_pickled(self) -> None:
        place = (Diagnostic(1, 2, "m"),)
        for error in (
            Rejected("E0101", "m", "h", place),
            Unavailable("m", "h", True),
            DefinitionError("m", "h", "t"),
        ):
            self.assertEqual(str(pickle.loads(pickle.dumps(error))), str(error))


class Context(unittest.TestCase):
    """The environment of a task."""

    variables: Dict[str, str] = {
        "AIFLOW_NAMESPACE": "team",
        "AIFLOW_WORKFLOW": "w",
        "AIFLOW_ATTEMPT_ID": "7.train.12.3",
        "AIFLOW_PARAM_DAYS": "31",
        "AIFLOW_PARAM_A_TEXT": "two words",
        "AIFLOW_PARAM_LIST": "[1, 2]",
    }

    def test_it_is_read_from_the_environment(self) -> None:
        me = context.current(self.variables)
        self.assertEqual((me.namespace, me.workflow, me.run, me.task), ("team", "w", 7, "train"))
        self.assertEqual((me.sequence, me.attempt, me.attempt_id), (12, 3, "7.train.12.3"))
        self.assertEqual((me.window, me.event, me.events), (None, None, []))
        self.assertEqual(dict(me.params), {"days": 31, "a_text": "two words", "list": [1, 2]})
        self.assertEqual((me.params["A-Text"], me.params.text("Days")), ("two words", "31"))
        self.assertNotIn("none", me.params)

    def test_windows_and_events_are_read(self) -> None:
        event = {
            "offset": 4,
            "time": "2026-11-24T11:32:12.5Z",
            "namespace": "team",
            "key": "k",
            "value": None,
            "source": "s",
            "id": "i",
            "execution": None,
        }
        text = json.dumps([event])
        window = {
            "AIFLOW_WINDOW_START": "2013-01-01T05:00:00Z",
            "AIFLOW_WINDOW_END": "2013-01-01T06:00:00Z",
        }
        me = context.current({**self.variables, **window, "AIFLOW_EVENT": text})
        assert me.window is not None and me.event is not None
        self.assertEqual(me.window.end - me.window.start, timedelta(hours=1))
        self.assertEqual((me.event.offset, me.event.value), (4, None))
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(text)
            file.flush()
            large = context.current({**self.variables, "AIFLOW_EVENT_FILE": file.name})
        self.assertEqual(large.events, me.events)

    def test_outside_of_a_task_there_is_none(self) -> None:
        self.assertRaises(NotInTask, context.current, {})
        self.assertRaises(NotInTask, context.current, {"AIFLOW_ATTEMPT_ID": "x"})
