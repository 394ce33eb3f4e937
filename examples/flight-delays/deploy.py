"""Batch task: makes deployed/current.json the model named by the event that started it.

It must never leave a moment without a deployed model, and never go back from a newer window to an older one.
"""
import json
import os

import task
import train

CURRENT = "deployed/current.json"


def events():
    """The events that fired this execution; a large list comes in a file."""
    if "AIFLOW_EVENT_FILE" in os.environ:
        return task.read_json(os.environ["AIFLOW_EVENT_FILE"])
    return json.loads(os.environ["AIFLOW_EVENT"])


def deployed_window():
    try:
        return task.read_json(CURRENT)["window"]
    except FileNotFoundError:
        return ""


def deploy(window):
    """A link made aside and renamed over the old one: a reader finds one model or the other, never none."""
    path = train.path_of(task.instant(window))
    if not os.path.exists(path):
        task.refuse("the event names the window %s, but %s does not exist" % (window, path))
    os.makedirs("deployed", exist_ok=True)
    draft = "deployed/.%d.tmp" % os.getpid()
    os.symlink(os.path.join("..", path), draft)
    os.replace(draft, CURRENT)


def main():
    window = max(event["value"]["window"] for event in events())
    task.witness(window)
    if window < deployed_window():
        print("%s: a newer model is deployed already" % window)
        return
    deploy(window)
    print("%s: deployed" % window)


if __name__ == "__main__":
    main()
