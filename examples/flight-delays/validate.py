"""Batch task: decides whether the model of a window may be deployed, and says so as an event.

It must never change a model, and never fail because a model is bad: a bad model is a finding, not an error.
"""
import math
import os

import task
import train


def objection(model):
    """Why the model must not be used, or None."""
    if model["coefficients"] is None:
        return "no flight has arrived yet, so nothing was learned"
    if not all(map(math.isfinite, model["coefficients"])):
        return "a coefficient is not a finite number"
    if model["mae"] is None:
        return "no flight to measure it on"
    if model["mae"] >= model["baseline"]:
        return "no better than guessing that a flight arrives as late as it left"
    return None


def main():
    window = os.environ["AIFLOW_WINDOW_START"]
    task.witness(window)
    path = train.path_of(task.instant(window))
    model = task.read_json(path)
    verdict = {"mae": model["mae"], "baseline": model["baseline"], "path": path, "window": window}
    reason = objection(model)
    if reason:
        verdict["reason"] = reason
    task.emit("model.rejected" if reason else "model.validated", verdict, "validate", window)
    print("%s: %s" % (window, reason or "validated, MAE %(mae)s against %(baseline)s" % verdict))


if __name__ == "__main__":
    main()
