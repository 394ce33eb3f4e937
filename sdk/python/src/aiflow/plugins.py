"""Plugins of the daemon in Python: operators, which do the work of tasks, and executors, which run
a task's command elsewhere.

A plugin is a program `aiflow-operator-NAME` or `aiflow-executor-NAME` that calls `serve` on a class
of yours. Must never keep what counts in the process: another one may be asked about the job.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any, Dict, List, NamedTuple, Optional

PROTOCOL = 1


class Job(NamedTuple):
    """What is to be done: `command` and `directory` are an executor's."""

    attempt: str
    config: Any
    command: List[str]
    directory: Optional[str]


class Standing(NamedTuple):
    """Where a job stands: `running`, `succeeded`, `failed` or `stopped`.

    `code` of one that failed is the attempt's exit code; `poll` is when to ask again, in seconds.
    """

    state: str
    message: Optional[str] = None
    code: Optional[int] = None
    poll: Optional[float] = None


class Plugin:
    """Override `start`, `status` and `stop`. A handle is what you know a job by, any JSON.

    `start` of an attempt that was started already has to give the same job: name it by the attempt.
    What is printed, and what goes to stderr, is the task's output.
    """

    about = ""
    version = "0"
    schema: Any = None

    def start(self, job: Job) -> Any:
        """Starts a job and gives its handle."""
        raise NotImplementedError

    def status(self, handle: Any) -> Standing:
        """Where it stands."""
        raise NotImplementedError

    def stop(self, handle: Any) -> None:
        """Asks it to end; again is no fault."""
        raise NotImplementedError

    def adopt(self, handle: Any, attempt: str, previous: str) -> Optional[Any]:
        """Takes a job over that another process, or the attempt before, has started.

        Gives its handle from now on; None has a new one started. The default takes it as it is,
        unless it has failed, so that a retry begins anew.
        """
        if attempt == previous:
            return handle
        return handle if self.status(handle).state in ("running", "succeeded") else None


def serve(plugin: Plugin) -> None:
    """Answers until nobody asks any more."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for line in sys.stdin.buffer:
        question = json.loads(line)
        try:
            answer = _answer(plugin, question)
        except Exception as error:
            answer = {"error": "%s: %s" % (type(error).__name__, error)}
        answers.write(json.dumps({"id": question["id"], **answer}) + "\n")
        answers.flush()


def _answer(plugin: Plugin, question: Dict[str, Any]) -> Dict[str, Any]:
    method = question["method"]
    if method == "describe":
        said = {"version": plugin.version, "about": plugin.about, "config": plugin.schema}
        return {"protocol": PROTOCOL, **said}
    if method == "start":
        command, directory = question.get("command", []), question.get("directory")
        job = Job(question["attempt"], question.get("config"), command, directory)
        return {"handle": plugin.start(job)}
    if method == "adopt":
        attempts = (question["attempt"], question["previous"])
        return {"handle": plugin.adopt(question["handle"], *attempts)}
    if method == "status":
        return _written(plugin.status(question["handle"]))
    if method == "stop":
        plugin.stop(question["handle"])
        return {}
    raise LookupError("there is no method %r" % method)


def _written(standing: Standing) -> Dict[str, Any]:
    written: Dict[str, Any] = {"state": standing.state}
    if standing.message is not None:
        written["message"] = standing.message
    if standing.code is not None:
        written["code"] = standing.code
    if standing.poll is not None:
        written["poll_ms"] = round(standing.poll * 1000)
    return written
