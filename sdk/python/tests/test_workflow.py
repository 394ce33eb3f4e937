"""Workflows written in Python: what the daemon makes of them, and what is wrong told at once."""

from __future__ import annotations

import os
import subprocess
import sys
import unittest
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Callable, Dict, List, Tuple

from aiflow import DefinitionError, Rejected
from aiflow import program as package
from aiflow.workflow import (
    Bash,
    Condition,
    Exec,
    Restart,
    Retry,
    Watermark,
    Workflow,
    after,
    all_of,
    any_of,
    count,
    every,
    on,
)

from .support import REPOSITORY, WITHIN, DaemonTest, program

# Each is a line or more that YAML could take for something else.
NASTY = [
    "plain words",
    "null",
    "~",
    "Yes",
    "31",
    "1e5",
    "0x1f",
    ".5",
    "-",
    "- a",
    "a: b",
    "a #b",
    "#a",
    "{a}",
    "[a]",
    "&a",
    "*a",
    "!a",
    "|",
    ">",
    "%a",
    "@a",
    "`a`",
    "'a'",
    '"a"',
    "a\\nb",
    " a",
    "a ",
    "",
    "a\n",
    "a\n\n",
    "\na",
    "a\n b\n\n  c",
    "a\n \nb",
    "a\tb",
    "a\r\nb",
    "\u2028",
    "\x85",
    "\ufeffa",
    "\x7f",
    "\x1b[0m",
    "ä 漢 😀",
    "a\n😀",
    "---",
    "...",
    "a\n--- b",
    "2013-01-01",
    "12:30",
    "=",
    "<<",
    "? a",
    "a,b",
    "true",
]


class Written(DaemonTest):
    """The daemon reads exactly what was written."""

    def test_every_text_arrives_as_it_was(self) -> None:
        params: Dict[str, Any] = {"p%d" % n: text for n, text in enumerate(NASTY)}
        params["all"] = {"deep": [NASTY, {"x": {"y": [None, True, 1.5, -3, {}]}}], "empty": []}
        params.update({text: text for text in ("on", "null", "31", "true", "y")})
        with Workflow("texts", params=params) as workflow:
            Bash("a", "true")
        workflow.upload(self.client)
        run = self.client.start_run("texts")
        self.assertEqual(self.client.show_run(run).params, params)

    def test_every_script_arrives_as_it_was(self) -> None:
        texts = [text for text in NASTY if "\x7f" not in text]
        words = ["printf", "%s|", *texts]
        with Workflow("scripts") as workflow:
            Exec("words", words)
            Bash(
                "script",
                """
                cat <<'END'
                  two: "lines" # not a comment
                    of 'text'
                END
                """,
            )
        workflow.upload(self.client)
        run = self.client.start_run("scripts")
        self.assertEqual(self.client.wait_run(run, WITHIN).status, "success")
        said = self.client.log_text(run, "words", stream="stdout")
        # The log keeps text by lines of bytes; what is no line break in bytes is kept.
        self.assertEqual(said.rstrip("\n"), "".join(text + "|" for text in texts))
        script = self.client.log_text(run, "script")
        self.assertEqual(script, "  two: \"lines\" # not a comment\n    of 'text'\n")

    def test_all_that_can_be_written_is_taken(self) -> None:
        midnight = datetime(2013, 1, 1, 5, tzinfo=timezone.utc)
        clock = Watermark("flights.watermark", "weather.watermark")
        with Workflow("everything", params={"days": 31}) as workflow:
            ingest = Bash(
                "ingest",
                "sleep 1000",
                stream=True,
                restart=Restart("failure", backoff=("1s", timedelta(minutes=1)), attempts=5),
                env={"NAME": "value: x", "N": "1"},
                stop=on("halt", if_='value == "now" && source != "x"'),
                grace="2s",
            )
            train = Exec(
                "train",
                ["true"],
                start=every("1h", clock, from_=midnight),
                retry=Retry(3, backoff="2s..1m"),
                timeout=timedelta(minutes=10),
                parallel=2,
            )
            Bash("wall", "true", start=every(timedelta(days=1)), overlap="queue")
            Bash("ends", "true", start=after(train, "wall") & after({"ingest": "failed"}))
            Bash("joined", "true", start=on("a") & on("b") & on("c") | count(on("d"), 3))
            Bash("nested", "true", start=all_of(on("a"), any_of(on("b"), after(ingest))))
            Bash("again", "true", restart=on("code.changed"), start=on("go"))
        self.assertEqual(workflow.upload(self.client).workflow, "everything")
        self.assertTrue(workflow.upload(self.client).unchanged)
        shown = {t.task: t.rules for t in self.client.show_workflow("everything").tasks}
        self.assertEqual(shown["joined"], ["start (on a and on b and on c) or (3 times (on d))"])
        self.assertEqual(shown["ends"], ["start after train and wall and after ingest failed"])
        self.assertEqual(len(shown), 7)

    def test_a_fault_that_only_the_daemon_finds_names_its_task(self) -> None:
        with Workflow("bad") as workflow:
            Bash("good", "true")
            Bash("wrong", "true", start=on("k", if_="value.mae <"))
        with self.assertRaises(DefinitionError) as raised:
            workflow.upload(self.client)
        self.assertEqual(raised.exception.task, "wrong")
        self.assertIn("does not compile", str(raised.exception))
        self.assertIsInstance(raised.exception.__cause__, Rejected)

    def test_files_come_along(self) -> None:
        folder = Path(self.scratch) / "w"
        (folder / "data" / "__pycache__").mkdir(parents=True)
        (folder / "data" / "a.csv").write_text("1\n")
        (folder / "data" / "empty").write_text("")
        (folder / "data" / ".hidden").write_text("x")
        (folder / "large").write_bytes(b"x" * (2 << 20) + b"y")
        (folder / "run.sh").write_text("#!/bin/sh\nfind . -type f | sort; wc -c < large\n")
        (folder / "run.sh").chmod(0o755)
        files = ["run.sh", "./data/", "large"]
        with Workflow("files", files=files, directory=folder) as workflow:
            Exec("list", ["./run.sh"])
        workflow.upload(self.client)
        run = self.client.start_run("files")
        self.assertEqual(self.client.wait_run(run, WITHIN).status, "success")
        expected = "./data/a.csv\n./data/empty\n./large\n./run.sh\n2097153\n"
        self.assertEqual(self.client.log_text(run, "list"), expected)
        os.symlink("large", str(folder / "link"))
        with Workflow("linked", files=["link"], directory=folder) as workflow:
            Bash("a", "true")
        self.assertRaises(DefinitionError, workflow.upload, self.client)

    def test_the_flight_example_is_the_same_in_python(self) -> None:
        folder = REPOSITORY / "examples" / "flight-delays"
        specs = []
        for name in ("workflow.yaml", "workflow.py"):
            environment = {**self.daemon.environment, "AIFLOW_HOME": self.daemon.home}
            environment.update(package.environment())
            command = [str(program("aiflow")), "workflow", "upload", str(folder / name)]
            command += ["--python", sys.executable]
            subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
        with self.client.follow(offset=0, timeout=WITHIN) as records:
            for record in records:
                if record.kind == "WorkflowUploaded":
                    specs.append((record.body["spec"], record.body["files"]))
                if len(specs) == 2:
                    break
        self.assertEqual(specs[0], specs[1])


class Refused(unittest.TestCase):
    """What is wrong is told when it is written, with the task and what to write instead."""

    def _fault(self, write: Callable[[], object]) -> DefinitionError:
        with self.assertRaises(DefinitionError) as raised:
            with Workflow("w"):
                Bash("first", "true")
                write()
        return raised.exception

    def _fault_of_start(self, start: Callable[[], Any]) -> str:
        fault = self._fault(lambda: Bash("t", "true", start=start()))
        self.assertEqual(fault.task, "t")
        return str(fault)

    def test_faults_of_conditions_name_task_and_cure(self) -> None:
        cases = [
            (lambda: on("a b"), "event key 'a b' is not a valid name"),
            (lambda: on("a", if_=""), 'if_="value.rows > 0"'),
            (lambda: on("a", if_="x" * 5000), "at most 4096"),
            (lambda: after(), "after(train)"),
            (lambda: after("firts"), "did you mean `first`?"),
            (lambda: after("first", status="succes"), "one of: running, success, failed, stopped"),
            (lambda: count(on("a"), 0), "a whole number from 1"),
            (lambda: every("1 hour"), "500ms, 90s, 10m or 1h30m"),
            (lambda: every("1us"), "at least 1ms"),
            (lambda: every("1h", Watermark()), "at least one event key"),
            (lambda: every("1h", Watermark("a", "a")), "names a key twice"),
            (lambda: every("1h", from_=datetime(2013, 1, 1)), "has no time zone"),
            (lambda: all_of(), "at least one condition"),
            (lambda: "a.key", 'on("data.ready")'),
        ]
        for start, expected in cases:
            self.assertIn(expected, self._fault_of_start(start))
        deep: Condition = on("a")
        for _ in range(16):
            deep = all_of(deep)
        self.assertIn("nested deeper than 16", self._fault_of_start(lambda: deep))

    def test_faults_of_tasks_name_task_and_cure(self) -> None:
        both: Dict[str, Any] = {"retry": Retry(2), "restart": Restart()}
        number: Any = 1
        cases: List[Tuple[Callable[[], object], str]] = [
            (lambda: Bash("t", " "), "echo hello"),
            (lambda: Exec("t", "true"), "a list of words"),
            (lambda: Exec("t", []), "a list of words"),
            (lambda: Bash("t", "true", env={"AIFLOW_X": "1"}), "cannot be set"),
            (lambda: Bash("t", "true", env={"X": number}), "which is no text"),
            (lambda: Bash("t", "true", overlap="skip"), "one of: ignore, queue"),
            (lambda: Bash("t", "true", parallel=0), "a whole number from 1"),
            (lambda: Bash("t", "true", retry=Retry(0)), "a whole number from 1"),
            (lambda: Bash("t", "true", retry=Retry(2, "1m..1s")), 'backoff=("1s", "1m")'),
            (lambda: Bash("t", "true", timeout="0s"), "longer than nothing"),
            (lambda: Bash("t", "true", **both), "both retry and Restart"),
            (lambda: [Bash("t", "true"), Bash("t", "true")], "two of this name"),
        ]
        for write, expected in cases:
            fault = self._fault(write)
            self.assertIn(expected, str(fault))
            self.assertEqual(fault.task, "t")
        self.assertIn("not a valid name", str(self._fault(lambda: Bash("a.b", "true"))))

    def test_a_condition_is_neither_true_nor_false(self) -> None:
        fault = self._fault(lambda: on("a") and on("b"))
        self.assertIn("with `&` and `|`", str(fault))

    def test_faults_of_the_whole(self) -> None:
        with self.assertRaisesRegex(DefinitionError, "task `t`: it stands outside"):
            Bash("t", "true")
        with self.assertRaisesRegex(DefinitionError, "has no task"):
            with Workflow("w"):
                pass
        for name, files in (("a b", []), ("w", ["../x"]), ("w", ["/x"])):
            self.assertRaises(DefinitionError, Workflow, name, files=files)
        with self.assertRaisesRegex(DefinitionError, "stands inside"):
            with Workflow("outer"):
                Bash("a", "true")
                with Workflow("inner"):
                    Bash("b", "true")
        with Workflow("after_all_that") as workflow:
            Bash("a", "true")
        self.assertEqual(workflow.tasks, ["a"])
