"""Replays things in the order in which they became known: appends each to the file of its hour, tells the watermark.

It must never emit a watermark before the data below it is safely in the files, and never keep a checkpoint: the
lines in the hour files are always the first so-many of the replay order, so counting them gives the position.
"""
import os
import signal
import sys
import time
from collections import Counter
from itertools import groupby

import task


class Pace:
    """Event time that runs `speed` times as fast as the clock on the wall, from the start of this process on."""

    def __init__(self, speed, event_start):
        self.speed, self.event_start, self.started = speed, event_start, time.monotonic()

    def wait(self, event_time):
        """Seconds until that event time has come; 0 when it has, or when there is no pace to keep."""
        if not self.speed:
            return 0
        due = self.started + (event_time - self.event_start) / self.speed
        return max(0, due - time.monotonic())


class HourFiles:
    """One file per event-time hour, only ever appended to."""

    def __init__(self, directory):
        self.directory = directory
        self.unsynced = set()
        os.makedirs(directory, exist_ok=True)

    def path(self, hour):
        return os.path.join(self.directory, task.hour_name(hour) + ".csv")

    def append(self, items):
        """Writes items in order; neighbours of the same hour share a write. Larger groups would break the order
        on disk, and with it the rule that the number of lines is the position."""
        for hour, group in groupby(items, key=lambda item: item.hour):
            task.append(self.path(hour), "".join(item.line for item in group).encode())
            self.unsynced.add(hour)

    def sync(self):
        """Makes what was appended outlive a power cut. A watermark is durable once told; so must its data be."""
        for path in [self.path(hour) for hour in self.unsynced] + [self.directory]:
            handle = os.open(path, os.O_RDONLY)
            os.fsync(handle)
            os.close(handle)
        self.unsynced.clear()

    def recover(self, items):
        """The position to go on from. Cuts a torn last line and, after a power cut, lines whose forerunners are
        lost: what remains is a beginning of the replay order without a hole."""
        on_disk = {hour: self._whole_lines(hour) for hour in {item.hour for item in items}}
        kept = Counter()
        for item in items:
            if kept[item.hour] == len(on_disk[item.hour]):
                break
            kept[item.hour] += 1
        for hour, lines in on_disk.items():
            self._cut(hour, sum(map(len, lines[: kept[hour]])))
        return sum(kept.values())

    def _whole_lines(self, hour):
        try:
            with open(self.path(hour), "rb") as handle:
                return [line for line in handle if line.endswith(b"\n")]
        except FileNotFoundError:
            return []

    def _cut(self, hour, size):
        if os.path.exists(self.path(hour)) and os.path.getsize(self.path(hour)) > size:
            os.truncate(self.path(hour), size)


class Replay:
    """Items in the order of their `known` time, the watermark that they move, and the files they go to."""

    def __init__(self, items, watermark, files, speed):
        self.items, self.watermark, self.files, self.speed = items, watermark, files, speed
        self.batch, self.told = [], None

    def run(self):
        position = self.files.recover(self.items)
        for item in self.items[:position]:
            self.watermark.learn(item)
        self.tell()
        pace = Pace(self.speed, self.items[position - 1].known if position else task.PERIOD_START)
        for item in self.items[position:]:
            self.take(item, pace)
        self.tell()

    def take(self, item, pace):
        """The watermark is told at each move, never later: the training of an hour waits for it. Between two moves
        the items that are due share a batch."""
        if pace.wait(item.known):
            self.flush()
            time.sleep(pace.wait(item.known))
        self.batch.append(item)
        self.watermark.learn(item)
        if self.watermark.value != self.told:
            self.tell()

    def flush(self):
        self.files.append(self.batch)
        self.batch = []

    def tell(self):
        """Data first, safely, and then the watermark that covers it. Its time is its id: told again after a crash
        it is the same event."""
        self.flush()
        if self.watermark.value == self.told:
            return
        self.files.sync()
        value = {"watermark": task.rfc3339(self.watermark.value), "waiting_for": self.watermark.waiting_for}
        task.emit(self.watermark.key, value, self.watermark.source, value["watermark"])
        self.told = self.watermark.value
        # For whoever reads the task's log; nothing depends on it.
        print("complete up to", value["watermark"], "- waiting for", value["waiting_for"] or "nothing", flush=True)


def serve(items, watermark, directory):
    """The whole life of a streaming task: replay what is left, then stay, at rest, until asked to end."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    Replay(items, watermark, HourFiles(directory), task.parameter("speed", 7200)).run()
    print("replay complete: %d lines in %s/; staying at rest" % (len(items), directory), flush=True)
    while True:
        signal.pause()
