"""Plugins, with the examples: run by the real daemon, killed, taken over and stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Optional

from aiflow import program

from .support import REPOSITORY, WITHIN, DaemonTest, program as built, wait_until

EXAMPLES = REPOSITORY / "examples" / "plugins"


class Plugins(DaemonTest):
    """The plugins of the examples, found by the daemon's tasks."""

    starts = False

    def setUp(self) -> None:
        super().setUp()
        folder = Path(self.scratch) / "bin"
        folder.mkdir()
        # A `python3` that knows the package, as one that has it installed.
        script = '#!/bin/sh\nPYTHONPATH="%s" exec "%s" -B "$@"\n' % (program.PACKAGES, sys.executable)
        (folder / "python3").write_text(script)
        (folder / "python3").chmod(0o755)
        environment = self.daemon.environment
        environment["PATH"] = "%s:%s" % (folder, environment["PATH"])
        environment["AIFLOW_PLUGINS"] = str(EXAMPLES)
        environment["TMPDIR"] = self.scratch
        self.daemon.start()
        self.jobs = Path(self.scratch) / "aiflow-cluster"
        command = [sys.executable, str(EXAMPLES / "cluster.py"), str(self.jobs)]
        cluster = subprocess.Popen(command, env=environment)
        self.addCleanup(cluster.wait)
        self.addCleanup(cluster.kill)

    def aiflow(self, *words: str, code: int = 0) -> Any:
        """What the command line says, in JSON."""
        done = subprocess.run(
            [str(built("aiflow")), "--home", self.daemon.home, "-o", "json", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
            env=self.daemon.environment,
            timeout=WITHIN,
        )
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return json.loads(done.stdout) if code == 0 else done.stderr

    def run_of(self, tasks: str) -> int:
        """Starts a run of one task named `t`."""
        self.client.upload_workflow("workflow: w\ntasks: {%s}\n" % tasks)
        return self.client.start_run("w")

    def test_the_example_runs(self) -> None:
        self.aiflow("workflow", "upload", str(EXAMPLES / "workflow.yaml"))
        run = self.client.start_run("plugged")
        self.assertEqual(self.client.wait_run(run, WITHIN).status, "success")
        self.assertEqual(self.client.log_text(run, "make"), "made by make\n")
        self.assertRegex(self.client.log_text(run, "wait"), r"\A/.*/arrived is there\n\Z")

    def test_both_keep_to_the_dialogue(self) -> None:
        names = [(found["kind"], found["name"]) for found in self.aiflow("plugin", "list")]
        self.assertLessEqual({("operator", "await-file"), ("executor", "cluster")}, set(names))
        config = json.dumps({"path": os.path.join(self.scratch, "never")})
        findings = self.aiflow("plugin", "check", "operator", "await-file", "--config", config)
        findings += self.aiflow("plugin", "check", "executor", "cluster")
        self.assertEqual([each for each in findings if not each["ok"]], [])
        self.assertGreater(len(findings), 10)

    def test_how_the_job_ends_is_how_the_task_ends(self) -> None:
        run = self.run_of("t: {bash: exit 7, executor: cluster}")
        self.assertEqual(self.client.wait_run(run, WITHIN).status, "failed")
        attempt = self.client.list_task_executions(run)[0].attempts[0]
        self.assertEqual(attempt.exit_code, 7)
        run = self.run_of("t: {operator: {name: await-file, config: {}}}")
        self.assertEqual(self.client.wait_run(run, WITHIN).status, "failed")
        self.assertIn("the configuration has no `path`", self.client.log_text(run, "t"))
        run = self.run_of("t: {operator: nobody}")
        self.assertEqual(self.client.wait_run(run, WITHIN).status, "failed")
        self.assertIn("there is no plugin aiflow-operator-nobody", self.client.log_text(run, "t"))

    def test_a_stop_reaches_the_job(self) -> None:
        run = self.run_of("t: {bash: exec sleep 1000, executor: cluster}")
        job = self.job(run, 1)
        self.client.stop_task(run, "t")
        self.assertEqual(self.client.wait_run(run, WITHIN).status, "stopped")
        wait_until("the job is gone", lambda: not _is_alive(job))

    def test_a_plugin_that_is_killed_is_started_anew_and_the_job_goes_on(self) -> None:
        run = self.run_of("t: {bash: 'until [ -e go ]; do sleep 0.02; done', executor: cluster}")
        job = self.job(run, 1)
        os.kill(self.process("aiflow-executor-cluster"), signal.SIGKILL)
        self.daemon.kill()
        self.daemon.start()
        self.assertTrue(_is_alive(job))
        (Path(self.daemon.home) / "runs" / str(run) / "work" / "go").touch()
        self.assertEqual(self.client.wait_run(run, WITHIN).status, "success")

    def test_the_attempt_after_one_whose_driver_died_takes_the_job_over(self) -> None:
        run = self.run_of(
            "t: {bash: 'echo begun >> begun; until [ -e go ]; do sleep 0.02; done', "
            "executor: cluster, retry: {attempts: 3, backoff: 10ms}}"
        )
        job = self.job(run, 1)
        os.kill(self.process("plugin\0run\0executor"), signal.SIGKILL)
        self.wait_for_attempt(run, 2)
        self.assertTrue(_is_alive(job))
        work = Path(self.daemon.home) / "runs" / str(run) / "work"
        (work / "go").touch()
        self.assertEqual(self.client.wait_run(run, WITHIN).status, "success")
        self.assertEqual((work / "begun").read_text(), "begun\n", "one job, two attempts")

    def wait_for_attempt(self, run: int, number: int) -> None:
        """Waits until the task is at this attempt, and that runs."""

        def look() -> bool:
            attempts = self.client.list_task_executions(run)[0].attempts
            return attempts[-1].attempt == number and attempts[-1].state == "running"

        wait_until("attempt %d runs" % number, look)

    def job(self, run: int, attempt: int) -> int:
        """The process of the job of an attempt, once it runs and its handle is kept."""
        work = Path(self.daemon.home) / "runs" / str(run) / "work"
        kept = work / (".aiflow-executor-%d.t.1.json" % run)
        pid = self.jobs / ("default-%d.t.1.%d" % (run, attempt)) / "pid"
        wait_until("the job runs", lambda: pid.exists() and kept.exists())
        return int(pid.read_text())

    def process(self, words: str) -> int:
        """The process of this daemon's tasks whose command line holds some words."""

        def look() -> Optional[int]:
            for entry in Path("/proc").iterdir():
                if entry.name.isdigit() and self._is_meant(entry, words):
                    return int(entry.name)
            return None

        return wait_until("there is a process %r" % words, look)

    def _is_meant(self, entry: Path, words: str) -> bool:
        try:
            line = (entry / "cmdline").read_bytes()
            environment = (entry / "environ").read_bytes()
        except OSError:
            return False
        mark = ("AIFLOW_HOME=%s\0" % self.daemon.home).encode()
        is_ours = words.encode() in line and mark in environment
        return is_ours and not line.startswith((b"bash", b"/bin/sh")) and b"aiflow-shim" not in line


def _is_alive(process: int) -> bool:
    try:
        state = Path("/proc/%d/stat" % process).read_text()
    except OSError:
        return False
    return ") Z " not in state
