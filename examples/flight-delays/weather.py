"""Weather observations: when each becomes known, and the watermark that follows although hours are missing.

It must never look at the wall clock, write a file or emit: everything here follows from the data alone.
"""
import csv
import gzip
from collections import namedtuple

import task

SOURCE = "data/weather-2013-01.csv.gz"
FIELDS = ("origin", "wind_speed", "precip", "visib")

Observation = namedtuple("Observation", "known hour station line")


def load(end):
    """The observations of hours before `end`, in the order in which they become known: an hour after they are due."""
    with gzip.open(SOURCE, "rt", newline="") as rows:
        return sorted(o for o in map(observation, csv.DictReader(rows)) if task.PERIOD_START <= o.hour < end)


def observation(row):
    hour = task.instant(row["time_hour"])
    line = ",".join(row[field] for field in FIELDS) + "\n"
    return Observation(hour + task.HOUR, hour, row["origin"], line)


def observed_in(hour):
    """How many observations of an hour there are in all; fewer than three where a station missed it."""
    ending = (",%s\n" % task.rfc3339(hour)).encode()
    with gzip.open(SOURCE, "rb") as rows:
        return sum(1 for row in rows if row.endswith(ending))


class Watermark:
    """The event time up to which no observation can come any more.

    Each station reports in order. Its observation of 10:00 therefore says that all of its hours before 11:00 are
    there or will never be: a missing hour is passed as soon as a later observation of the same station has come, and
    holds the watermark until then. The watermark is the lowest over the stations; after the last observation of the
    period nothing can come any more, so it is the end of the period.
    """

    key, source = "weather.watermark", "weather"

    def __init__(self, everything, end):
        self.end = end
        self.left = len(everything)
        self.hours = {}
        for item in everything:
            self.hours.setdefault(item.station, []).append(item.hour)
        self.complete = {station: task.PERIOD_START for station in self.hours}

    def learn(self, observation):
        self.complete[observation.station] = observation.hour + task.HOUR
        self.left -= 1

    @property
    def value(self):
        return min(self.complete.values()) if self.left else self.end

    @property
    def waiting_for(self):
        """The stations whose next observation comes last. That follows from the value alone, so the same watermark
        is always told with the same words."""
        value = self.value
        upcoming = {
            station: next((hour for hour in hours if hour >= value), self.end)
            for station, hours in self.hours.items()
        }
        last = max(upcoming.values())
        names = sorted(station for station, hour in upcoming.items() if hour == last)
        return "weather of " + ", ".join(names) if self.left else None
