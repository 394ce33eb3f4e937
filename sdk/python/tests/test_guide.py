"""Every snippet of the guide runs, in its order, as the file that it says it is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Dict

import aiflow

from .support import REPOSITORY, WITHIN, DaemonTest

PACKAGE = str(Path(aiflow.__file__).resolve().parents[1])
GUIDE = REPOSITORY / "docs" / "guide" / "python.md"
SNIPPET = re.compile(r"```python\n# ([a-z]+\.py)\n(.*?)```", re.DOTALL)
# Which is run by a task rather than by hand.
OF_TASKS = "train.py"


class Guide(DaemonTest):
    """The guide against a real daemon."""

    starts = False

    def test_every_snippet_runs(self) -> None:
        text = GUIDE.read_text()
        snippets = dict(SNIPPET.findall(text))
        self.assertEqual(len(snippets), text.count("```python"), "a snippet has no file name")
        folder = Path(self.scratch) / "guide"
        folder.mkdir()
        for name, snippet in snippets.items():
            (folder / name).write_text(snippet)
        self._put_python_on_the_path()
        self.daemon.start()
        said = {name: self._run(folder, name) for name in snippets if name != OF_TASKS}
        self._check(said)

    def _put_python_on_the_path(self) -> None:
        """Tasks find a `python3` that knows the package, as one that has it installed."""
        folder = Path(self.scratch) / "bin"
        folder.mkdir()
        script = '#!/bin/sh\nPYTHONPATH="%s" exec "%s" -B "$@"\n' % (PACKAGE, sys.executable)
        (folder / "python3").write_text(script)
        (folder / "python3").chmod(0o755)
        environment = self.daemon.environment
        environment["PATH"] = "%s:%s" % (folder, environment["PATH"])
        environment["AIFLOW_HOME"] = self.daemon.home

    def _run(self, folder: Path, name: str) -> str:
        done = subprocess.run(
            ["python3", str(folder / name)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
            timeout=WITHIN,
            cwd=os.sep,
            env=self.daemon.environment,
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""), name)
        return done.stdout

    def _check(self, said: Dict[str, str]) -> None:
        self.assertRegex(said["emit.py"], r"\A\d+ False None\n3 events are on disk\n\Z")
        self.assertEqual(len(said["listen.py"].splitlines()), 4)
        self.assertIn("hour 2013-01-01 05:00:00+00:00 to 2013-01-01 06", said["workflow.py"])
        self.assertIn("of run 1 with 0.2\n", said["workflow.py"])
        self.assertTrue(said["workflow.py"].endswith("\nstopped\n"), said["workflow.py"])
        self.assertRegex(said["functions.py"], r"\Asuccess evaluating run \d+\n\n0\n\Z")
        self.assertEqual(said["conditions.py"], "success\n")
        self.assertIn("['stopped']\n4 [Event(", said["ask.py"])
        self.assertIn("E0103", said["ask.py"])
