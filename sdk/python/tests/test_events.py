"""Emitting, listening and the spool, against the real daemon that is killed and started again."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import threading
from typing import Any, Iterator, List, Tuple

from aiflow import Client, EmitResult, Event, InvalidEvent, NewEvent, Rejected, Unavailable

from .support import WITHIN, DaemonTest, wait_until


class Emitting(DaemonTest):
    """One event, and many."""

    def test_an_event_is_durable_and_reads_back(self) -> None:
        value = {"rows": 3, "text": "ä\u2028\"\n", "big": 2**60, "none": None, "list": [1.5, True]}
        result = self.client.emit("data.ready", value, source="loader", id="one")
        self.daemon.kill()
        self.daemon.start()
        (event,) = self.client.list_events("data.ready").events
        self.assertEqual((event.offset, event.value), (result.offset, value))
        self.assertEqual((event.source, event.id, event.execution), ("loader", "one", None))
        self.assertIsNotNone(event.time.utcoffset())

    def test_the_same_identity_is_the_same_event(self) -> None:
        first = self.client.emit("k", 1, source="s", id="i")
        again = self.client.emit("k", 2, source="s", id="i")
        other = self.client.emit("k", 1)
        self.assertEqual((again.offset, again.duplicate), (first.offset, True))
        self.assertFalse(first.duplicate or other.duplicate)
        self.assertEqual(self.client.count_events("k").count, 2)

    def test_what_is_wrong_is_refused_with_code_and_hint(self) -> None:
        with self.assertRaises(Rejected) as raised:
            self.client.emit("k", namespace="nowhere")
        self.assertEqual(raised.exception.code, "E0101")
        for key, value, code in (("a b", 1, "E0202"), ("k", "x" * (1 << 20), "E0203")):
            with self.assertRaises(Rejected) as raised:
                self.client.emit(key, value)
            self.assertEqual(raised.exception.code, code)
        for wrong in (float("nan"), object(), "\ud800"):
            with self.assertRaises(InvalidEvent):
                self.client.emit("k", wrong)
        with self.assertRaises(InvalidEvent):
            self.client.emit("k", 1, id=5)  # type: ignore[arg-type]
        self.assertEqual(self.client.count_events().count, 0)

    def test_depth_is_refused_here_exactly_where_the_daemon_refuses_it(self) -> None:
        for depth, fits in ((64, True), (65, False)):
            value: Any = []
            for _ in range(depth - 1):
                value = [value]
            params = {"key": "k", "value": value}
            asked = json.dumps(params).encode()
            try:
                self.client._link.call("emit", asked, 10.0, False, False)
                taken = True
            except Rejected:
                taken = False
            self.assertEqual(taken, fits)
            if fits:
                self.client.emit("k", value)
            else:
                self.assertRaises(Rejected, self.client.emit, "k", value)

    def test_many_events_come_in_order(self) -> None:
        told: List[EmitResult] = []
        events = [("k", number) for number in range(5000)]
        summary = self.client.emit_many(events, on_result=told.append)
        self.assertEqual((summary.accepted, summary.duplicates, summary.spooled), (5000, 0, 0))
        values = [event.value for event in self.client.list_events("k", limit=10000).events]
        self.assertEqual(values, list(range(5000)))
        self.assertEqual([result.offset for result in told], sorted(r.offset or 0 for r in told))
        self.assertEqual(told[-1].offset, summary.last_offset)

    def test_large_events_do_not_choke_the_pipeline(self) -> None:
        summary = self.client.emit_many(("k", "x" * 500_000) for _ in range(40))
        self.assertEqual((summary.accepted, self.client.count_events("k").count), (40, 40))

    def test_an_event_leaves_before_the_next_one_is_there(self) -> None:
        first_is_taken = threading.Event()

        def events() -> Iterator[Tuple[str, Any]]:
            yield "k", 1
            wait_until("the first is taken", lambda: self.client.count_events("k").count == 1)
            first_is_taken.set()
            yield "k", 2

        with Client(self.daemon.home) as other:
            other.emit_many(events())
        self.assertTrue(first_is_taken.is_set())

    def test_many_stop_at_the_first_that_is_refused(self) -> None:
        events = [NewEvent("k", 1), NewEvent("k", 2, namespace="nowhere"), NewEvent("k", 3)]
        with self.assertRaises(Rejected) as raised:
            self.client.emit_many(iter(events))
        self.assertEqual(raised.exception.code, "E0101")
        self.assertIn("the event k", raised.exception.message)
        with self.assertRaises(ZeroDivisionError):
            self.client.emit_many(("z", 1 // (3 - number)) for number in range(5))
        self.assertEqual(self.client.count_events("z").count, 3)

    def test_many_threads_share_a_client(self) -> None:
        def work(name: str) -> None:
            for number in range(50):
                self.client.emit("k", number, source=name)

        threads = [threading.Thread(target=work, args=("t%d" % n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(WITHIN)
        self.assertEqual(self.client.count_events("k").count, 400)

    def test_a_child_process_has_connections_of_its_own(self) -> None:
        self.client.emit("k", "parent")
        (inherited,) = self.client._link._idle
        child = os.fork()
        if child == 0:
            code = 1
            try:
                self.client.emit("k", "child")
                code = 1 if inherited in self.client._link._idle else 0
            finally:
                os._exit(code)
        self.client.emit("k", "parent")
        self.assertEqual(os.waitpid(child, 0)[1], 0)
        self.assertEqual(self.client.count_events("k").count, 3)


class Killed(DaemonTest):
    """The daemon dies under emitters and listeners."""

    def test_a_call_goes_on_with_the_next_daemon(self) -> None:
        self.client.status()
        self.daemon.kill()
        restart = threading.Thread(target=self.daemon.start)
        restart.start()
        self.assertIsNotNone(self.client.emit("k", 1).offset)
        restart.join(WITHIN)
        self.daemon.kill()
        self.daemon.start()
        self.assertEqual(self.client.status().epoch, 3)

    def test_many_events_are_once_each_over_kills(self) -> None:
        def events() -> Iterator[Tuple[str, Any]]:
            for number in range(6000):
                if number in (1500, 3000, 4500):
                    self.daemon.kill()
                    self.daemon.start()
                yield "k", number

        summary = self.client.emit_many(events())
        self.assertEqual((summary.accepted, summary.spooled), (6000, 0))
        values = [event.value for event in self.client.list_events("k", limit=10000).events]
        self.assertEqual(values, list(range(6000)))

    def test_a_listener_misses_and_repeats_nothing_over_kills(self) -> None:
        heard: List[Any] = []
        listener = self.client.listen("k", timeout=WITHIN)

        def listen() -> None:
            for event in listener:
                heard.append(event.value)
                if event.value == "end":
                    listener.close()

        thread = threading.Thread(target=listen)
        thread.start()
        said: List[Any] = []
        for _ in range(3):
            for number in range(len(said), len(said) + 300):
                self.client.emit_many([("k", number), ("other", number)])
                said.append(number)
            self.daemon.kill()
            self.daemon.start()
        self.client.emit("k", "end")
        thread.join(WITHIN)
        self.assertEqual(heard, [*said, "end"])

    def test_an_asynchronous_listener_misses_and_repeats_nothing_over_kills(self) -> None:
        async def listen() -> List[Any]:
            heard: List[Any] = []
            loop = asyncio.get_running_loop()
            async with self.client.alisten("k") as listener:
                said = loop.run_in_executor(None, self._say_over_kills)
                async for event in listener:
                    heard.append(event.value)
                    if event.value == "end":
                        break
                await said
            return heard

        heard = asyncio.run(asyncio.wait_for(listen(), WITHIN))
        self.assertEqual(heard, [*range(600), "end"])

    def _say_over_kills(self) -> None:
        for begin in range(0, 600, 200):
            self.client.emit_many([("k", number) for number in range(begin, begin + 200)])
            self.daemon.kill()
            self.daemon.start()
        self.client.emit("k", "end")


class Listening(DaemonTest):
    """From where, and to what."""

    def test_it_listens_from_when_it_is_made(self) -> None:
        self.client.emit("k", "before")
        with self.client.listen("k", timeout=WITHIN) as listener:
            self.client.emit("k", "after")
            self.assertEqual(next(listener).value, "after")

    def test_it_goes_on_after_an_offset(self) -> None:
        self.client.emit_many([("k", number) for number in range(2500)])
        first = self.client.listen("k", offset=0, timeout=WITHIN)
        heard = [next(first) for _ in range(1234)]
        first.close()
        self.assertEqual(first.offset, heard[-1].offset + 1)
        second = self.client.listen("k", offset=first.offset, timeout=WITHIN)
        heard += [next(second) for _ in range(2500 - 1234)]
        second.close()
        self.assertEqual([event.value for event in heard], list(range(2500)))

    def test_silence_times_out_and_the_listener_goes_on(self) -> None:
        with self.client.listen("k", timeout=0.05) as listener:
            for number in range(5):
                self.assertRaises(TimeoutError, next, listener)
                connection = listener._connection
                self.client.emit("k", number)
                listener.timeout = WITHIN
                self.assertEqual(next(listener).value, number)
                self.assertIs(listener._connection, connection)
                listener.timeout = 0.05

    def test_an_offset_beyond_the_log_is_refused(self) -> None:
        with self.assertRaises(Rejected) as raised:
            self.client.listen("k", offset=10**9)
        self.assertEqual(raised.exception.code, "E0403")

        async def listen() -> None:
            async for _ in self.client.alisten("k", offset=10**9):
                break

        with self.assertRaises(Rejected):
            asyncio.run(listen())

    def test_a_namespace_does_not_hear_another(self) -> None:
        self.client.add_namespace("team")
        self.client.add_namespace("team")
        with self.client.listen(namespace="team", timeout=WITHIN) as listener:
            self.client.emit("k", 1)
            self.client.emit("k", 2, namespace="team")
            event: Event = next(listener)
        self.assertEqual((event.namespace, event.value), ("team", 2))


class Spooling(DaemonTest):
    """No daemon is there."""

    starts = False

    def setUp(self) -> None:
        super().setUp()
        self.client = Client(self.daemon.home, patience=0.0)
        self.addCleanup(self.client.close)

    def test_what_is_emitted_meanwhile_is_drained_in_order(self) -> None:
        results = [self.client.emit("k", number) for number in range(50)]
        self.assertTrue(all(result.offset is None and result.spooled for result in results))
        summary = self.client.emit_many([("k", number) for number in range(50, 100)])
        self.assertEqual((summary.accepted, summary.spooled), (0, 50))
        self.assertEqual(self.daemon.spooled(), 100)
        self.daemon.start()
        wait_until("the spool is empty", lambda: self.daemon.spooled() == 0)
        values = [event.value for event in self.client.list_events("k").events]
        self.assertEqual(values, list(range(100)))
        first = results[0]
        again = self.client.emit("k", 0, source=first.source, id=first.id)
        self.assertTrue(again.duplicate)

    def test_a_file_is_as_the_rust_client_writes_it(self) -> None:
        result = self.client.emit("k", {"a": 1}, source="s", id="i", execution=7)
        assert result.spooled is not None
        with open(result.spooled) as file:
            text = file.read()
        expected = {
            "namespace": "default",
            "key": "k",
            "value": {"a": 1},
            "source": "s",
            "id": "i",
            "execution": 7,
        }
        self.assertEqual(json.loads(text), expected)
        self.assertTrue(text.endswith("}\n"))
        name = os.path.basename(result.spooled)
        self.assertRegex(name, r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-.*\.json$")
        modes = [os.stat(path).st_mode for path in (self.daemon.home, self.daemon.spool)]
        self.assertEqual([stat.S_IMODE(mode) for mode in modes], [0o700, 0o700])
        self.assertEqual(stat.S_IMODE(os.stat(result.spooled).st_mode), 0o600)

    def test_what_the_daemon_would_refuse_is_not_spooled(self) -> None:
        for key, source in (("a b", "s"), ("k", "s" * 257)):
            self.assertRaises(Rejected, self.client.emit, key, source=source)
        self.assertFalse(self.daemon.spool.exists())

    def test_other_calls_say_at_once_that_no_daemon_is_there(self) -> None:
        patient = Client(self.daemon.home, patience=1e9)
        with self.assertRaises(Unavailable) as raised:
            patient.status()
        self.assertRaises(Unavailable, patient.listen, "k")
        self.assertIn("aiflow server start", str(raised.exception))

    def test_the_pipeline_finds_a_daemon_that_comes_back(self) -> None:
        def events() -> Iterator[Tuple[str, Any]]:
            yield "k", 0
            self.daemon.start()
            number = 0
            # Events go to the spool until it is looked again whether a daemon is there.
            while number < 100_000 and not taken:
                number += 1
                yield "k", number

        taken: List[EmitResult] = []

        def told(result: EmitResult) -> None:
            if result.spooled is None:
                taken.append(result)

        summary = self.client.emit_many(events(), on_result=told)
        self.assertGreaterEqual(summary.spooled, 1)
        self.assertGreaterEqual(summary.accepted, 1)
        wait_until("the spool is empty", lambda: self.daemon.spooled() == 0)
        count = self.client.count_events("k").count
        self.assertEqual(count, summary.accepted + summary.spooled)
