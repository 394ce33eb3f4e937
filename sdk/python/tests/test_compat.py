"""Files in AIFlow's form, each uploaded and run for real; `tests/compat` says how it should end.

A file `NAME.py` has a `NAME.expect` with a step a line:
`files PATHS` (uploaded beside it), `namespace NAME`, `run WORKFLOW [NAMESPACE]`,
`emit KEY VALUE [NAMESPACE]`, `wait TASK SEQUENCE STATUS`, `waitlog TASK TEXT`, `log TASK TEXT`,
`count TASK N`, `stop`, `status STATUS`.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

from ai_flow import ops
from ai_flow.model.internal.conditions import (
    MeetAllCondition,
    SingleEventCondition,
    TaskStatusAllMetCondition,
    TaskStatusCondition,
)
from ai_flow.model.rule import WorkflowRule
from ai_flow.model.status import TaskStatus, WorkflowStatus
from aiflow import AiflowError, Client, Rejected, program
from notification_service.client.embedded_notification_client import EmbeddedNotificationClient
from notification_service.client.notification_client import ListenerProcessor
from notification_service.model.event import Event

from .support import REPOSITORY, WITHIN, Daemon, program as built, wait_until

FILES = REPOSITORY / "tests" / "compat" / "files"
TOOLS = REPOSITORY / "tests" / "compat" / "tools" / "bin"
URI = "localhost:50052"


class Compat(unittest.TestCase):
    """One daemon for all; `ops` finds it by the environment, as a user's script does."""

    scratch: str
    daemon: Daemon
    client: Client
    before: Dict[str, str]

    @classmethod
    def setUpClass(cls) -> None:
        cls.scratch = tempfile.mkdtemp(prefix="aiflow-compat-")
        cls.daemon = Daemon(cls.scratch)
        environment = cls.daemon.environment
        environment["PATH"] = "%s:%s" % (TOOLS, environment["PATH"])
        cls.daemon.start()
        cls.client = Client(cls.daemon.home)
        cls.before = dict(os.environ)
        os.environ["AIFLOW_HOME"] = cls.daemon.home

    @classmethod
    def tearDownClass(cls) -> None:
        os.environ.clear()
        os.environ.update(cls.before)
        cls.client.close()
        cls.daemon.end()
        shutil.rmtree(cls.scratch, True)

    def upload(self, path: Path, files: Optional[str] = None) -> None:
        """As a user does, with the command line."""
        environment = {**self.daemon.environment, "AIFLOW_HOME": self.daemon.home}
        environment.update(program.environment())
        command = [str(built("aiflow")), "workflow", "upload", str(path), "--python", sys.executable]
        command += ["-f", files] if files else []
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
            env=environment,
            cwd=str(path.parent),
            timeout=WITHIN,
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""), path.name)


class Files(Compat):
    """Every file, step by step."""

    def test_every_file_does_what_its_expectation_says(self) -> None:
        expectations = sorted(FILES.glob("*.expect"))
        self.assertGreaterEqual(len(expectations), 30)
        for expectation in expectations:
            with self.subTest(expectation.stem):
                self.run_file(expectation)

    def run_file(self, expectation: Path) -> None:
        """Uploads one file and takes its steps."""
        steps = [line for line in expectation.read_text().splitlines() if line]
        before = [line.split(" ", 1) for line in steps if line.startswith(("files ", "namespace "))]
        for word, said in before:
            if word == "namespace":
                ops.add_namespace(said)
        files = [said for word, said in before if word == "files"]
        self.upload(expectation.with_suffix(".py"), files[0] if files else None)
        run = 0
        with EmbeddedNotificationClient(URI) as notifications:
            for step in steps[len(before) :]:
                run = self.step(run, step, notifications)

    def step(self, run: int, step: str, notifications: EmbeddedNotificationClient) -> int:
        """Takes one step; gives the run that is looked at from then on."""
        word, *said = step.split(" ")
        if word == "run":
            return ops.start_workflow_execution(*said)
        if word == "emit":
            namespace = said[2] if len(said) > 2 else None
            notifications.send_event(Event(said[0], said[1], namespace))
        elif word == "wait":
            self.wait_for(run, said[0], int(said[1]), TaskStatus(said[2]))
        elif word == "count":
            of_task = [each for each in ops.list_task_executions(run) if each.task_name == said[0]]
            self.assertEqual(len(of_task), int(said[1]), step)
        elif word in ("log", "waitlog"):
            text = step.split(" ", 2)[2].replace("\\n", "\n")
            self.look_for(run, said[0], text, word == "waitlog")
        elif word == "before":
            return run - int(said[0])
        elif word == "stop":
            ops.stop_workflow_execution(run)
        else:
            self.assertEqual(word, "status")
            self.wait_for_run(run, WorkflowStatus(said[0]))
        return run

    def wait_for(self, run: int, task: str, sequence: int, status: TaskStatus) -> None:
        """Waits until an execution of a task has a status."""

        def look() -> bool:
            executions = ops.list_task_executions(run)
            wanted = (task, sequence, status)
            found = [(e.task_name, e.sequence_number, e.status) for e in executions]
            return wanted in found

        wait_until("%s %d of run %d is %s" % (task, sequence, run, status.name), look)

    def wait_for_run(self, run: int, status: WorkflowStatus) -> None:
        """Waits until a run has a status."""

        def look() -> bool:
            shown = ops.get_workflow_execution(run)
            return shown is not None and shown.status == status

        wait_until("run %d is %s" % (run, status.name), look)

    def look_for(self, run: int, task: str, text: str, may_wait: bool) -> None:
        """Looks for text in what a task wrote."""

        def look() -> bool:
            try:
                return text in self.client.log_text(run, task)
            except Rejected:
                return False

        if may_wait:
            wait_until("%s of run %d says %r" % (task, run, text), look)
        else:
            self.assertIn(text, self.client.log_text(run, task))


class Scripts(Compat):
    """What scripts do: `ops` and the client of the notification service."""

    HELLO = """
from ai_flow.model.workflow import Workflow
from ai_flow.operators.bash import BashOperator

with Workflow(name=%r) as workflow:
    BashOperator(name="a", bash_command="true")
    BashOperator(name="b", bash_command="exec sleep 1000")
"""

    def hello(self, name: str) -> None:
        """Uploads a small workflow by `ops`."""
        path = Path(self.scratch) / ("%s.py" % name)
        path.write_text(self.HELLO % name)
        uploaded = ops.upload_workflows(str(path))
        self.assertEqual([each.name for each in uploaded], [name])

    def test_workflows_are_listed_disabled_and_deleted(self) -> None:
        self.hello("kept")
        self.hello("gone")
        self.assertLessEqual({"kept", "gone"}, {each.name for each in ops.list_workflows("default")})
        self.assertEqual(len(ops.list_workflows("default", limit=1, offset=1)), 1)
        ops.disable_workflow("kept")
        meta = ops.get_workflow("kept")
        self.assertIsNotNone(meta)
        assert meta is not None
        self.assertFalse(meta.is_enabled)
        with self.assertRaises(Rejected):
            ops.start_workflow_execution("kept")
        ops.enable_workflow("kept")
        self.assertGreater(ops.start_workflow_execution("kept"), 0)
        ops.stop_workflow_executions("kept")
        versions = ops.list_workflow_snapshots("kept")
        self.assertEqual([each.workflow_name for each in versions], ["kept"])
        self.assertEqual(ops.get_workflow_snapshot(versions[0].id), versions[0])
        self.assertIsNone(ops.get_workflow_snapshot(10_000))
        with self.assertRaises(AiflowError):
            ops.delete_workflow_snapshots("kept")
        ops.delete_workflow("gone")
        self.assertIsNone(ops.get_workflow("gone"))

    def test_runs_and_tasks_are_started_stopped_and_deleted(self) -> None:
        self.hello("runs")
        run = ops.start_workflow_execution("runs")
        ops.stop_task_execution(run, "b")
        wait_until("b is stopped", lambda: self.status_of(run, "b") == TaskStatus.STOPPED)
        wait_until("it has ended", lambda: self.run_status(run) == WorkflowStatus.STOPPED)
        second = ops.start_workflow_execution("runs")
        wait_until("a is done", lambda: self.status_of(second, "a") == TaskStatus.SUCCESS)
        execution = ops.start_task_execution(second, "a")
        shown = ops.get_task_execution(execution)
        assert shown is not None
        self.assertEqual((shown.task_name, shown.sequence_number), ("a", 2))
        self.assertIsNone(ops.get_task_execution("%d.none.1" % second))
        ops.stop_workflow_execution(second)
        wait_until("it has ended", lambda: self.run_status(second) == WorkflowStatus.STOPPED)
        self.assertEqual([each.id for each in ops.list_workflow_executions("runs")], [run, second])
        ops.delete_workflow_execution(run)
        self.assertIsNone(ops.get_workflow_execution(run))

    def status_of(self, run: int, task: str) -> Optional[TaskStatus]:
        """Where the latest execution of a task stands."""
        found = [each.status for each in ops.list_task_executions(run) if each.task_name == task]
        return found[-1] if found else None

    def run_status(self, run: int) -> Optional[WorkflowStatus]:
        """Where a run stands."""
        shown = ops.get_workflow_execution(run)
        return None if shown is None else shown.status

    def test_triggers_start_runs_and_are_paused(self) -> None:
        self.hello("triggered")
        both = MeetAllCondition("both", [SingleEventCondition("t.a"), SingleEventCondition("t.b")])
        trigger = ops.add_workflow_trigger(WorkflowRule(both), "triggered")
        self.assertEqual(ops.add_workflow_trigger("triggered", WorkflowRule(both)).id, trigger.id + 1)
        ops.delete_workflow_trigger(trigger.id + 1)
        client = EmbeddedNotificationClient(URI, "default", "sender")
        for key in ("t.a", "t.b"):
            client.send_event(Event(key, "x"))
        self.assertEqual(len(ops.list_workflow_executions("triggered")), 1)
        ops.pause_workflow_trigger(trigger.id)
        for key in ("t.a", "t.b"):
            client.send_event(Event(key, "x"))
        self.assertEqual(len(ops.list_workflow_executions("triggered")), 1)
        ops.resume_workflow_trigger(trigger.id)
        self.assertEqual([each.id for each in ops.list_workflow_triggers("triggered")], [trigger.id])
        shown = ops.get_workflow_trigger(trigger.id)
        assert shown is not None
        self.assertFalse(shown.is_paused)
        ops.delete_workflow_triggers("triggered")
        self.assertEqual(ops.list_workflow_triggers("triggered"), [])
        client.close()

    def test_a_trigger_looks_at_a_task_of_another_workflow(self) -> None:
        self.hello("looked_at")
        self.hello("looking")
        done = TaskStatusCondition("looked_at", "a", "default", TaskStatus.SUCCESS)
        ops.add_workflow_trigger(WorkflowRule(TaskStatusAllMetCondition([done])), "looking")
        for count in (1, 2):
            ops.start_workflow_execution("looked_at")

            def is_there(count: int = count) -> bool:
                return len(ops.list_workflow_executions("looking")) == count

            wait_until("a run was started", is_there)
        with self.assertRaisesRegex(AiflowError, "not seen from `default`"):
            far = TaskStatusCondition("looked_at", "a", "far", TaskStatus.SUCCESS)
            ops.add_workflow_trigger(WorkflowRule(far), "looking")
        ops.delete_workflow_triggers("looking")
        for workflow in ("looked_at", "looking"):
            ops.stop_workflow_executions(workflow)

    def test_a_script_brings_a_condition_of_its_own(self) -> None:
        self.hello("brought")
        script = Path(self.scratch) / "add.py"
        script.write_text(
            "from ai_flow import ops\n"
            "from ai_flow.model.condition import Condition\n"
            "from ai_flow.model.rule import WorkflowRule\n"
            "from ai_flow.model.state import ValueStateDescriptor\n"
            "class Third(Condition):\n"
            "    def __init__(self, key, n):\n"
            "        super().__init__([key])\n"
            "        self.n = n\n"
            "    def is_met(self, event, context):\n"
            "        state = context.get_state(ValueStateDescriptor('seen'))\n"
            "        state.update((state.value() or ()) + (event.value,))\n"
            "        return len(state.value()) % self.n == 0\n"
            "if __name__ == '__main__':\n"
            "    rule = WorkflowRule(Third('compat.third', 3))\n"
            "    print(ops.add_workflow_trigger(rule=rule, workflow_name='brought').id)\n"
        )
        environment = {**self.daemon.environment, "AIFLOW_HOME": self.daemon.home}
        environment.update(program.environment())
        subprocess.run([sys.executable, str(script)], check=True, env=environment, stdout=subprocess.DEVNULL)
        with EmbeddedNotificationClient(URI) as client:
            for value in ("1", "2", "3", "4"):
                client.send_event(Event("compat.third", value))
        self.assertEqual(len(ops.list_workflow_executions("brought")), 1)

    def test_schedules_tick_and_are_paused(self) -> None:
        self.hello("scheduled")
        schedule = ops.add_workflow_schedule("scheduled", "interval@0 0 0 1")
        wait_until("a run began", lambda: len(ops.list_workflow_executions("scheduled")) > 0)
        ops.pause_workflow_schedule(schedule.id)
        shown = ops.get_workflow_schedule(schedule.id)
        assert shown is not None
        self.assertTrue(shown.is_paused)
        ops.resume_workflow_schedule(schedule.id)
        later = ops.add_workflow_schedule("scheduled", "cron@0 6 * * MON")
        listed = [each.id for each in ops.list_workflow_schedules("scheduled")]
        self.assertEqual(listed, [schedule.id, later.id])
        ops.delete_workflow_schedule(schedule.id)
        ops.delete_workflow_schedules("scheduled")
        self.assertEqual(ops.list_workflow_schedules("scheduled"), [])

    def test_events_are_sent_listed_counted_and_heard(self) -> None:
        heard: List[Tuple[str, Any]] = []

        class Keeps(ListenerProcessor):
            def process(self, events: List[Event]) -> None:
                heard.extend((event.key, event.value) for event in events)
                if events[0].value == "raise":
                    raise ValueError("the processor fails")

        client = EmbeddedNotificationClient(URI, namespace="default", sender="me")
        # What a processor raises is printed where it runs.
        with contextlib.redirect_stderr(io.StringIO()):
            listener = client.register_listener(Keeps(), event_keys=["e.one", "e.two"])
            sent = [client.send_event(Event("e.one", value)) for value in ("1", "raise", "3")]
            client.send_event(Event("e.three", "no"))
            client.send_event(key="e.two", value="2")
            wait_until("all were heard", lambda: len(heard) == 4)
            client.unregister_listener(listener)
        expected = [("e.one", "1"), ("e.one", "raise"), ("e.one", "3"), ("e.two", "2")]
        self.assertEqual(heard, expected)
        self.assertEqual(client.count_events("e.one"), 3)
        self.assertEqual(client.count_events("e.one", sender="other"), 0)
        listed = client.list_events("e.one", begin_offset=sent[1].offset)
        self.assertEqual([(e.value, e.sender) for e in listed], [("raise", "me"), ("3", "me")])
        assert sent[0].offset is not None
        self.assertLessEqual(client.time_to_offset(time_millis=0), sent[0].offset)
        self.assertLessEqual(client.time_to_offset("2020-01-01 00:00:00"), sent[0].offset)
        created = listed[0].create_time
        assert created is not None
        self.assertLessEqual(client.time_to_offset(time_millis=created), sent[1].offset or 0)
        client.close()

    def test_the_command_line_of_notifications(self) -> None:
        self.upload(FILES / "event_starts.py")
        run = ops.start_workflow_execution("event_starts")
        send = ("notification", "event", "send", "compat.data", "5", "--sender", "one")
        self.cli(*send, "--context", '{"workflow_execution_id": %d}' % run)
        wait_until("it started", lambda: self.status_of(run, "on_data") is not None)
        self.cli("notification", "event", "send", "compat.cli", "x", "--sender", "two")
        self.cli("notification", "event", "send", "compat.cli", "y", "--sender", "three")
        of = ("compat.cli", "--sender", "two", "--begin-offset", "0")
        self.assertEqual(self.cli("notification", "event", "count", *of).strip(), "1")
        listed = self.cli("notification", "event", "list", *of, "-o", "plain")
        self.assertIn("two", listed)
        self.assertNotIn("three", listed)
        ops.stop_workflow_executions("event_starts")

    def cli(self, *words: str) -> str:
        """What the command line prints."""
        environment = {**self.daemon.environment, "AIFLOW_HOME": self.daemon.home}
        command = [str(built("aiflow")), *words]
        done = subprocess.run(
            command, check=True, env=environment, stdout=subprocess.PIPE, universal_newlines=True
        )
        return done.stdout

    def test_an_event_for_one_run_reaches_that_run_alone(self) -> None:
        path = FILES / "event_starts.py"
        self.upload(path)
        first, second = (ops.start_workflow_execution("event_starts") for _ in range(2))
        with EmbeddedNotificationClient(URI) as client:
            context = '{"workflow_execution_id": %d}' % second
            client.send_event(Event("compat.data", "x", context=context))
        wait_until("it started", lambda: self.status_of(second, "on_data") is not None)
        self.assertIsNone(self.status_of(first, "on_data"))
        ops.stop_workflow_executions("event_starts")

    def test_namespaces(self) -> None:
        ops.add_namespace("mine", {"team": "ml"})
        names = [each.name for each in ops.list_namespace()]
        self.assertIn("mine", names)
        known = ops.get_namespace("mine")
        assert known is not None
        self.assertEqual(known.properties, {"team": "ml"})
        updated = ops.update_namespace("mine", {"owner": "me"})
        self.assertEqual(updated.properties, {"team": "ml", "owner": "me"})
        ops.delete_namespace("mine")
        self.assertIsNone(ops.get_namespace("mine"))


class Refused(Compat):
    """What is wrong in a file is told at its line, and nothing is stored."""

    def fault(self, text: str) -> str:
        """What `upload` says on stderr."""
        path = Path(self.scratch) / "wrong.py"
        path.write_text(text)
        environment = {**self.daemon.environment, "AIFLOW_HOME": self.daemon.home}
        environment.update(program.environment())
        command = [str(built("aiflow")), "workflow", "upload", str(path), "--python", sys.executable]
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment,
            universal_newlines=True, timeout=WITHIN,
        )
        self.assertNotEqual(done.returncode, 0, text)
        self.assertNotIn(str(REPOSITORY / "sdk"), done.stderr)
        self.assertEqual([each.name for each in ops.list_workflows()], [])
        return done.stderr

    def test_faults_stand_at_the_line_of_the_user(self) -> None:
        head = (
            "from ai_flow.model.workflow import Workflow\n"
            "from ai_flow.operators.bash import BashOperator\n"
            "from ai_flow.model.action import TaskAction\n"
            "from ai_flow.model.status import TaskStatus\n"
        )
        for body, line, expected in [
            ("x = undefined\n", 5, "NameError: name 'undefined' is not defined"),
            ("def f(:\n", 5, "SyntaxError"),
            ("BashOperator('a', 'true')\n", 5, "it stands outside of a workflow"),
            ("with Workflow('w'):\n    BashOperator('a b', 'true')\n", 6, "not a valid name"),
            (
                "with Workflow('w') as w:\n    a = BashOperator('a', 'true')\n"
                "    w.action_on_event_received('b', 'k', TaskAction.START)\n",
                7,
                "there is no task `b`",
            ),
            (
                "with Workflow('w') as w:\n    a = BashOperator('a', 'true')\n"
                "    a.action_on_task_status(TaskAction.START, {'a': TaskStatus.QUEUED})\n",
                7,
                "nothing can wait for task `a` to be QUEUED",
            ),
            (
                "from ai_flow.model.internal.conditions import TaskStatusCondition\n"
                "with Workflow('w') as w:\n    a = BashOperator('a', 'true')\n"
                "    other = TaskStatusCondition('other', 'a', 'far', TaskStatus.SUCCESS)\n"
                "    a.action_on_condition(TaskAction.START, other)\n",
                9,
                "task `a` of workflow `other` is in namespace `far`",
            ),
            (
                "with Workflow('w') as w:\n"
                "    BashOperator('a', 'true', periodic_expression='weekly')\n",
                6,
                "'weekly' is no schedule",
            ),
            (
                "with Workflow('w') as w:\n"
                "    BashOperator('a', 'true', periodic_expression='cron@61 * * * *')\n",
                6,
                "cron",
            ),
        ]:
            said = self.fault(head + body)
            self.assertIn("wrong.py:%d:" % line, said, body)
            self.assertIn(expected, said)
        self.assertIn("holds no workflow", self.fault("x = 1\n"))

    def test_of_several_workflows_none_is_stored_when_one_is_refused(self) -> None:
        said = self.fault(
            "from ai_flow.model.workflow import Workflow\n"
            "from ai_flow.operators.bash import BashOperator\n"
            "with Workflow('good') as good:\n    BashOperator('a', 'true')\n"
            "with Workflow('bad', namespace='nowhere') as bad:\n    BashOperator('a', 'true')\n"
        )
        self.assertIn("nowhere", said)
