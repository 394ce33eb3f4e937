"""A cluster of one machine: runs what lies in a directory, each job once, and says how it went.

It stands for whatever an executor submits to: it knows nothing of AIFlow, and its jobs outlive those
who submitted them. Usage: cluster.py DIRECTORY. Must never start a job twice: it marks it first.
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

LOOK_EVERY = 0.02


def main(root):
    root.mkdir(parents=True, exist_ok=True)
    running = {}
    while True:
        for directory in sorted(root.iterdir()):
            if directory not in running and (directory / "job.json").exists() and mark(directory):
                running[directory] = start(directory)
        for directory, process in list(running.items()):
            look_after(directory, process)
            if process.poll() is not None:
                write(directory / "code", str(process.returncode))
                del running[directory]
        time.sleep(LOOK_EVERY)


def mark(directory):
    """Whether the job is this one's to start."""
    try:
        (directory / "taken").touch(exist_ok=False)
        return True
    except FileExistsError:
        return False


def start(directory):
    job = json.loads((directory / "job.json").read_text())
    with open(directory / "out", "wb") as out:
        process = subprocess.Popen(
            job["command"],
            cwd=job["directory"],
            env=job["environment"],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    write(directory / "pid", str(process.pid))
    return process


def look_after(directory, process):
    """Ends a job that somebody wants ended, first kindly."""
    wanted = directory / "stop"
    if wanted.exists():
        is_late = time.time() - wanted.stat().st_mtime > 5
        os.killpg(process.pid, signal.SIGKILL if is_late else signal.SIGTERM)


def write(path, text):
    new = path.with_suffix(".new")
    new.write_text(text)
    new.rename(path)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
