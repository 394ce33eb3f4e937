"""A host of conditions: is a reading far from those before it?

Must never keep anything itself: what it knows comes with the question.
"""

import json
import math
import sys


def judge(question):
    """The answer to one question."""
    seen = question["state"] or {"n": 0, "mean": 0.0, "spread": 0.0}
    value, config = question["event"]["value"], question["config"]
    n, mean, spread = seen["n"], seen["mean"], seen["spread"]
    deviation = math.sqrt(spread / (n - 1)) if n > 1 else 0.0
    far = n >= config["at_least"] and abs(value - mean) > config["deviations"] * deviation
    if not far:
        n += 1
        step = value - mean
        mean += step / n
        spread += step * (value - mean)
    return {"id": question["id"], "met": far, "state": {"n": n, "mean": mean, "spread": spread}}


for line in sys.stdin:
    question = json.loads(line)
    try:
        answer = judge(question)
    except Exception as error:
        answer = {"id": question["id"], "error": repr(error)}
    print(json.dumps(answer), flush=True)
