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
        daemon.add_namespace(name, properties)
    return NamespaceMeta(name, properties or {})


def get_namespace(name: str) -> Optional[NamespaceMeta]:
    """A namespace; None when there is none."""
    found = [namespace for namespace in list_namespace() if namespace.name == name]
    return found[0] if found else None


def update_namespace(name: str, properties: Dict[str, Any]) -> NamespaceMeta:
    """Changes what is said of a namespace."""
    with client() as daemon:
        daemon.update_namespace(name, properties)
    return get_namespace(name) or NamespaceMeta(name, properties)


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
        known = daemon.list_namespaces()
    return page([NamespaceMeta(each.namespace, each.properties) for each in known], limit, offset)
