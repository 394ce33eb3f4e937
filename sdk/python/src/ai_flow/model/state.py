"""What a condition keeps from event to event.

Must never hold a value of its own: the daemon keeps it, with the decision that changed it.
"""

from __future__ import annotations

from typing import Any

from aiflow.custom import State


class StateDescriptor:
    """Names a state."""

    def __init__(self, name: str) -> None:
        self.name = name


class ValueStateDescriptor(StateDescriptor):
    """Names a state of one value."""


class ValueState:
    """One value, anything that can be pickled; None at first."""

    def __init__(self, state: State) -> None:
        self._state = state

    def value(self) -> Any:
        """What was kept."""
        return self._state.value()

    def update(self, state: Any) -> None:
        """Keeps a value."""
        self._state.update(state)

    def clear(self) -> None:
        """Keeps nothing."""
        self._state.clear()
