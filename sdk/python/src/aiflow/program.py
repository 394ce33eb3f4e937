"""The file that a workflow is written in: loaded by path, found again by tasks and conditions.

Must never run what stands under `if __name__ == "__main__"`: a file is loaded as a module of its
own name, the same in the compiler, in tasks and in the host of conditions, so that what was pickled
in one is known in the others.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Dict, List, NamedTuple, Optional

from .errors import DefinitionError

if TYPE_CHECKING:
    from types import ModuleType

PACKAGES = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
INSTALLED = ("site-packages", "dist-packages")


class Program(NamedTuple):
    """A file that holds workflows."""

    path: str

    @property
    def name(self) -> str:
        """Its name in the directory of a run."""
        return os.path.basename(self.path)

    @property
    def directory(self) -> str:
        """Where it lies."""
        return os.path.dirname(self.path)

    def command(self, module: str, *words: str) -> List[str]:
        """Runs a module of this package on the file, with this interpreter."""
        return [sys.executable, "-m", "aiflow." + module, self.name, *words]


def is_own(command: List[str]) -> bool:
    """Whether a command is what `Program.command` gives."""
    return any(word.startswith("aiflow.") and before == "-m" for before, word in zip(command, command[1:]))


def environment() -> Dict[str, str]:
    """What the interpreter needs to find this package, when it is not installed in it."""
    is_installed = os.path.basename(PACKAGES) in INSTALLED
    return {} if is_installed else {"PYTHONPATH": PACKAGES}


def current(what: str) -> Program:
    """The file that is being loaded, else the script. Raises `DefinitionError`; `what` needs it."""
    path = _loading or getattr(sys.modules.get("__main__"), "__file__", None)
    if not path:
        message = "%s has no file that it could be run from" % what
        raise DefinitionError(message, "write the workflow in a file: aiflow workflow upload FILE.py")
    return Program(os.path.abspath(path))


def load(path: str) -> "ModuleType":
    """Imports a file under its own name. Raises what the file raises."""
    from importlib.machinery import SourceFileLoader
    from importlib.util import module_from_spec, spec_from_loader

    global _loading
    path = os.path.abspath(path)
    name = os.path.splitext(os.path.basename(path))[0]
    spec = spec_from_loader(name, SourceFileLoader(name, path))
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[name] = module
    directory = os.path.dirname(path)
    if directory not in sys.path:
        sys.path.insert(0, directory)
    before, _loading = _loading, path
    try:
        spec.loader.exec_module(module)
    finally:
        _loading = before
    return module


def line_of_user() -> Optional[int]:
    """The line of the file being loaded that has come to this point."""
    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_filename == _loading:
            return frame.f_lineno
        if frame.f_back is None:
            return None
        frame = frame.f_back
    return None


_loading: Optional[str] = None
