"""Records the terminal interface while it follows the flight-delays example, as an asciicast (version 2).

It plays keys at fixed times and writes what the program writes; it must never touch a daemon but its own.
"""
import argparse
import contextlib
import fcntl
import json
import os
import pty
import select
import struct
import sys
import tempfile
import termios
import time

from demo import Daemon, Failed, WORKFLOW, build

COLUMNS, ROWS = 120, 40
# Seconds after the one before, and what is typed then.
KEYS = [
    (6, "jj"), (1, "w"), (4, "\x1b"),  # why does train wait
    (1, "3"), (4, "\t"), (4, "5"), (3, "7"), (4, "6"), (3, "j"),  # time, graph, task, log, events
    (2, "T"), (2, "<"), (0.5, "<"), (0.5, "<"), (2, "2"), (3, "q"),  # back in time, and to now
    (1, ":"), (0.5, "stop"), (2, "\r"), (4, "n"), (1, "q"),  # what a stop would do, and then not
]


def record(command, environment, out):
    """Runs the command in a terminal, plays the keys, and writes what it shows with its times."""
    child, master = pty.fork()
    if child == 0:
        os.execvpe(command[0], command, environment)
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    begin = time.monotonic()
    keys = list(KEYS)
    due = begin + keys[0][0]
    with contextlib.suppress(OSError):  # the end of the program
        while True:
            now = time.monotonic()
            if keys and now >= due:
                os.write(master, keys.pop(0)[1].encode())
                due = now + (keys[0][0] if keys else 3600)
            ready, _, _ = select.select([master], [], [], max(0, min(due - now, 1)))
            if ready:
                piece = os.read(master, 65536)
                if not piece:
                    break
                text = piece.decode("utf-8", "replace")
                out.write(json.dumps([round(time.monotonic() - begin, 3), "o", text]) + "\n")
    os.waitpid(child, 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", help="where the cast goes; asciinema play FILE shows it")
    parser.add_argument("--debug", action="store_true", help="use debug builds")
    arguments = parser.parse_args()
    programs = build(arguments.debug)
    with tempfile.TemporaryDirectory(prefix="aiflow-cast-") as directory:
        home = os.path.join(directory, "home")
        os.mkdir(home, 0o700)
        daemon = Daemon(programs, home)
        daemon.start()
        try:
            aiflow = [os.path.join(programs, "aiflow"), "--home", daemon.home]
            for verb in (["workflow", "upload", WORKFLOW], ["run", "flight_delays"]):
                if os.spawnve(os.P_WAIT, aiflow[0], aiflow + verb, daemon.environment):
                    raise Failed(f"aiflow {verb[0]} failed")
            with open(arguments.file, "w", encoding="utf-8") as out:
                head = {"version": 2, "width": COLUMNS, "height": ROWS, "title": "aiflow: flight delays"}
                out.write(json.dumps(head) + "\n")
                record(aiflow, dict(daemon.environment, TERM="xterm-256color"), out)
        finally:
            daemon.stop("1")  # a killed daemon would leave its tasks
    print(f"wrote {arguments.file}", file=sys.stderr)


if __name__ == "__main__":
    try:
        main()
    except Failed as error:
        sys.exit(f"error: {error}")
