"""Where a daemon lives: its directory and its socket, found as the command line finds them.

Must never create anything: a home comes into being with its daemon.
"""

from __future__ import annotations

import os
from typing import Mapping, NamedTuple, Optional, Union

from .errors import NoHome

Path = Union[str, "os.PathLike[str]"]


class Home(NamedTuple):
    """The directory of one daemon and the socket that it listens on."""

    directory: str
    socket: str

    @property
    def spool(self) -> str:
        """Where events wait for a daemon that is down."""
        return os.path.join(self.directory, "spool")


def find_home(given: Optional[Path] = None, environ: Optional[Mapping[str, str]] = None) -> Home:
    """`given`, else `$AIFLOW_HOME`, else `aiflow` in the XDG state directory.

    Without `given`, `$AIFLOW_SOCKET` names the socket. Raises `NoHome` when nothing says where.
    """
    variables = os.environ if environ is None else environ
    if given is not None:
        return _at(os.fspath(given))
    home = _at(variables.get("AIFLOW_HOME") or _default_directory(variables))
    return home._replace(socket=variables.get("AIFLOW_SOCKET") or home.socket)


def _at(directory: str) -> Home:
    return Home(directory, os.path.join(directory, "aiflow.sock"))


def _default_directory(variables: Mapping[str, str]) -> str:
    state = variables.get("XDG_STATE_HOME", "")
    # The XDG specification has relative paths passed over.
    if os.path.isabs(state):
        return os.path.join(state, "aiflow")
    user = variables.get("HOME")
    if not user:
        raise NoHome("there is no home: none of AIFLOW_HOME, XDG_STATE_HOME and HOME is set")
    return os.path.join(user, ".local", "state", "aiflow")
