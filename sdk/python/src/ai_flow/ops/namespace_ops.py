"""Namespaces."""

from __future__ import annotations

from typing import Any, Dict, List, NamedTuple, Optional

from ._common import client, page


class NamespaceMeta(NamedTuple):
    """A namespace."""

    name: str
    properties: Dict[str, Any]


def add_namespace(name: str, properties: Optional[Dict[str, Any]] = None) -> NamespaceMeta:
    """Adds a namespace; one that is there stays."""
    with client() as daemon:
        daemon.add_namespace(name)
    return NamespaceMeta(name, properties or {})


def get_namespace(name: str) -> Optional[NamespaceMeta]:
    """A namespace; None when there is none."""
    found = [namespace for namespace in list_namespace() if namespace.name == name]
    return found[0] if found else None


def update_namespace(name: str, properties: Dict[str, Any]) -> NamespaceMeta:
    """Changes what is said of a namespace."""
    return add_namespace(name, properties)


def delete_namespace(name: str) -> bool:
    """Deletes a namespace without workflows."""
    with client() as daemon:
        daemon.delete_namespace(name)
    return True


def list_namespace(
    limit: Optional[int] = None, offset: Optional[int] = None
) -> List[NamespaceMeta]:
    """All namespaces."""
    with client() as daemon:
        names = [info.namespace for info in daemon.list_namespaces()]
    return page([NamespaceMeta(name, {}) for name in names], limit, offset)
