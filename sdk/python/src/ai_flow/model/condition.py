"""Conditions in AIFlow's form: a class with `is_met`, or one of `ai_flow.model.internal.conditions`.

Must never decide in the process that writes the workflow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, List, Optional, Sequence, Union

from aiflow.conditions import Condition as Native
from aiflow.custom import ConditionContext, PythonCondition

from .context import Context, EventContext

if TYPE_CHECKING:
    from aiflow.views import Event as NativeEvent
    from notification_service.model.event import Event


class Condition(PythonCondition):
    """Override `is_met`: it is asked of each event of the expected keys, in order."""

    def __init__(self, expect_event_keys: Union[str, Sequence[str]]) -> None:
        given = expect_event_keys
        self.expect_event_keys: List[str] = [given] if isinstance(given, str) else list(given)
        super().__init__(*self.expect_event_keys)

    def is_met(self, event: "Event", context: Context) -> bool:  # type: ignore[override]
        """Whether it is met by this event."""
        raise NotImplementedError

    def ask(self, event: "NativeEvent", context: ConditionContext) -> bool:
        from notification_service.model.event import Event

        return self.is_met(Event.of(event), EventContext(context))

    def native(self, workflow: Optional[str]) -> Native:
        """The same in the words of `aiflow`, for a rule of the workflow; None: for a trigger."""
        return self
