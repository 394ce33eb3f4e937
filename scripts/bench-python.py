#!/usr/bin/env python3
"""Measures the Python package against a daemon of its own, each beside a bare peer in the same run.

Usage: scripts/bench-python.py [PROGRAMS]: the directory of aiflowd, aiflow and aiflow-shim, target/release
unless told. Must never assert: it prints medians.
"""

import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "sdk" / "python" / "src"))

import aiflow  # noqa: E402
from aiflow import program  # noqa: E402

FLOW = '''
import os, time
from aiflow.workflow import Bash, Python, PythonCondition, Workflow, on

def stamp():
    with open(os.environ["AIFLOW_PARAM_OUT"], "a") as file:
        file.write("%r\\n" % time.time())

class Every(PythonCondition):
    def is_met(self, event, context):
        state = context.state("n")
        state.update(state.value(0) + 1)
        return state.value() % 1000 == 0

with Workflow("python_bench", params={"out": "none"}) as workflow:
    Python("task", stamp, start=on("go"), overlap="queue")
    Bash("fired", "true", start=Every("counted"), overlap="queue")
    Bash("stay", "exec sleep 100000")
'''
AI_FLOW = '''
from ai_flow.model.workflow import Workflow
from ai_flow.operators.python import PythonOperator

def nothing():
    pass

with Workflow("a") as workflow:
    PythonOperator("t", nothing)
'''


def median_ms(work, times):
    spent = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        spent.append((time.perf_counter() - began) * 1000)
    return statistics.median(spent)


def row(name, measured, unit, peer="", peer_value=None, ratio=None):
    beside = "" if peer_value is None else "%10.2f %-3s %s" % (peer_value, unit, peer)
    print("%-64s %12.2f %-5s %s %s" % (name, measured, unit, beside, ratio or ""))


def main():
    programs = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "target" / "release")
    scratch = tempfile.mkdtemp(prefix="aiflow-bench-python-")
    home = os.path.join(scratch, "home")
    environment = {**os.environ, "AIFLOW_HOME": home, **program.environment()}
    os.environ.update(AIFLOW_HOME=home)
    daemon = subprocess.Popen(
        [str(programs / "aiflowd"), "--home", home],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        universal_newlines=True,
    )
    try:
        daemon.stdout.readline()
        measure(programs, scratch, environment)
    finally:
        daemon.terminate()
        daemon.wait()
        subprocess.run(["pkill", "-f", home], check=False)
        shutil.rmtree(scratch, True)


def measure(programs, scratch, environment):
    path = os.path.join(scratch, "flow.py")
    pathlib.Path(path).write_text(FLOW)
    upload = [str(programs / "aiflow"), "workflow", "upload", path, "--python", sys.executable]
    quiet = {"stdout": subprocess.DEVNULL, "env": environment, "check": True}
    row("upload of a .py file", median_ms(lambda: subprocess.run(upload, **quiet), 11), "ms")
    starts_of_code(scratch, environment, quiet)
    client = aiflow.Client()
    out = os.path.join(scratch, "out")
    client.start_run("python_bench", {"out": out})
    starts_by_event(client, out)
    conditions(client)
    emission(client)
    listening(client)


def starts_of_code(scratch, environment, quiet):
    """What our part adds to the start of an interpreter, run about so that drift hits both."""
    flow = os.path.join(scratch, "compat.py")
    pathlib.Path(flow).write_text(AI_FLOW)
    bare = [sys.executable, "-c", "pass"]
    ours = {
        "a function in `aiflow`": ["flow.py", "python_bench", "task"],
        "a function in AIFlow's form": ["compat.py", "a", "t"],
    }
    environment = {**environment, "AIFLOW_PARAM_OUT": os.devnull}
    for name, words in ours.items():
        command = [sys.executable, "-m", "aiflow.runner", *words]
        spent, bare_spent = [], []
        for _ in range(31):
            for into, what in ((bare_spent, bare), (spent, command)):
                began = time.perf_counter()
                subprocess.run(what, cwd=scratch, **{**quiet, "env": environment})
                into.append((time.perf_counter() - began) * 1000)
        one, other = statistics.median(spent), statistics.median(bare_spent)
        row("start of " + name, one, "ms", "python3 -c pass", other, "+%.1f ms" % (one - other))


def starts_by_event(client, out):
    spent = []
    for number in range(31):
        began = time.time()
        client.emit("go", number)
        while not os.path.exists(out) or len(open(out).read().splitlines()) <= number:
            time.sleep(0.0005)
        spent.append((float(open(out).read().splitlines()[number]) - began) * 1000)
    row("emit to the first line of a Python function", statistics.median(spent), "ms")


def conditions(client):
    events = [("counted", None)] * 5_000
    client.emit_many(events[:100])
    began = time.perf_counter()
    client.emit_many(events)
    row("conditions in Python", len(events) / (time.perf_counter() - began), "/s")


def emission(client):
    events = [("plain", number) for number in range(50_000)]
    client.emit_many(events[:1000])
    began = time.perf_counter()
    client.emit_many(events)
    row("durable events from one process, emit_many", len(events) / (time.perf_counter() - began), "/s")
    row("one emit, acknowledged", median_ms(lambda: client.emit("plain", 1), 501), "ms")


def listening(client):
    spent = []
    with client.listen("heard") as events:
        for _ in range(301):
            began = time.perf_counter()
            client.emit("heard", 1)
            next(events)
            spent.append((time.perf_counter() - began) * 1000)
    row("emit until a listener has it", statistics.median(spent), "ms")


main()
