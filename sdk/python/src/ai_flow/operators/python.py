"""Tasks that are a function of the file."""

from __future__ import annotations

from typing import Any, Callable, List, Mapping, Optional

from ai_flow.model.context import Context
from ai_flow.model.operator import AIFlowOperator


class PythonOperator(AIFlowOperator):
    """Calls a function, in a process of its own. One that raises fails."""

    def __init__(
        self,
        name: str,
        python_callable: Callable[..., object],
        op_args: Optional[List[Any]] = None,
        op_kwargs: Optional[Mapping[str, Any]] = None,
        **kwargs: Any,
    ) -> None:
        if not callable(python_callable):
            raise TypeError("python_callable of %s is not callable" % name)
        self.python_callable = python_callable
        self.op_args = list(op_args or [])
        self.op_kwargs = dict(op_kwargs or {})
        super().__init__(name, **kwargs)

    def start(self, context: Context) -> None:  # type: ignore[override]
        self.python_callable(*self.op_args, **self.op_kwargs)

    def run(self) -> None:
        own = ("start", "stop", "await_termination")
        if any(getattr(type(self), name) is not getattr(PythonOperator, name) for name in own):
            super().run()
        else:
            # Without a handler of its own a function ends at once when it is stopped.
            self.python_callable(*self.op_args, **self.op_kwargs)
