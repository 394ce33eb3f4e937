"""Ridge regression of the arrival delay on what is known when a flight leaves the gate.

What is learned is the minutes that a flight loses in the air (arrival delay less departure delay), so with little data
the ridge pulls the model towards the naive guess: a flight arrives as late as it left.

It must never read a flight's arrival except as the value to learn or to measure against.
"""
import json
import math
import os
from collections import namedtuple

import flights
import replay
import task
import weather

CARRIERS = "9E AA AS B6 DL EV F9 FL HA MQ OO UA US VX WN YV".split()
NUMBERS = ["one", "dep_delay", "distance", "hour_sin", "hour_cos", "wind_speed", "precip", "visib"]
FEATURES = NUMBERS + ["from_JFK", "from_LGA"] + ["by_" + carrier for carrier in CARRIERS]
POSITION = {name: index for index, name in enumerate(FEATURES)}
RIDGE = 10.0  # keeps coefficients of rare carriers small; the constant is not penalised
USUAL_WEATHER = (10.0, 0.0, 10.0)  # mph, inches, miles: for a station that missed hours on end
WEATHER_AGE_MAX = 6  # hours: older observations say nothing

# x: the few features of a flight that are not zero, as {position: number}.
Example = namedtuple("Example", "x dep_delay arr_delay")


def read_lines(directory, hour):
    try:
        with open(replay.HourFiles(directory).path(hour)) as handle:
            return handle.read().splitlines()
    except FileNotFoundError:
        return []


def weather_at(hour):
    """{station: (wind, precipitation, visibility)}: the observation of the hour, or the last one before it."""
    found = {}
    for age in range(WEATHER_AGE_MAX):
        for line in read_lines("weather", hour - age * task.HOUR):
            station, *numbers = line.split(",")
            found.setdefault(station, tuple(map(float, numbers)))
        if len(found) == 3:
            break
    return found


def examples(hour):
    """The flights of an hour that arrived; cancelled and diverted ones have no arrival delay to learn from."""
    rows = [dict(zip(flights.FIELDS, line.split(","))) for line in read_lines("hours", hour)]
    arrived = [row for row in rows if row["arr_delay"] != "NA"]
    observed = weather_at(hour) if arrived else {}
    return [example(row, observed.get(row["origin"], USUAL_WEATHER)) for row in arrived]


def example(row, observed):
    """Numbers are scaled to about one, so that one ridge penalty suits them all."""
    angle = 2 * math.pi * (int(row["hour"]) + int(row["minute"]) / 60) / 24
    wind, precip, visib = observed
    numbers = [1.0, int(row["dep_delay"]) / 60, int(row["distance"]) / 1000, math.sin(angle), math.cos(angle)]
    x = dict(enumerate(numbers + [wind / 10, precip * 10, visib / 10]))
    for name in ("from_" + row["origin"], "by_" + row["carrier"]):
        if name in POSITION:
            x[POSITION[name]] = 1.0
    return Example(x, int(row["dep_delay"]), int(row["arr_delay"]))


def statistics(some):
    """What least squares needs of some examples: their number, X'X (row by row) and X'y.

    Sums, so those of many hours are added up instead of reading every flight again.
    """
    size = len(FEATURES)
    xx, xy = [0.0] * (size * size), [0.0] * size
    for one in some:
        for i, a in one.x.items():
            xy[i] += a * (one.arr_delay - one.dep_delay)
            for j, b in one.x.items():
                xx[i * size + j] += a * b
    return {"n": len(some), "xx": xx, "xy": xy} if some else {"n": 0}


def cached_statistics(hour):
    """Statistics of an hour that the watermark has passed; kept in a file, since such an hour never changes."""
    path = "statistics/%s.json" % task.hour_name(hour)
    if os.path.exists(path):
        return task.read_json(path)
    found = statistics(examples(hour))
    task.write_whole(path, json.dumps(found))
    return found


def add(total, more):
    if not total["n"] or not more["n"]:
        return total if total["n"] else more
    return {
        "n": total["n"] + more["n"],
        "xx": [a + b for a, b in zip(total["xx"], more["xx"])],
        "xy": [a + b for a, b in zip(total["xy"], more["xy"])],
    }


def fit(total):
    """The coefficients, or None when there is nothing to learn from yet."""
    if not total["n"]:
        return None
    size = len(FEATURES)
    rows = [total["xx"][i * size : (i + 1) * size] + [total["xy"][i]] for i in range(size)]
    for i in range(1, size):
        rows[i][i] += RIDGE
    return solve(rows)


def solve(rows):
    """Gauss-Jordan elimination with row pivoting; each row carries its right-hand side as the last number."""
    size = len(rows)
    for i in range(size):
        pivot = max(range(i, size), key=lambda r: abs(rows[r][i]))
        rows[i], rows[pivot] = rows[pivot], rows[i]
        for r in range(size):
            share = rows[r][i] / rows[i][i] if r != i else 0.0
            if share:
                rows[r] = [a - share * b for a, b in zip(rows[r], rows[i])]
    return [rows[i][size] / rows[i][i] for i in range(size)]


def predict(coefficients, one):
    return one.dep_delay + sum(coefficients[i] * a for i, a in one.x.items())


def measure(coefficients, some):
    """Sums of absolute errors over examples: of the model, and of the naive guess that a flight arrives as late
    as it left. Sums, so that hours add up to a day."""
    if coefficients is None:
        return {"n": 0, "error": 0.0, "naive": 0.0}
    return {
        "n": len(some),
        "error": sum(abs(predict(coefficients, one) - one.arr_delay) for one in some),
        "naive": sum(abs(one.dep_delay - one.arr_delay) for one in some),
    }
