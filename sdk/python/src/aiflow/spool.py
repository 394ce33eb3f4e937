"""Events that wait in a directory for a daemon that is down, which takes them in name order.

A file is there whole and durable, or not at all. Must never hold an event without source and id:
the daemon may read a file twice, and they make it one event.
"""

from __future__ import annotations

import os

from .errors import NotSpooled
from .events import Outgoing
from .ids import new_id


def keep(directory: str, event: Outgoing) -> str:
    """Keeps an event as `<directory>/<uuid v7>.json` and gives the path, once it is durable.

    Makes the directory (mode 0700) when it is not there. Raises `NotSpooled`.
    """
    name = new_id()
    unfinished = os.path.join(directory, ".%s.tmp" % name)
    finished = os.path.join(directory, "%s.json" % name)
    try:
        _make_directory(directory)
        _write_durably(unfinished, event.params + b"\n")
        os.rename(unfinished, finished)
        _sync_directory(directory)
    except OSError as error:
        raise NotSpooled(
            "no daemon answers, and the event %s cannot be kept for it: %s" % (event.key, error)
        ) from error
    return finished


def _make_directory(directory: str) -> None:
    if os.path.isdir(directory):
        return
    parent = os.path.dirname(os.path.abspath(directory))
    _make_directory(parent)
    try:
        os.mkdir(directory, 0o700)
    except FileExistsError:
        # Another emitter was faster.
        return


def _write_durably(path: str, data: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_directory(directory: str) -> None:
    # The name itself is durable only when its directory is.
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
