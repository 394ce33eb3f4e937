"""What the operations share: a client a call, and pages of lists."""

from __future__ import annotations

from typing import List, Optional, Sequence, TypeVar

from aiflow import Client, Rejected

Item = TypeVar("Item")


def client() -> Client:
    """The daemon of this user's home. Close it: `with`."""
    return Client()


def page(items: Sequence[Item], limit: Optional[int], offset: Optional[int]) -> List[Item]:
    """So many of a list, after as many as `offset` says."""
    begin = offset or 0
    return list(items[begin:] if limit is None else items[begin : begin + limit])


def is_unknown(error: Rejected) -> bool:
    """Whether a refusal says that there is no such thing."""
    return error.code.startswith("E01")
