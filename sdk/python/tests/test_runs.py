"""Runs that are started from Python, and tasks in Python that ask who they are."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Dict, List

import aiflow
from aiflow import Rejected
from aiflow.times import format_time
from aiflow.workflow import Bash, Exec, Restart, Watermark, Workflow, after, every, on

from .support import WITHIN, DaemonTest, wait_until

# Tasks import the package from where the tests have it.
PACKAGE = str(Path(aiflow.__file__).resolve().parents[1])
PYTHON = {"PYTHONPATH": PACKAGE, "PYTHONDONTWRITEBYTECODE": "1"}
TELL = """
import aiflow
from aiflow.times import format_time
me = aiflow.context.current()
window = me.window and [format_time(me.window.start), format_time(me.window.end)]
value = {
    "id": me.attempt_id,
    "is": [me.namespace, me.workflow, me.run, me.task, me.sequence, me.attempt],
    "window": window,
    "events": [event.value for event in me.events],
    "days": me.params["days"],
    "text": me.params["a-text"],
}
with aiflow.Client() as client:
    client.emit("told", value)
"""


class Running(DaemonTest):
    """Runs to their end."""

    def test_a_run_ends_in_success_and_one_in_failure(self) -> None:
        with Workflow("work") as workflow:
            first = Bash("first", "echo out; echo err >&2")
            Bash("second", "exit $CODE", start=after(first), env={"CODE": "0"})
        workflow.upload(self.client)
        run = self.client.start_run("work", request="once")
        self.assertEqual(self.client.start_run("work", request="once"), run)
        ended = self.client.wait_run(run, WITHIN)
        self.assertEqual((ended.status, ended.ended.success), ("success", 2))
        assert ended.ended_at is not None
        self.assertGreaterEqual(ended.ended_at, ended.started_at)
        self.assertEqual(self.client.log_text(run, "first", stream="stdout"), "out\n")
        self.assertEqual(self.client.log_text(run, "first", stream="stderr"), "err\n")
        with Workflow("work") as workflow:
            Bash("first", "exit 3")
        workflow.upload(self.client)
        failing = self.client.start_run("work")
        self.assertEqual(self.client.wait_run(failing, WITHIN).status, "failed")
        (execution,) = self.client.list_task_executions(failing)
        self.assertEqual((execution.status, execution.attempts[0].exit_code), ("failed", 3))
        self.assertEqual([shown.id for shown in self.client.list_runs("work")], [run, failing])

    def test_a_run_is_waited_for_over_a_kill(self) -> None:
        with Workflow("slow") as workflow:
            Bash("wait", "until [ -e %s/go ]; do sleep 0.05; done" % self.scratch)
        workflow.upload(self.client)
        run = self.client.start_run("slow")
        self.wait_for(run, "wait", 1, "running")
        self.assertRaises(TimeoutError, self.client.wait_run, run, 0.05)
        with self.client.follow(timeout=WITHIN) as records:
            self.daemon.kill()
            self.daemon.start()
            (Path(self.scratch) / "go").touch()
            kinds: List[str] = []
            while "RunFinished" not in kinds:
                kinds.append(next(records).kind)
        self.assertIn("DaemonStarted", kinds)
        self.assertEqual(self.client.wait_run(run, WITHIN).status, "success")

    def test_tasks_are_started_and_stopped(self) -> None:
        with Workflow("two") as workflow:
            Bash("stream", "exec sleep 1000", stream=True, restart=Restart())
            Bash("later", "true", start=on("never"))
        workflow.upload(self.client)
        run = self.client.start_run("two")
        self.wait_for(run, "stream", 1, "running")
        self.client.start_task(run, "later")
        self.wait_for(run, "later", 1, "success")
        with self.assertRaises(Rejected) as raised:
            self.client.start_task(run, "none")
        self.assertEqual(raised.exception.code, "E0104")
        self.assertEqual(self.client.stop_task(run, "stream"), 1)
        self.assertEqual(self.client.wait_run(run, WITHIN).status, "stopped")
        other = self.client.start_run("two")
        self.wait_for(other, "stream", 1, "running")
        self.assertEqual(self.client.stop_run(other), 1)
        self.assertEqual(self.client.wait_run(other, WITHIN).status, "stopped")

    def test_what_there_is_can_be_listed(self) -> None:
        self.client.add_namespace("team")
        with Workflow("w") as workflow:
            Bash("a", "true")
        uploaded = workflow.upload(self.client, namespace="team")
        self.assertEqual((uploaded.namespace, uploaded.unchanged), ("team", False))
        names = {info.namespace: info.workflows for info in self.client.list_namespaces()}
        self.assertEqual(names, {"default": 0, "team": 1})
        (info,) = self.client.list_workflows("team")
        self.assertEqual((info.workflow, info.tasks[0].task, info.source), ("w", "a", None))
        shown = self.client.show_workflow("w", namespace="team")
        self.assertEqual(shown.source, workflow.to_yaml())
        self.client.emit("k", 1)
        (first,) = self.client.list_events("k").events
        self.assertEqual(self.client.list_events("k", since=first.time).events, [first])
        later = first.time + timedelta(microseconds=1)
        self.assertEqual(self.client.count_events("k", since=later).count, 0)
        status = self.client.status()
        self.assertEqual((status.home, status.epoch), (self.daemon.home, 1))
        self.client.stop_daemon()
        self.assertEqual(self.daemon.wait(), 0)


class InTask(DaemonTest):
    """Tasks in Python."""

    def _start(self, workflow: Workflow, params: Dict[str, Any]) -> int:
        workflow.upload(self.client)
        return self.client.start_run(workflow.name, params)

    def test_windows_tick_on_a_watermark_and_tasks_know_theirs(self) -> None:
        told = self.client.listen("told", timeout=WITHIN)
        self.addCleanup(told.close)
        begin = datetime(2013, 1, 1, 5, tzinfo=timezone.utc)
        defaults = {"days": 31, "a-text": "x"}
        with Workflow("hours", params=defaults) as workflow:
            Exec(
                "train",
                [sys.executable, "-c", TELL],
                start=every("1h", Watermark("a.watermark", "b.watermark"), from_=begin),
                env=PYTHON,
            )
        run = self._start(workflow, {"days": 2, "a-text": "two words"})
        self.client.emit("a.watermark", format_time(begin + timedelta(hours=3)))
        self.client.emit("b.watermark", format_time(begin + timedelta(hours=2, minutes=59)))
        for sequence in (1, 2):
            event = next(told)
            window = [begin + timedelta(hours=sequence - 1 + more) for more in (0, 1)]
            self.assertEqual(event.value["window"], [format_time(time) for time in window])
            self.assertEqual(event.value["id"], "%d.train.%d.1" % (run, sequence))
            self.assertEqual(event.value["is"], ["default", "hours", run, "train", sequence, 1])
            self.assertEqual((event.value["days"], event.value["text"]), (2, "two words"))
            self.assertEqual((event.source, event.execution), ("hours/train", run))
        self.client.emit("b.watermark", format_time(begin + timedelta(hours=3)))
        self.assertEqual(next(told).value["is"][4], 3)
        self.client.stop_run(run)

    def test_a_task_gets_the_events_that_started_it_small_and_large(self) -> None:
        told = self.client.listen("told", timeout=WITHIN)
        self.addCleanup(told.close)
        with Workflow("events", params={"days": 1, "a-text": "null"}) as workflow:
            start = on("a") & on("b", if_='source == "python"')
            Exec("tell", [sys.executable, "-c", TELL], start=start, env=PYTHON)
        for size in (1, 400_000):
            run = self._start(workflow, {})
            values = ["a" * size, "b" * size]
            self.client.emit("a", values[0])
            self.client.emit("b", values[1])
            event = next(told)
            self.assertEqual(sorted(event.value["events"]), values)
            self.assertEqual((event.value["window"], event.value["text"]), (None, None))
            self.assertEqual(self.client.wait_run(run, WITHIN).status, "success")

    def test_an_event_of_a_task_is_for_its_run_unless_told(self) -> None:
        script = (
            "import aiflow; c = aiflow.Client(); c.emit('own'); c.emit('all', all_runs=True);"
            "c.emit_many([('many', 1)])"
        )
        with Workflow("scopes") as workflow:
            Exec("emit", [sys.executable, "-c", script], env=PYTHON)
        run = self._start(workflow, {})
        self.assertEqual(self.client.wait_run(run, WITHIN).status, "success")
        scopes = {event.key: event.execution for event in self.client.list_events().events}
        self.assertEqual(scopes, {"own": run, "all": None, "many": run})

    def test_a_task_says_that_it_lives_and_nobody_else_does(self) -> None:
        with self.assertRaises(aiflow.NotInTask):
            self.client.heartbeat()
        say = "import aiflow\nwith aiflow.Client() as client: client.heartbeat()"
        with Workflow("lives") as workflow:
            Exec("say", [sys.executable, "-c", say], env=PYTHON)
        run = self._start(workflow, {})
        self.assertEqual(self.client.wait_run(run, WITHIN).status, "success")

    def test_a_task_spools_while_the_daemon_is_down(self) -> None:
        script = (
            "import aiflow, os, select\n"
            "while not os.path.exists('%s/down'): select.select([], [], [], 0.01)\n"
            "print(aiflow.Client(patience=0).emit('kept', 1).spooled)\n"
        ) % self.scratch
        with Workflow("down") as workflow:
            Exec("emit", [sys.executable, "-c", script], env=PYTHON)
        run = self._start(workflow, {})
        self.wait_for(run, "emit", 1, "running")
        self.daemon.kill()
        (Path(self.scratch) / "down").touch()
        wait_until("the event is spooled", lambda: self.daemon.spooled() == 1)
        self.daemon.start()
        self.assertEqual(self.client.wait_run(run, WITHIN).status, "success")
        wait_until("the event is taken", lambda: self.client.count_events("kept").count == 1)
        (event,) = self.client.list_events("kept").events
        self.assertEqual((event.execution, event.source), (run, "down/emit"))
