"""Tests of the flight-delays example as the daemon runs it: real programs, real data, a stub in place of `aiflow`.

They must never need a running daemon, and never write into the example's own directory.
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.dont_write_bytecode = True
EXAMPLE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# A shell, because it starts ten times as fast as Python; one printf is one O_APPEND write.
STUB = """#!/bin/sh
IFS='	'
printf '%s\\n' "$*" >> "$STUB_LOG"
"""


class RunDirectory(unittest.TestCase):
    """A fresh working directory, as the daemon lays it out."""

    days = 2

    def setUp(self):
        self.root = tempfile.mkdtemp(prefix="flight-delays-test-")
        self.addCleanup(shutil.rmtree, self.root)
        self.work = os.path.join(self.root, "work")
        shutil.copytree(EXAMPLE, self.work, ignore=shutil.ignore_patterns("tests", "__pycache__"))
        self.log = os.path.join(self.root, "emitted.log")
        self.write_stub()

    def write_stub(self):
        folder = os.path.join(self.root, "bin")
        os.makedirs(folder)
        with open(os.path.join(folder, "aiflow"), "w") as handle:
            handle.write(STUB)
        os.chmod(os.path.join(folder, "aiflow"), 0o755)
        self.environment = dict(
            os.environ,
            PATH=folder + os.pathsep + os.environ["PATH"],
            STUB_LOG=self.log,
            AIFLOW_EXECUTION_ID="7",
            AIFLOW_ATTEMPT_ID="attempt-1",
            AIFLOW_SEQUENCE="1",
            AIFLOW_PARAM_DAYS=str(self.days),
            AIFLOW_PARAM_SPEED="0",
        )

    def path(self, *parts):
        return os.path.join(self.work, *parts)

    def read(self, *parts):
        with open(self.path(*parts)) as handle:
            return handle.read()

    def emitted(self, key):
        """[(value, source, id)] of the events with this key, in order."""
        if not os.path.exists(self.log):
            return []
        with open(self.log) as handle:
            calls = [line.rstrip("\n").split("\t") for line in handle]
        return [(json.loads(call[2]), call[4], call[6]) for call in calls if call[1] == key]

    def watermarks(self, key="flights.watermark"):
        return [value["watermark"] for value, _, _ in self.emitted(key)]

    def start(self, program):
        return subprocess.Popen(
            [sys.executable, program], cwd=self.work, env=self.environment, stdout=subprocess.PIPE, text=True
        )

    def stream_to_the_end(self, program):
        """Runs a stream until it says that it is complete, then ends it as the daemon would."""
        process = self.start(program)
        try:
            said = self.read_to_the_end(process)
            process.terminate()
            code = process.wait(10)
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
        self.assertIn("replay complete", said)
        self.assertEqual(code, 0)

    @staticmethod
    def read_to_the_end(process):
        """What a stream says last; before that it says how far it is."""
        return next((line for line in process.stdout if "replay complete" in line), "the stream ended")

    def run_task(self, name, window, end=None, **more):
        arguments = [window, end] if end else []
        environment = dict(self.environment, AIFLOW_TASK=name, AIFLOW_WINDOW_START=window, **more)
        return subprocess.run(
            [sys.executable, name + ".py"] + arguments,
            cwd=self.work,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def hours(self):
        return {name: self.read("hours", name) for name in os.listdir(self.path("hours"))}


class Order(unittest.TestCase):
    """The watermark's promise, checked against the whole month without the code that keeps it."""

    @classmethod
    def setUpClass(cls):
        cls.before = os.getcwd()
        os.chdir(EXAMPLE)
        sys.path.insert(0, EXAMPLE)
        import flights
        import task
        import weather

        cls.flights, cls.task, cls.weather = flights, task, weather
        cls.end = task.PERIOD_START + 31 * task.DAY
        cls.items = {module: module.load(cls.end) for module in (flights, weather)}

    @classmethod
    def tearDownClass(cls):
        sys.path.remove(EXAMPLE)
        os.chdir(cls.before)

    def values(self, module):
        """[(watermark, what it waits for)] before the first item and after each."""
        items = self.items[module]
        watermark = module.Watermark(items, self.end)
        values = [watermark.value]
        for item in items:
            watermark.learn(item)
            values.append(watermark.value)
        return items, values

    def test_every_flight_before_a_watermark_is_known(self):
        items, values = self.values(self.flights)
        earliest_unknown = self.end
        for position in range(len(items), -1, -1):
            if position < len(items):
                earliest_unknown = min(earliest_unknown, items[position].scheduled)
            self.assertEqual(values[position], earliest_unknown)

    def test_no_observation_comes_after_its_watermark(self):
        items, values = self.values(self.weather)
        for item, watermark in zip(items, values):
            self.assertGreaterEqual(item.hour, watermark)

    def test_watermarks_never_go_back_and_end_with_the_period(self):
        for module in (self.flights, self.weather):
            _, values = self.values(module)
            self.assertEqual(values, sorted(values))
            self.assertEqual(values[-1], self.end)

    def test_the_stream_is_out_of_order_and_the_month_is_whole(self):
        items = self.items[self.flights]
        self.assertEqual(len(items), 27004)
        self.assertEqual([i.known for i in items], sorted(i.known for i in items))
        self.assertNotEqual([i.scheduled for i in items], sorted(i.scheduled for i in items))

    def test_the_most_delayed_flight_holds_the_watermark_and_then_it_jumps(self):
        items = self.items[self.flights]
        watermark = self.flights.Watermark(items, self.end)
        for position, item in enumerate(items):
            if item.name == "HA 51 JFK-HNL" and item.known - item.scheduled > self.task.DAY:
                break
            watermark.learn(item)
        self.assertEqual((watermark.value, watermark.waiting_for), (item.scheduled, item.name))
        watermark.learn(items[position])
        self.assertGreater(watermark.value - item.scheduled, 20 * self.task.HOUR)

    def test_a_station_that_misses_an_hour_holds_the_watermark_until_its_next_one(self):
        items = self.items[self.weather]
        watermark = self.weather.Watermark(items, self.end)
        missed = self.task.instant("2013-01-06T11:00:00Z")
        for item in items:
            if item.known > missed + self.task.HOUR:
                break
            watermark.learn(item)
        self.assertEqual((watermark.value, watermark.waiting_for), (missed, "weather of LGA"))

    def test_when_a_flight_is_known(self):
        row = {"dep_time": "NA", "air_time": "NA", "dep_delay": "NA", "distance": "700"}
        self.assertEqual(self.flights.minutes_until_known(row), 0)
        row.update(dep_time="910", dep_delay="10")
        self.assertEqual(self.flights.minutes_until_known(row), 10 + 15 + 100 + 120)
        row.update(air_time="95")
        self.assertEqual(self.flights.minutes_until_known(row), 10 + 15 + 95)


class Streams(RunDirectory):
    def test_told_once_in_order_with_deterministic_ids(self):
        self.stream_to_the_end("ingest.py")
        self.stream_to_the_end("observe.py")
        for key, source in (("flights.watermark", "flights"), ("weather.watermark", "weather")):
            told = self.watermarks(key)
            self.assertEqual(told, sorted(set(told)))
            self.assertEqual(told[-1], "2013-01-03T05:00:00Z")
            for value, told_source, identity in self.emitted(key):
                self.assertEqual((told_source, identity), (source, "7/" + value["watermark"]))

    def test_restarted_with_a_torn_line_it_goes_on_where_it_was(self):
        self.stream_to_the_end("ingest.py")
        whole, told = self.hours(), self.emitted("flights.watermark")
        self.tear("hours/2013-01-02T13.csv")
        self.stream_to_the_end("ingest.py")
        self.assertEqual(self.hours(), whole)
        for event in self.emitted("flights.watermark"):
            self.assertIn(event, told)

    def tear(self, path):
        """Leaves a file that ends inside a line, in the middle of the period: the rest must be cut and replayed."""
        data = self.read(path).encode()
        os.truncate(self.path(path), len(data) // 2)
        self.assertFalse(data[: len(data) // 2].endswith(b"\n"))

    def test_killed_again_and_again_it_writes_what_it_would_have_written(self):
        self.environment["AIFLOW_PARAM_SPEED"] = "100000"
        for lines in (1, 200, 400, 600, 1000):
            process = self.start("ingest.py")
            while self.lines_written() < lines and process.poll() is None:
                time.sleep(0.005)
            process.send_signal(signal.SIGKILL)
            self.assertEqual(process.wait(), -signal.SIGKILL)
            process.stdout.close()
        self.assertLess(self.lines_written(), 1700, "the last kill came too late to prove anything")
        self.environment["AIFLOW_PARAM_SPEED"] = "0"
        self.stream_to_the_end("ingest.py")
        killed = self.hours()
        events = {identity: value for value, _, identity in self.emitted("flights.watermark")}
        shutil.rmtree(self.path("hours"))
        os.remove(self.log)
        self.stream_to_the_end("ingest.py")
        self.assertEqual(killed, self.hours())
        self.assertEqual(events, {identity: value for value, _, identity in self.emitted("flights.watermark")})

    def lines_written(self):
        if not os.path.exists(self.path("hours")):
            return 0
        return sum(text.count("\n") for text in self.hours().values())

    def test_an_hour_is_in_its_file_before_its_watermark_is_told(self):
        with open(os.path.join(self.root, "bin", "aiflow"), "a") as handle:
            handle.write(
                "printf '%s\\t%s\\n' \"$3\" $(cat hours/2013-01-01T1?.csv 2>/dev/null | wc -l) >> \"$STUB_LOG.lines\"\n"
            )
        self.stream_to_the_end("ingest.py")
        expected = sum(text.count("\n") for name, text in self.hours().items() if name.startswith("2013-01-01T1"))
        with open(self.log + ".lines") as handle:
            told = [line.rstrip("\n").split("\t") for line in handle]
        after = [int(n) for value, n in told if json.loads(value)["watermark"] >= "2013-01-01T20:00:00Z"]
        self.assertEqual(set(after), {expected})

    def test_at_rest_it_uses_no_processor_time(self):
        process = self.start("observe.py")
        try:
            self.read_to_the_end(process)
            before = self.processor_time(process.pid)
            time.sleep(0.5)
            self.assertEqual(self.processor_time(process.pid), before)
        finally:
            process.kill()
            process.wait()
            process.stdout.close()

    def processor_time(self, pid):
        if not os.path.exists("/proc/self/stat"):
            self.skipTest("needs /proc")
        with open("/proc/%d/stat" % pid) as handle:
            return handle.read().rsplit(")", 1)[1].split()[11:13]


class Training(RunDirectory):
    days = 1

    @classmethod
    def setUpClass(cls):
        """Both streams of the day, once for all tests."""
        first = Streams("stream_to_the_end")
        first.days = cls.days
        first.setUp()
        cls.addClassCleanup(first.doCleanups)
        first.stream_to_the_end("ingest.py")
        first.stream_to_the_end("observe.py")
        cls.streamed = first.work

    def setUp(self):
        super().setUp()
        for directory in ("hours", "weather"):
            shutil.copytree(os.path.join(self.streamed, directory), self.path(directory))

    def train(self, hour):
        return self.run_task("train", "2013-01-01T%02d:00:00Z" % hour, "2013-01-01T%02d:00:00Z" % (hour + 1))

    def trained(self, *hours):
        for hour in hours:
            done = self.train(hour)
            self.assertEqual(done.returncode, 0, done.stdout)
        return json.loads(self.read("models", "2013-01-01T%02d.json" % hours[-1]))

    def test_an_incomplete_hour_fails_loudly_and_leaves_no_model(self):
        path = "hours/2013-01-01T13.csv"
        lines = self.read(path).splitlines(True)
        for broken in (lines[:-1], lines[:-1] + lines[:1], []):
            with open(self.path(path), "w") as handle:
                handle.writelines(broken)
            done = self.train(13)
            self.assertEqual(done.returncode, 1)
            self.assertIn("2013-01-01T13:00:00Z is incomplete", done.stdout)
        self.assertFalse(os.path.exists(self.path("models/2013-01-01T13.json")))
        self.assertEqual(self.emitted("model.trained"), [])

    def test_missing_weather_fails_too(self):
        os.remove(self.path("weather/2013-01-01T13.csv"))
        done = self.train(13)
        self.assertEqual((done.returncode, "weather/ has 0 lines" in done.stdout), (1, True))

    def test_before_any_flight_there_is_no_model_and_none_is_validated(self):
        self.assertIsNone(self.trained(5)["coefficients"])
        self.assertEqual(self.run_task("validate", "2013-01-01T05:00:00Z").returncode, 0)
        self.assertEqual(self.emitted("model.validated"), [])
        self.assertIn("nothing was learned", self.emitted("model.rejected")[0][0]["reason"])

    def test_the_measure_does_not_know_the_hour_that_it_measures(self):
        honest = self.trained(12, 13, 14)["measured"]
        for name in os.listdir(self.path("statistics")):
            if name >= "2013-01-01T14":
                os.remove(self.path("statistics", name))
        path = "hours/2013-01-01T14.csv"
        later = [line.rsplit(",", 1)[0] + ",500\n" for line in self.read(path).splitlines()]
        with open(self.path(path), "w") as handle:
            handle.writelines(later)
        moved = self.trained(14)["measured"]
        # Had the model learned from the hour, arrivals all 500 minutes late would have been easy to predict.
        self.assertGreater(moved["error"] / moved["n"], 400)
        self.assertLess(honest["error"] / honest["n"], 30)

    def test_from_training_to_deployment(self):
        hours = range(5, 23)
        model = self.trained(*hours)
        self.assertEqual(len(model["coefficients"]), len(model["features"]))
        self.assertTrue(8 < model["mae"] < model["baseline"] < 20, model)
        window = "2013-01-01T22:00:00Z"
        self.assertEqual(self.run_task("validate", window).returncode, 0)
        value, source, identity = self.emitted("model.validated")[0]
        self.assertEqual((source, identity, value["mae"]), ("validate", "7/" + window, model["mae"]))
        self.deploy(value)
        self.assertEqual(json.loads(self.read("deployed/current.json")), model)
        self.deploy(dict(value, window="2013-01-01T21:00:00Z"))
        self.assertEqual(json.loads(self.read("deployed/current.json")), model)
        self.assertEqual(len(self.read("witness/train.log").splitlines()), len(hours))

    def deploy(self, value):
        event = [{"offset": 1, "key": "model.validated", "value": value}]
        done = self.run_task("deploy", "", AIFLOW_EVENT=json.dumps(event))
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_a_retried_attempt_leaves_a_second_witness_and_the_same_model(self):
        first = self.trained(13)
        self.environment["AIFLOW_ATTEMPT_ID"] = "attempt-2"
        self.assertEqual(self.trained(13), first)
        self.assertEqual(
            self.read("witness/train.log"),
            "2013-01-01T13:00:00Z attempt-1 1\n2013-01-01T13:00:00Z attempt-2 1\n",
        )
        self.assertEqual(len({identity for _, _, identity in self.emitted("model.trained")}), 1)

    def test_solve_finds_known_coefficients(self):
        sys.path.insert(0, EXAMPLE)
        self.addCleanup(sys.path.remove, EXAMPLE)
        import model

        rows = [[0.0, 2.0, 1.0, 7.0], [1.0, 1.0, 1.0, 6.0], [2.0, 0.0, -1.0, -1.0]]
        for found, expected in zip(model.solve(rows), [1.0, 2.0, 3.0]):
            self.assertAlmostEqual(found, expected)


if __name__ == "__main__":
    unittest.main()
