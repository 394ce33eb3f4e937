"""Batch task: trains the model of one event-time hour, once that hour's data is complete.

It must never train on an incomplete hour, and never measure a model on flights that it has learned from.
"""
import json
import sys

import flights
import model
import task
import weather

HOURS_MEASURED = 24


def path_of(hour):
    return "models/%s.json" % task.hour_name(hour)


def check_complete(hour):
    """The watermark promised that everything of the hour is here. Trust, but count."""
    for directory, expected in (("hours", flights.scheduled_in(hour)), ("weather", weather.observed_in(hour))):
        lines = model.read_lines(directory, hour)
        if len(lines) != expected or len(set(lines)) != expected:
            task.refuse(
                "%s is incomplete: %s/ has %d lines (%d different), the schedule says %d. The watermark passed this "
                "hour too early, or the files were changed."
                % (task.rfc3339(hour), directory, len(lines), len(set(lines)), expected)
            )


def learned_before(hour):
    total = {"n": 0}
    for earlier in range(task.PERIOD_START, hour, task.HOUR):
        total = model.add(total, model.cached_statistics(earlier))
    return total


def last_day(hour, measured):
    """Mean absolute errors over the 24 hours up to the end of this one; (None, None) when no flight arrived in them.

    Each of those hours was measured with the model as it was before it, so no flight was measured with a model
    that knew it. A single hour would be a poor figure: at night it has no flights at all. An hour whose training
    failed for good has no measure and is left out.
    """
    sums = [measured]
    for earlier in range(hour - (HOURS_MEASURED - 1) * task.HOUR, hour, task.HOUR):
        try:
            sums.append(task.read_json(path_of(earlier))["measured"])
        except FileNotFoundError:
            pass
    count = sum(s["n"] for s in sums)
    if not count:
        return None, None
    return round(sum(s["error"] for s in sums) / count, 3), round(sum(s["naive"] for s in sums) / count, 3)


def train(hour):
    """Measures the model of all earlier hours on this one, then learns this one too."""
    before = learned_before(hour)
    arrived = model.examples(hour)
    measured = model.measure(model.fit(before), arrived)
    mae, baseline = last_day(hour, measured)
    total = model.add(before, model.cached_statistics(hour))
    return {
        "window": task.rfc3339(hour),
        "flights": total["n"],
        "mae": mae,
        "baseline": baseline,
        "measured": measured,
        "features": model.FEATURES,
        "coefficients": model.fit(total),
    }


def main():
    window, end = sys.argv[1:3]
    task.witness(window)
    hour = task.instant(window)
    if task.instant(end) != hour + task.HOUR:
        task.refuse("%s to %s is not one hour" % (window, end))
    check_complete(hour)
    trained = train(hour)
    task.write_whole(path_of(hour), json.dumps(trained, indent=1) + "\n")
    task.emit("model.trained", {"mae": trained["mae"], "path": path_of(hour), "window": window}, "train", window)
    print("%s: %d flights learned, MAE of the last day %s min" % (window, trained["flights"], trained["mae"]))


if __name__ == "__main__":
    main()
