"""Tasks that are a command of bash."""

from __future__ import annotations

import os
import signal
import subprocess
from typing import TYPE_CHECKING, Any, Dict, Optional

from ai_flow.model.context import Context
from ai_flow.model.operator import AIFlowOperator

if TYPE_CHECKING:
    import subprocess


class BashOperator(AIFlowOperator):
    """Runs a command of bash. One that ends with another code than 0 fails."""

    def __init__(self, name: str, bash_command: str, **kwargs: Any) -> None:
        self.bash_command = bash_command
        self._process: "Optional[subprocess.Popen[bytes]]" = None
        super().__init__(name, **kwargs)

    def start(self, context: Context) -> None:  # type: ignore[override]
        import subprocess

        # Only for classes that derive from this one: the daemon starts bash by itself.
        command = ["bash", "-c", self.bash_command]
        self._process = subprocess.Popen(command, start_new_session=True)

    def stop(self, context: Context) -> None:  # type: ignore[override]
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGTERM)

    def await_termination(  # type: ignore[override]
        self, context: Context, timeout: Optional[int] = None
    ) -> None:
        if self._process is not None and self._process.wait(timeout) != 0:
            code = self._process.returncode
            raise RuntimeError("the bash command ended with code %d" % code)

    def _command(self) -> Dict[str, Any]:
        own = ("start", "stop", "await_termination")
        if any(getattr(type(self), name) is not getattr(BashOperator, name) for name in own):
            return super()._command()
        return {"bash": self.bash_command}
