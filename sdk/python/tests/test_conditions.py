"""Conditions that are code: asked by the real daemon, whatever they and it go through."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any, Dict, List, Optional

from aiflow import Client, program

from .support import REPOSITORY, WITHIN, DaemonTest, program as built

FAULTY = """
    import os
    from aiflow.workflow import Bash, PythonCondition, Workflow, on

    class Sum(PythonCondition):
        def __init__(self, limit):
            super().__init__("n")
            self.limit = limit

        def is_met(self, event, context):
            if event.value == "raise":
                raise ValueError("not a number")
            if event.value == "exit":
                print("last words", flush=True)
                os._exit(3)
            if event.value == "hang":
                while True:
                    pass
            total = context.state("total")
            seen = context.state("seen")
            seen.update((seen.value() or set()) | {event.value})
            total.update(total.value(0) + event.value)
            if total.value() < self.limit:
                return False
            total.update(total.value() - self.limit)
            return True

    with Workflow("sums") as workflow:
        Bash("fired", "true", start=Sum(10), overlap="queue")
        Bash("ingest", "exec sleep 1000", stream=True)
"""


class Conditions(DaemonTest):
    """One workflow with a condition in Python."""

    def upload(self, text: str, name: str = "flow.py", namespace: str = "default") -> None:
        """Uploads a file as the command line does."""
        path = Path(self.scratch) / name
        path.write_text(textwrap.dedent(text))
        environment = {**self.daemon.environment, "AIFLOW_HOME": self.daemon.home}
        environment.update(program.environment())
        command = [str(built("aiflow")), "workflow", "upload", str(path), "--python", sys.executable]
        done = subprocess.run(
            [*command, "-n", namespace],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
            env=environment,
            timeout=WITHIN,
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def records(self, kind: str) -> List[Dict[str, Any]]:
        """All records of a kind, from the log's beginning."""
        end = self.client.status().durable
        found: List[Dict[str, Any]] = []
        with self.client.follow(offset=0, timeout=WITHIN) as follower:
            for record in follower:
                if record.kind == kind:
                    found.append(record.body)
                if record.offset + 1 >= end:
                    return found
        return found

    def fired_by(self) -> List[Any]:
        """The values of the events that fired."""
        values = {event.offset: event.value for event in self.client.list_events(limit=10_000).events}
        return [values[body["firing"]["events"][0]] for body in self.records("RuleFired")]

    def test_a_host_that_raises_ends_or_hangs_is_no_match_and_loses_nothing(self) -> None:
        text = textwrap.dedent(FAULTY).replace('("n")', '("n", timeout="500ms")')
        self.upload(text)
        self.client.start_run("sums")
        values = [4, "raise", 4, "exit", 4, "hang", 9]
        for value in values:
            self.client.emit("n", value)
        self.assertEqual(self.fired_by(), [4, 9])
        raised, ended, hung = [body["reason"] for body in self.records("FilterFailed")]
        self.assertEqual(raised, "ValueError: not a number")
        self.assertEqual(ended, "the host has ended; it last said: last words")
        self.assertTrue(hung.startswith("the host has not answered within"), hung)
        self.assertEqual(self.client.count_events("n").count, len(values))

    def test_other_namespaces_go_on_while_a_host_hangs(self) -> None:
        text = textwrap.dedent(FAULTY).replace('("n")', '("n", timeout="30s")')
        self.upload(text)
        self.client.add_namespace("other")
        self.client.start_run("sums")
        self.client.emit("n", 1)
        hanging = threading.Thread(target=self._emit_and_give_up)
        hanging.start()
        with Client(self.daemon.home) as other:
            self.assertIsNotNone(other.emit("n", 1, namespace="other").offset)
        # The question is still open: no event of its namespace was decided after it.
        self.assertEqual(self.client.count_events("n").count, 1)
        self.daemon.kill()
        hanging.join()

    def _emit_and_give_up(self) -> None:
        with Client(self.daemon.home, patience=0.1) as client:
            client.emit("n", "hang")

    def test_killed_at_any_moment_it_ends_as_if_nothing_had_happened(self) -> None:
        self.upload(FAULTY)
        self.client.start_run("sums")
        values = [1 + number * 7 % 5 for number in range(1_000)]
        expected, total = [], 0
        for number, value in enumerate(values):
            total += value
            if total >= 10:
                total -= 10
                expected.append(number)
        done = threading.Event()
        emitter = threading.Thread(target=self._emit_all, args=(values, done))
        emitter.start()
        kills = 0
        while not done.wait(0.15 + 0.05 * (kills % 5)) and kills < 12:
            self.daemon.kill()
            self.daemon.start()
            kills += 1
        emitter.join(WITHIN)
        self.assertTrue(done.is_set())
        self.assertGreater(kills, 1)
        ids = {event.offset: event.id for event in self.client.list_events("n", limit=10_000).events}
        self.assertEqual(sorted(ids.values(), key=int), [str(n) for n in range(1_000)])
        fired = [ids[body["firing"]["events"][0]] for body in self.records("RuleFired")]
        self.assertEqual(fired, [str(number) for number in expected])
        kept = self.records("ConditionAdvanced")[-1]["state"]["script"]["state"]
        self.assertEqual(kept["total"], {"json": total})

    def _emit_all(self, values: List[int], done: threading.Event) -> None:
        with Client(self.daemon.home, patience=WITHIN) as client:
            for number, value in enumerate(values):
                client.emit("n", value, source="test", id=str(number))
        done.set()

    def test_the_example_finds_the_outlier(self) -> None:
        folder = Path(self.scratch) / "example"
        shutil.copytree(str(REPOSITORY / "examples" / "custom-condition"), str(folder))
        environment = {**self.daemon.environment, "AIFLOW_HOME": self.daemon.home}
        command = [str(built("aiflow")), "workflow", "upload", str(folder / "workflow.yaml")]
        subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
        self.client.start_run("outliers")
        for value in [10, 11, 9, 10, 11, 9, 10, 11, 9, 10, 30, 11]:
            self.client.emit("reading", value)
        self.assertEqual(self.fired_by(), [30])

    def test_what_a_trigger_keeps_is_its_own_and_any_value_can_be_kept(self) -> None:
        self.upload(
            """
            from aiflow.workflow import Bash, PythonCondition, Workflow

            class Seen:
                def __init__(self, keys):
                    self.keys = keys

            class Both(PythonCondition):
                def is_met(self, event, context):
                    assert context.run is None
                    kept = context.state("kept")
                    seen = kept.value() or Seen(frozenset())
                    kept.update(Seen(seen.keys | {event.key}))
                    return kept.value().keys == {"a", "b"}

            with Workflow("both", triggers=[Both("a", "b")]) as workflow:
                Bash("t", "true")
            """
        )
        self.client.emit("a", 1)
        self.assertEqual(self.client.list_runs("both"), [])
        self.client.emit("b", {"any": ["thing"]})
        self.assertEqual(len(self.client.list_runs("both")), 1)
        self.assertEqual(self.records("TriggerChanged")[-1:][0]["trigger"], 1)

    def test_a_dry_run_asks_as_well(self) -> None:
        self.upload(FAULTY)
        self.client.start_run("sums")
        tried = self._dry_run("n", 12)
        self.assertIn("RuleFired", tried)
        self.assertEqual(self.client.count_events("n").count, 0)

    def _dry_run(self, key: str, value: Optional[int]) -> str:
        environment = {**self.daemon.environment, "AIFLOW_HOME": self.daemon.home}
        command = [str(built("aiflow")), "-o", "json", "emit", key, json.dumps(value), "--dry-run"]
        done = subprocess.run(
            command, check=True, env=environment, stdout=subprocess.PIPE, universal_newlines=True
        )
        return done.stdout
