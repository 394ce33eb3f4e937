"""Runs the flight-delays example with a daemon of its own and checks that each hour was trained exactly once.

It must never touch another daemon or its home, and never take the daemon's word alone: every verdict compares what
the daemon lists with what the tasks themselves wrote.
"""
import argparse
import contextlib
import json
import os
import queue
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
WORKFLOW = os.path.join(ROOT, "examples", "flight-delays", "workflow.yaml")
PERIOD_START = 1357016400  # 2013-01-01T05:00:00Z, as in the example
HOUR = 3600
REPLAY_TAIL = 10 * HOUR  # event time after the period until its last flight has landed
KILLS = 20
READY_WITHIN = 30  # seconds
SHOWN_PROBLEMS = 20


class Failed(Exception):
    """Something that the user should read instead of a traceback."""


def hours(days):
    """The windows that must come out, by their start."""
    return [rfc3339(PERIOD_START + n * HOUR) for n in range(days * 24)]


def rfc3339(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def say(text):
    print(text, file=sys.stderr, flush=True)


def build(debug):
    """Builds both programs and answers the directory that they are in."""
    say("building ...")
    command = ["cargo", "build", "--quiet", "--workspace", "--bins"] + ([] if debug else ["--release"])
    if subprocess.call(command, cwd=ROOT):
        raise Failed("the build failed")
    target = os.environ.get("CARGO_TARGET_DIR", "target")
    return os.path.join(ROOT, target, "debug" if debug else "release")


class Daemon:
    """One aiflowd with its own home, and the client that talks to it."""

    def __init__(self, programs, home):
        self.programs, self.home, self.process = programs, home, None
        self.environment = dict(os.environ, PATH=programs + os.pathsep + os.environ["PATH"])
        for name in ("AIFLOW_HOME", "AIFLOW_SOCKET", "AIFLOW_NAMESPACE"):
            self.environment.pop(name, None)  # another daemon's must not leak in

    def start(self):
        """Returns when the daemon has said that it serves. Its own session: ctrl-c is for this script to handle."""
        with open(self.log_path(), "ab") as log:
            self.process = subprocess.Popen(
                [os.path.join(self.programs, "aiflowd"), "--home", self.home],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                env=self.environment,
                start_new_session=True,
                text=True,
            )
        lines = queue.Queue()
        threading.Thread(target=self._read, args=(self.process.stdout, lines), daemon=True).start()
        self._await_ready(lines)

    def log_path(self):
        return os.path.join(self.home, "demo-aiflowd.log")

    @staticmethod
    def _read(stream, lines):
        """Keeps reading after the ready line, so that the daemon never blocks on a full pipe."""
        with stream:
            for line in stream:
                lines.put(line)
        lines.put("")

    def _await_ready(self, lines):
        try:
            line = lines.get(timeout=READY_WITHIN)
        except queue.Empty:
            line = "(nothing in %d s)" % READY_WITHIN
        if not line.startswith("ready "):
            raise Failed("aiflowd did not become ready: %s\n%s" % (line.strip() or "it ended", self.last_words()))

    def last_words(self):
        with open(self.log_path(), errors="replace") as log:
            return "".join(log.readlines()[-15:])

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        self.process.kill()
        self.process.wait()

    def client(self, *arguments, within=0):
        """Runs the client and answers its stdout. `within`: seconds in which it is tried again, for the moments when
        the daemon has just been killed; without it a failure is a failure."""
        deadline = time.monotonic() + within
        while True:
            done = subprocess.run(
                self.client_command(*arguments),
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            if done.returncode == 0:
                return done.stdout
            if time.monotonic() >= deadline:
                reason = done.stderr.strip() or "exit code %d" % done.returncode
                raise Failed("aiflow %s failed: %s" % (" ".join(arguments), reason))
            time.sleep(0.2)

    def client_command(self, *arguments):
        return [os.path.join(self.programs, "aiflow"), "--home", self.home] + list(arguments)

    def stop(self, run):
        """Ends the run, its tasks and the daemon. A killed daemon is started once more: its tasks have survived it,
        and only a daemon can tell which they are."""
        if run is None and not self.alive():
            return
        if not self.alive():
            self.start()
        if run is not None:
            self.client("workflow-execution", "stop", run, within=5)
        self.client("server", "stop", within=5)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failed("aiflowd did not end within 20 s of being told to, and was killed")


class Run:
    """One run of the example: what the daemon lists about it and what its tasks wrote."""

    def __init__(self, daemon, days, speed):
        self.daemon, self.days = daemon, days
        daemon.client("workflow", "upload", WORKFLOW)
        parameters = ["--param", "days=%d" % days, "--param", "speed=%g" % speed]
        self.id = daemon.client("workflow-execution", "start", "flight_delays", *parameters).strip()
        self.work = os.path.join(daemon.home, "runs", self.id, "work")

    def listed(self, within=0):
        return json.loads(self.daemon.client("-o", "json", "task-execution", "list", self.id, within=within))

    def witnessed(self, task):
        """[(window, attempt id, sequence)] as the task itself wrote them. A last line without its end is still
        being written."""
        try:
            with open(os.path.join(self.work, "witness", task + ".log")) as handle:
                return [tuple(line.split()) for line in handle if line.endswith("\n")]
        except FileNotFoundError:
            return []

    def model(self, window):
        """The model of a window, or None."""
        try:
            with open(os.path.join(self.work, "models", window[:13] + ".json")) as handle:
                return json.load(handle)
        except FileNotFoundError:
            return None

    def all_started(self):
        """Whether every window has been trained and validated, by the witnesses alone: cheap enough to ask often."""
        return all(len(set(self.witnessed(task))) >= self.days * 24 for task in ("train", "validate"))

    def all_ended(self, within):
        """Whether nothing but the streams is still at work."""
        batches = [e for e in self.listed(within) if batch(e)]
        count = Counter(e["task"] for e in batches)
        return all(map(has_ended, batches)) and min(count["train"], count["validate"]) >= self.days * 24

    def ingest_pid(self, within):
        """The process of the last attempt of ingest; None while there is none."""
        attempts = [a for e in self.listed(within) if e["task"] == "ingest" for a in e["attempts"]]
        return attempts[-1].get("pid") if attempts else None


def batch(execution):
    return execution["task"] in ("train", "validate", "deploy")


def has_ended(execution):
    return execution["status"] not in ("waiting", "queued", "running", "retrying", "stopping")


class Chaos:
    """Kills the daemon at random moments of the replay and starts it again; the seed repeats the moments."""

    def __init__(self, run, seed, replay_seconds):
        chance = random.Random(seed)
        start = time.monotonic()
        share = (0.03 + 0.9 * chance.random() for _ in range(KILLS))
        self.moments = sorted(start + replay_seconds * s for s in share)
        self.run, self.kills, self.pid_before, self.pid_after = run, 0, None, None
        say("chaos: %d kills, seed %d" % (KILLS, seed))

    def step(self):
        """Does what is due. The process of ingest is noted before the first kill and after the last."""
        if self.pid_before is None:
            self.pid_before = self.run.ingest_pid(within=0)
        while self.pid_before and self.moments and self.moments[0] <= time.monotonic():
            self.moments.pop(0)
            self.run.daemon.kill()
            self.kills += 1
            self.run.daemon.start()
        if self.kills == KILLS and self.pid_after is None:
            self.pid_after = self.run.ingest_pid(within=10)

    def problems(self):
        if self.kills < KILLS:
            yield "only %d of %d kills fell into the replay" % (self.kills, KILLS)
        elif self.pid_before != self.pid_after:
            yield "ingest was process %s before the kills and %s after" % (self.pid_before, self.pid_after)


def follow(run, chaos, time_limit):
    """Shows progress until every window has ended; answers whether that happened in time."""
    started = time.monotonic()
    within = 10 if chaos else 0
    while time.monotonic() - started < time_limit:
        if chaos:
            chaos.step()
        show_progress(run, chaos, time.monotonic() - started)
        if run.all_started() and not (chaos and chaos.moments) and run.all_ended(within):
            end_progress()
            return True
        if not run.daemon.alive():
            raise Failed("aiflowd ended by itself\n" + run.daemon.last_words())
        time.sleep(0.1)
    end_progress()
    return False


def show_progress(run, chaos, seconds):
    """One line that is written over; without a terminal nothing, since a log does not want hundreds of lines."""
    if not sys.stderr.isatty():
        return
    trained = run.witnessed("train")
    last = trained[-1][0] if trained else "no window yet"
    kills = ", %d kills" % chaos.kills if chaos else ""
    line = "%4.0f s  %d/%d windows, last %s%s" % (seconds, len(trained), run.days * 24, last, kills)
    print("\r\033[K" + line, end="", file=sys.stderr, flush=True)


def end_progress():
    if sys.stderr.isatty():
        print(file=sys.stderr)


def exit_of(execution):
    """The exit code of the last attempt, or the status when there is none."""
    attempts = execution["attempts"]
    code = attempts[-1].get("exit_code") if attempts else None
    return execution["status"] if code is None else str(code)


def row(run, window, executions):
    """(window, executions, exit, MAE) for the table; the figures of each side are judged by `problems`."""
    model = run.model(window)
    mae = "-" if model is None or model["mae"] is None else "%.2f" % model["mae"]
    return window, len(executions), " ".join(map(exit_of, executions)) or "-", mae


def problems(run, listed):
    """What is wrong, one sentence each; nothing when each window was trained and validated exactly once."""
    expected = set(hours(run.days))
    for task in ("train", "validate"):
        by_daemon = Counter(e["window_start"] for e in listed if e["task"] == task)
        by_witness = Counter(line[0] for line in run.witnessed(task))
        for window in sorted(expected | set(by_daemon) | set(by_witness)):
            wanted = 1 if window in expected else 0
            if (by_daemon[window], by_witness[window]) != (wanted, wanted):
                yield "%s of %s: %d executions listed, %d witnessed, %d expected" % (
                    task, window, by_daemon[window], by_witness[window], wanted)  # fmt: skip
    for execution in filter(batch, listed):
        if execution["status"] != "success":
            yield "%(task)s of %(window_start)s, number %(sequence)s: %(status)s" % execution
    for window in sorted(expected):
        if run.model(window) is None:
            yield "no model for %s" % window
    yield from sequence_problems(run, listed)
    yield from deploy_problems(run, listed)


def sequence_problems(run, listed):
    """The witness names the execution that ran; the daemon must have the same one for that window."""
    by_daemon = {(e["window_start"], str(e["sequence"])) for e in listed if e["task"] == "train"}
    for window, _, sequence in run.witnessed("train"):
        if (window, sequence) not in by_daemon:
            yield "train of %s ran as number %s, which the daemon does not list" % (window, sequence)
    for attempt, times in Counter(line[1] for line in run.witnessed("train")).items():
        if times > 1:
            yield "attempt %s ran %d times" % (attempt, times)


def deploy_problems(run, listed):
    """Which windows are deployed depends on their models; but each at most once, and by both sides' word."""
    witnessed = Counter(line[0] for line in run.witnessed("deploy"))
    count = sum(1 for e in listed if e["task"] == "deploy")
    if count != sum(witnessed.values()):
        yield "deploy: %d executions listed, %d witnessed" % (count, sum(witnessed.values()))
    for window, times in sorted(witnessed.items()):
        if times > 1:
            yield "%s was deployed %d times" % (window, times)


def report(run, chaos, complete):
    """The table and the verdict on stdout; answers the exit code."""
    listed = run.listed()
    executions = {}
    for execution in listed:
        if execution["task"] == "train":
            executions.setdefault(execution["window_start"], []).append(execution)
    print("%-22s %10s %6s %7s" % ("window", "executions", "exit", "MAE"))
    for window in sorted(set(executions) | set(hours(run.days))):
        print("%-22s %10d %6s %7s" % row(run, window, executions.get(window, [])))
    return verdict(run, chaos, listed, complete)


def verdict(run, chaos, listed, complete):
    found = list(problems(run, listed)) + (list(chaos.problems()) if chaos else [])
    if not complete:
        found.insert(0, "the time limit passed before every window had ended")
    count = Counter(e["task"] for e in listed)
    print()
    for task in ("train", "validate", "deploy"):
        print("%-9s %4d executions, %4d witnessed by the task itself" % (task, count[task], len(run.witnessed(task))))
    if chaos:
        print("%d kills of the daemon; ingest process %s before, %s after" % (
            chaos.kills, chaos.pid_before, chaos.pid_after))  # fmt: skip
    for problem in found[:SHOWN_PROBLEMS]:
        print("wrong: " + problem)
    if len(found) > SHOWN_PROBLEMS:
        print("... and %d more" % (len(found) - SHOWN_PROBLEMS))
    if not found:
        print("%d windows, each exactly once, none incomplete" % (run.days * 24))
    return 1 if found else 0


def headless(run, options):
    replay = (options.days * 24 * HOUR + REPLAY_TAIL) / options.speed if options.speed else options.days * 5
    chaos = Chaos(run, options.seed, replay) if options.chaos else None
    work = options.days * 24 * 1.0  # seconds for training, if the machine is too slow to keep up with the replay
    complete = follow(run, chaos, replay + work + 60 + (KILLS * 5 if chaos else 0))
    return report(run, chaos, complete)


def interactive(run):
    """The terminal interface, until the user leaves it."""
    subprocess.call(run.daemon.client_command(), env=run.daemon.environment)
    return 0


@contextlib.contextmanager
def home_directory(options):
    """A fresh home. A temporary one is removed again unless it is to be kept; one that the user named is theirs."""
    if options.home:
        os.makedirs(options.home, exist_ok=True)
        if os.listdir(options.home):
            raise Failed("%s is not empty; the demo needs a home of its own" % options.home)
        yield os.path.abspath(options.home)
        return
    outer = tempfile.mkdtemp(prefix="aiflow-demo-")
    try:
        os.mkdir(os.path.join(outer, "home"), 0o700)
        yield os.path.join(outer, "home")
    finally:
        if options.keep:
            say("kept: " + outer)
        else:
            shutil.rmtree(outer, ignore_errors=True)


def demo(options):
    programs = options.programs or build(options.debug_build)
    with home_directory(options) as home:
        daemon, run = Daemon(os.path.abspath(programs), home), None
        try:
            daemon.start()
            run = Run(daemon, options.days, options.speed)
            code = headless(run, options) if options.headless else interactive(run)
        finally:
            stopped = stop(daemon, run, options)
        return code if stopped else 1


def stop(daemon, run, options):
    """Stops all; says what went wrong with that, but never hides what went wrong before. Then the home is evidence."""
    try:
        daemon.stop(run.id if run else None)
        return True
    except Failed as failure:
        say("demo: stopping failed: %s" % failure)
        options.keep = True
        return False


def parse(arguments):
    parser = argparse.ArgumentParser(prog="scripts/demo", description=__doc__.splitlines()[0])
    parser.add_argument("--headless", action="store_true", help="no terminal interface: a table and a verdict")
    parser.add_argument("--days", type=int, default=31, choices=range(1, 32), metavar="N", help="1 to 31 (31)")
    parser.add_argument("--speed", type=float, default=7200, help="event-time seconds per second; 0: no pace (7200)")
    parser.add_argument("--chaos", action="store_true", help="kill the daemon %d times; implies --headless" % KILLS)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6), help="moments of the kills")
    parser.add_argument("--home", metavar="DIR", help="home of the daemon: new or empty, and kept (a temporary one)")
    parser.add_argument("--keep", action="store_true", help="keep the temporary home")
    parser.add_argument("--debug-build", action="store_true", help="build with the dev profile")
    parser.add_argument("--programs", metavar="DIR", help="do not build: aiflow and aiflowd are here")
    options = parser.parse_args(arguments)
    options.headless = options.headless or options.chaos or not (sys.stdin.isatty() and sys.stdout.isatty())
    return options


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(demo(parse(sys.argv[1:])))
    except Failed as failure:
        say("demo: %s" % failure)
        sys.exit(1)
    except KeyboardInterrupt:
        end_progress()
        sys.exit(130)


if __name__ == "__main__":
    main()
