"""The files of a workflow: found, hashed, named as they will lie in the run's directory.

Must never take a file from outside the workflow's directory, nor follow a symbolic link.
"""

from __future__ import annotations

import base64
import hashlib
import os
import stat
from typing import Any, Dict, Iterable, Iterator, List, NamedTuple, Union

from .errors import DefinitionError

FILE_BYTES_MAX = 256 << 20
PIECE_BYTES = 1 << 20


class FoundFile(NamedTuple):
    """A file to bring."""

    path: str
    name: str
    sha256: str
    bytes: int
    executable: bool

    def entry(self) -> Dict[str, Any]:
        """How an upload names it."""
        return {
            "path": self.name,
            "sha256": self.sha256,
            "bytes": self.bytes,
            "executable": self.executable,
        }

    def pieces(self) -> Iterator[Dict[str, Any]]:
        """Parameters of the `file.put` of each piece; an empty file has one."""
        position = 0
        with open(self.path, "rb") as file:
            while True:
                piece = file.read(PIECE_BYTES)
                if position and not piece:
                    return
                yield {
                    "sha256": self.sha256,
                    "bytes": self.bytes,
                    "position": position,
                    "data": base64.b64encode(piece).decode(),
                }
                position += len(piece)
                if position >= self.bytes:
                    return


def find_files(
    directory: Union[str, "os.PathLike[str]"], listed: Iterable[str]
) -> List[FoundFile]:
    """What is listed below a directory, folders with all that is in them, by path.

    Raises `DefinitionError`, and `OSError` when something cannot be read.
    """
    paths: Dict[str, str] = {}
    for name in listed:
        _collect(os.fspath(directory), check_inside(name), paths)
    return [_measure(name, path) for name, path in sorted(paths.items())]


def check_inside(name: str) -> str:
    """A listed path without `.` and doubled slashes. Raises `DefinitionError`."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or ".." in parts:
        raise DefinitionError(
            "files: %r does not lie in the directory of the workflow" % name,
            "list paths relative to it, without .. and a leading /",
        )
    return "/".join(parts)


def _collect(directory: str, name: str, paths: Dict[str, str]) -> None:
    """Looks at each part of the path, so that no folder on the way is a link."""
    path, mode = directory, 0
    for part in name.split("/") if name else ["."]:
        path = os.path.join(path, part)
        mode = _mode(path)
    if stat.S_ISREG(mode):
        paths[name] = path
        return
    if not stat.S_ISDIR(mode):
        raise DefinitionError("files: %s is neither a file nor a folder" % path)
    for part in os.listdir(path):
        if not part.startswith(".") and part != "__pycache__":
            _collect(directory, "%s/%s" % (name, part) if name else part, paths)


def _mode(path: str) -> int:
    mode = os.lstat(path).st_mode
    if stat.S_ISLNK(mode):
        raise DefinitionError(
            "files: %s is a symbolic link" % path,
            "put the file itself there: a run must not change with what a link points to",
        )
    return mode


def _measure(name: str, path: str) -> FoundFile:
    digest, size = hashlib.sha256(), 0
    with open(path, "rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        while True:
            data = file.read(PIECE_BYTES)
            if not data:
                break
            digest.update(data)
            size += len(data)
            if size > FILE_BYTES_MAX:
                raise DefinitionError(
                    "files: %s is larger than %d bytes" % (path, FILE_BYTES_MAX),
                    "let a task fetch large data by itself",
                )
    return FoundFile(path, name, digest.hexdigest(), size, bool(mode & 0o100))
