"""Flights: what the schedule says beforehand, when each flight becomes known, and the watermark that follows.

It must never look at the wall clock, write a file or emit: everything here follows from the data alone.
"""
import csv
import gzip
from collections import namedtuple

import task

SOURCE = "data/flights-2013-01.csv.gz"
TAXI_OUT = 15  # minutes from gate to take-off; the data has no figure per flight
DIVERSION = 120  # minutes that a diverted flight needs beyond the straight way
MILES_PER_MINUTE = 7  # a jet's speed over ground, for flights whose time in the air is missing

# scheduled, known: seconds since 1970. hour: start of the scheduled hour. line: what training gets to see.
Flight = namedtuple("Flight", "known scheduled name hour line")


def load(end):
    """The flights scheduled before `end`, in the order in which they become known.

    The order is total (no two flights share time and name) and follows from the data alone: a restarted replay
    goes on exactly where the old one stopped.
    """
    with gzip.open(SOURCE, "rt", newline="") as rows:
        return sorted(f for f in map(flight, csv.DictReader(rows)) if task.PERIOD_START <= f.scheduled < end)


def flight(row):
    hour = task.instant(row["time_hour"])
    scheduled = hour + 60 * int(row["minute"])
    name = "%(carrier)s %(flight)s %(origin)s-%(dest)s" % row
    return Flight(scheduled + 60 * minutes_until_known(row), scheduled, name, hour, line(row))


def minutes_until_known(row):
    """Minutes from the scheduled departure until everything about the flight is known.

    cancelled (no dep_time):       at its scheduled departure; the data does not say when it was called off.
    landed:                        departure + taxi + time in the air.
    diverted or air_time missing:  departure + taxi + the straight way at a jet's speed + two hours more.
    """
    if row["dep_time"] == "NA":
        return 0
    if row["air_time"] != "NA":
        return int(row["dep_delay"]) + TAXI_OUT + int(row["air_time"])
    straight = int(row["distance"]) // MILES_PER_MINUTE
    return int(row["dep_delay"]) + TAXI_OUT + straight + DIVERSION


FIELDS = ("carrier", "flight", "origin", "dest", "hour", "minute", "distance", "dep_delay", "arr_delay")


def line(row):
    return ",".join(row[field] for field in FIELDS) + "\n"


def scheduled_in(hour):
    """How many flights the schedule has in an hour. Compares bytes only: training asks this once an hour."""
    ending = (",%s\n" % task.rfc3339(hour)).encode()
    with gzip.open(SOURCE, "rb") as rows:
        return sum(1 for row in rows if row.endswith(ending))


class Watermark:
    """The event time up to which every scheduled flight is known.

    `value` is the scheduled time of the earliest flight that is not known yet. One badly delayed flight therefore
    holds it back, however many later ones have landed; when that one lands, it jumps. Hours in which nothing is
    scheduled are complete at once, also ahead of time: the schedule is known beforehand.
    """

    key, source = "flights.watermark", "flights"

    def __init__(self, everything, end):
        self.schedule = sorted(everything, key=lambda f: (f.scheduled, f.name))
        self.end = end
        self.known = set()
        self.next = 0

    def learn(self, flight):
        self.known.add((flight.scheduled, flight.name))
        while self.next < len(self.schedule) and self.schedule[self.next][1:3] in self.known:
            self.known.remove(self.schedule[self.next][1:3])
            self.next += 1

    @property
    def value(self):
        return self.schedule[self.next].scheduled if self.next < len(self.schedule) else self.end

    @property
    def waiting_for(self):
        """The flight that holds the watermark where it is: of those scheduled at that minute, the last to land.

        That one follows from the value alone, so the same watermark is always told with the same words.
        """
        same_minute = []
        for flight in self.schedule[self.next :]:
            if flight.scheduled != self.value:
                break
            same_minute.append(flight)
        return max(same_minute).name if same_minute else None
