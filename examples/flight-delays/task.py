"""What every task of this example shares: its environment, events, instants, whole files and the witness.

It must never know what a flight or a model is, and never keep state of its own.
"""
import calendar
import functools
import json
import os
import subprocess
import sys
import time

HOUR = 3600
DAY = 24 * HOUR


@functools.lru_cache(maxsize=None)
def instant(text):
    """Seconds since 1970 of an RFC3339 UTC text. Cached: the data names the same hours over and over."""
    return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ"))


def rfc3339(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def hour_name(seconds):
    """The name of an hour in file names, such as 2013-01-01T10: no colon, so it works on every file system."""
    return time.strftime("%Y-%m-%dT%H", time.gmtime(seconds))


def parameter(name, default):
    """A parameter of the workflow as a number; the default only serves a run by hand."""
    return float(os.environ.get("AIFLOW_PARAM_" + name.upper(), default))


# Local midnight in New York of the first day: the first hour of the period, whatever its length.
PERIOD_START = instant("2013-01-01T05:00:00Z") + int(parameter("first_day", 1) - 1) * DAY


def period_end():
    """The end of the last hour of the period: local midnight after `days` days."""
    return PERIOD_START + int(parameter("days", 31)) * DAY


def refuse(message):
    """Ends the task as failed, with the reason as the last line of its log."""
    sys.exit("%s: %s" % (os.path.basename(sys.argv[0]), message))


def emit(key, value, source, identity):
    """Tells the daemon that something happened.

    The id is the same each time the same fact is told, so telling it again after a crash or in a retried attempt
    changes nothing. It carries the run, because two runs of this workflow tell the same facts about the same month.
    While the daemon is down, the client keeps the event for it; a failure here is therefore a real one.
    """
    run = os.environ.get("AIFLOW_EXECUTION_ID", "by-hand")
    command = ["aiflow", "emit", key, json.dumps(value), "--source", source, "--id", run + "/" + identity]
    try:
        code = subprocess.call(command, stdout=subprocess.DEVNULL)
    except FileNotFoundError:
        refuse("the program aiflow is not on PATH, so %s cannot be emitted" % key)
    if code:
        refuse("emitting %s failed: aiflow ended with exit code %d" % (key, code))


def append(path, data):
    """Adds bytes to the end of a file with a single O_APPEND write, so that writers never mix inside a line."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        written = os.write(handle, data)
    finally:
        os.close(handle)
    if written != len(data):
        refuse("%s took %d of %d bytes; is the disk full?" % (path, written, len(data)))


def witness(window):
    """Notes that this attempt of this task really ran: the task's own proof, not the daemon's word.

    Called first thing, so that an attempt that later fails or is killed has left its line too.
    """
    line = "%s %s %s\n" % (
        window,
        os.environ.get("AIFLOW_ATTEMPT_ID", "-"),
        os.environ.get("AIFLOW_SEQUENCE", "-"),
    )
    append("witness/%s.log" % os.environ.get("AIFLOW_TASK", "by-hand"), line.encode())


def write_whole(path, text):
    """Replaces a file so that a reader sees the old one or the new one, never a part, even after a power cut."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    draft = "%s.%d.tmp" % (path, os.getpid())
    with open(draft, "w") as handle:
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())
    os.replace(draft, path)


def read_json(path):
    with open(path) as handle:
        return json.load(handle)
