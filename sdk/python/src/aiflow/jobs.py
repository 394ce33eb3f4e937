"""Operators that submit to a cluster by its own command line: Flink and Spark.

The tool is the one that is given, else on PATH, else below `$FLINK_HOME` or `$SPARK_HOME`. Must
never take a job for ended because nothing is heard of it: only its own status ends the wait.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any, List, Mapping, Optional, Sequence, Union

from .errors import AiflowError
from .tasks import Operator

if TYPE_CHECKING:
    from .context import TaskContext

Words = Union[str, Sequence[str]]

JOB_ID = re.compile(r"(?:Job has been submitted with JobID|JobID:?) ([0-9a-f]{32})")
LISTED = re.compile(r": ([0-9a-f]{32}) : .* \(([A-Z]+)\)")
ENDED = {"FINISHED": None, "FAILED": "failed", "CANCELED": "was cancelled"}
# Most times in a row that Flink may not answer when it is asked for its jobs.
UNANSWERED_MAX = 10


class JobFailed(AiflowError):
    """The job, or the command that submits it, has not succeeded."""


class Submission:
    """One command of a cluster's client; what it prints is the task's output."""

    _process: "Optional[subprocess.Popen[str]]" = None

    def command(self) -> List[str]:
        """The command and its words."""
        raise NotImplementedError

    def environment(self) -> Mapping[str, str]:
        """Variables that the command gets besides those of the task."""
        return {}

    def saw(self, line: str) -> None:
        """A line that the command has printed."""

    def start(self) -> None:
        """Starts the command."""
        command = self.command()
        print("+ " + " ".join(shlex.quote(word) for word in command), flush=True)
        self._process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **self.environment()},
            universal_newlines=True,
        )

    def stop(self) -> None:
        """Makes the job end."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def wait(self, timeout: Optional[float] = None) -> None:
        """Returns when the job has succeeded. Raises `JobFailed`."""
        assert self._process is not None and self._process.stdout is not None, "it has not started"
        for line in self._process.stdout:
            sys.stdout.write(line)
            sys.stdout.flush()
            self.saw(line)
        code = self._process.wait(timeout)
        if code != 0:
            raise JobFailed("%s ended with code %d" % (self.command()[0], code))


class Job(Operator):
    """A task that is a job of a cluster: `Job("train", Flink("train.jar"), start=...)`."""

    def __init__(self, name: str, submission: Submission, **options: Any) -> None:
        self.submission = submission
        super().__init__(name, **options)

    def start(self, context: "TaskContext") -> None:
        self.submission.start()

    def stop(self, context: "TaskContext") -> None:
        self.submission.stop()

    def await_termination(self, context: "TaskContext", timeout: Optional[int] = None) -> None:
        self.submission.wait(timeout)


class Flink(Submission):
    """A job of Apache Flink, watched until it has ended; stopping the task cancels or stops it.

    `application`: the jar or Python file. `application_mode`: `flink run-application`, in which
    Flink returns before the job ends. `stop_with_savepoint`: `flink stop` instead of `cancel`.
    """

    def __init__(
        self,
        application: str,
        target: Optional[str] = None,
        application_args: Optional[Words] = None,
        executable_path: Optional[str] = None,
        application_mode: bool = False,
        stop_with_savepoint: bool = False,
        kubernetes_cluster_id: Optional[str] = None,
        command_options: Optional[Words] = None,
        jobs_info_poll_interval: float = 1,
    ) -> None:
        self.application = application
        self.target = target
        self.application_args = words(application_args)
        self.executable_path = executable_path
        self.application_mode = application_mode
        self.stop_with_savepoint = stop_with_savepoint
        self.kubernetes_cluster_id = kubernetes_cluster_id
        self.command_options = words(command_options)
        self.poll_interval = jobs_info_poll_interval
        self.job_id: Optional[str] = None

    def command(self) -> List[str]:
        verb = "run-application" if self.application_mode else "run"
        own = [self.application, *self.application_args]
        return [self._tool(), verb, *self._cluster(), *self.command_options, *own]

    def saw(self, line: str) -> None:
        found = JOB_ID.search(line)
        if found is not None:
            self.job_id = found.group(1)

    def stop(self) -> None:
        if self.job_id is None:
            super().stop()
            return
        verb = "stop" if self.stop_with_savepoint else "cancel"
        subprocess.run([self._tool(), verb, *self._cluster(), self.job_id], check=False)

    def wait(self, timeout: Optional[float] = None) -> None:
        super().wait(timeout)
        is_detached = self.application_mode or {"-d", "--detached"} & set(self.command_options)
        if is_detached:
            self._await_job()

    def _await_job(self) -> None:
        unanswered, tick = 0, threading.Event()
        while unanswered <= UNANSWERED_MAX:
            listed = subprocess.run(
                [self._tool(), "list", "-a", *self._cluster()],
                stdout=subprocess.PIPE,
                universal_newlines=True,
            )
            unanswered = 0 if listed.returncode == 0 else unanswered + 1
            jobs = dict(LISTED.findall(listed.stdout))
            job = self.job_id or (next(iter(jobs)) if self.application_mode and jobs else None)
            status = jobs.get(job) if job else None
            if status in ENDED:
                if ENDED[status] is not None:
                    raise JobFailed("job %s %s" % (job, ENDED[status]))
                return
            tick.wait(self.poll_interval)
        raise JobFailed("flink list has failed %d times in a row" % unanswered)

    def _tool(self) -> str:
        return tool(self.executable_path, "flink", "FLINK_HOME")

    def _cluster(self) -> List[str]:
        target = [] if self.target is None else ["-t", self.target]
        cluster = self.kubernetes_cluster_id
        return target + ([] if cluster is None else ["-Dkubernetes.cluster-id=%s" % cluster])


class SparkSubmit(Submission):
    """An application of Apache Spark, given to `spark-submit`, which stays until it has ended."""

    def __init__(
        self,
        application: str,
        application_args: Optional[Words] = None,
        executable_path: Optional[str] = None,
        master: str = "yarn",
        deploy_mode: str = "client",
        application_name: Optional[str] = None,
        submit_options: Optional[Words] = None,
        k8s_namespace: Optional[str] = None,
        env_vars: Optional[Mapping[str, str]] = None,
    ) -> None:
        self.application = application
        self.application_args = words(application_args)
        self.executable_path = executable_path
        self.master = master
        self.deploy_mode = deploy_mode
        self.application_name = application_name
        self.submit_options = words(submit_options)
        self.k8s_namespace = k8s_namespace
        self.env_vars = dict(env_vars or {})

    def command(self) -> List[str]:
        command = [tool(self.executable_path, "spark-submit", "SPARK_HOME"), "--master", self.master]
        command += ["--deploy-mode", self.deploy_mode]
        if self.application_name is not None:
            command += ["--name", self.application_name]
        if self.k8s_namespace is not None:
            command += ["--conf", "spark.kubernetes.namespace=%s" % self.k8s_namespace]
        return [*command, *self.submit_options, self.application, *self.application_args]

    def environment(self) -> Mapping[str, str]:
        return self.env_vars


class SparkSql(Submission):
    """A statement given to `spark-sql`."""

    def __init__(
        self,
        sql: str,
        master: str = "yarn",
        application_name: Optional[str] = None,
        executable_path: Optional[str] = None,
    ) -> None:
        self.sql = sql
        self.master = master
        self.application_name = application_name
        self.executable_path = executable_path

    def command(self) -> List[str]:
        named = [] if self.application_name is None else ["--name", self.application_name]
        program = tool(self.executable_path, "spark-sql", "SPARK_HOME")
        return [program, "--master", self.master, *named, "-e", self.sql]


def tool(given: Optional[str], name: str, home: str) -> str:
    """The path of a tool. Raises `JobFailed` when it is nowhere."""
    if given is not None:
        return given
    found = shutil.which(name)
    if found is not None:
        return found
    directory = os.environ.get(home)
    path = os.path.join(directory, "bin", name) if directory else None
    if path is None or not os.access(path, os.X_OK):
        raise JobFailed("there is no %s: not on PATH, nor in $%s/bin" % (name, home))
    return path


def words(given: Optional[Words]) -> List[str]:
    """A list of words; text is taken apart as a shell does."""
    if given is None:
        return []
    return shlex.split(given) if isinstance(given, str) else [str(word) for word in given]
