"""A real daemon on a home of its own, that tests start, kill and start again.

Must never sleep: tests wait for conditions. Must never touch a daemon that it did not start.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path
from typing import Callable, Dict, Optional, TypeVar

from aiflow import Client

REPOSITORY = Path(__file__).resolve().parents[3]
WITHIN = 60.0
Found = TypeVar("Found")


def program(name: str) -> Path:
    """One of our programs: in `$AIFLOW_PROGRAMS`, else as cargo has built it for debugging."""
    given = os.environ.get("AIFLOW_PROGRAMS")
    target = os.environ.get("CARGO_TARGET_DIR") or REPOSITORY / "target"
    path = Path(given) / name if given else Path(target) / "debug" / name
    if not path.exists():
        raise AssertionError("%s is not built: cargo build --workspace --bins" % path)
    return path


def clean_environment() -> Dict[str, str]:
    """The environment without what a daemon around the tests may have set."""
    return {name: value for name, value in os.environ.items() if not name.startswith("AIFLOW_")}


def wait_until(what: str, look: Callable[[], Optional[Found]]) -> Found:
    """Looks until there is something, each time after a moment in which nothing is waited for."""
    deadline = time.monotonic() + WITHIN
    idle, other_end = os.pipe()
    try:
        while time.monotonic() < deadline:
            found = look()
            if found:
                return found
            select.select([idle], [], [], 0.01)
    finally:
        os.close(idle)
        os.close(other_end)
    raise AssertionError("it did not come to this: %s" % what)


class Daemon:
    """A home, and the daemon on it."""

    def __init__(self, scratch: str) -> None:
        self.home = os.path.join(scratch, "home")
        self.environment = clean_environment()
        self._errors = os.path.join(scratch, "aiflowd.err")
        self._process: Optional["subprocess.Popen[str]"] = None

    def start(self) -> None:
        """Starts it (again) and waits until it serves."""
        assert self._process is None, "the daemon runs already"
        with open(self._errors, "a") as errors:
            self._process = subprocess.Popen(
                [str(program("aiflowd")), "--home", self.home],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=self.environment,
                universal_newlines=True,
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.startswith("ready "):
            raise AssertionError("the daemon did not start: %s" % Path(self._errors).read_text())

    def kill(self) -> None:
        """Kills it with SIGKILL."""
        assert self._process is not None, "no daemon runs"
        self._process.kill()
        self.wait()

    def wait(self) -> int:
        """Waits for its end and gives its exit code."""
        assert self._process is not None and self._process.stdout is not None
        code = self._process.wait(WITHIN)
        self._process.stdout.close()
        self._process = None
        return code

    def end(self) -> None:
        """Ends it and what it started."""
        if self._process is not None:
            self.kill()
        _kill_attempts(self.home)

    @property
    def spool(self) -> Path:
        """Its spool."""
        return Path(self.home) / "spool"

    def spooled(self) -> int:
        """How many events wait in its spool."""
        return len(list(self.spool.glob("*.json")))


def _kill_attempts(home: str) -> None:
    """Kills what a killed daemon left to its successor, which will not come."""
    mark = ("AIFLOW_HOME=%s\0" % home).encode()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if mark in (entry / "environ").read_bytes():
                os.kill(int(entry.name), signal.SIGKILL)
        except OSError:
            # It has ended, or is not ours.
            continue


class DaemonTest(unittest.TestCase):
    """A test with a home and a client; the daemon runs unless `starts` is false."""

    starts = True

    def setUp(self) -> None:
        self.scratch = tempfile.mkdtemp(prefix="aiflow-py-")
        self.addCleanup(shutil.rmtree, self.scratch, True)
        self.daemon = Daemon(self.scratch)
        self.addCleanup(self.daemon.end)
        if self.starts:
            self.daemon.start()
        self.client = Client(self.daemon.home)
        self.addCleanup(self.client.close)

    def wait_for(self, run: int, task: str, sequence: int, status: str) -> None:
        """Waits until an execution of a task has a status."""

        def look() -> bool:
            executions = self.client.list_task_executions(run)
            wanted = (task, sequence, status)
            return any((e.task, e.sequence, e.status) == wanted for e in executions)

        wait_until("%d.%s.%d is %s" % (run, task, sequence, status), look)
