"""Workflows: upload, look, enable, disable, delete.

Must never compile in this process: the file is loaded by a compiler of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any, List, NamedTuple, Optional, Sequence, Union

from aiflow import AiflowError, Client, DefinitionError, Rejected, program
from aiflow.files import FoundFile, find_files
from aiflow.views import WorkflowInfo

from ._common import client, is_unknown, page


class WorkflowMeta(NamedTuple):
    """A workflow."""

    name: str
    namespace: str
    id: int
    is_enabled: bool
    content: Optional[str]
    create_time: Any
    update_time: Any
    snapshot_id: int


def upload_workflows(
    workflow_file_path: str, artifacts: Union[str, Sequence[str], None] = None
) -> List[WorkflowMeta]:
    """Stores all workflows of a file, with files and folders that lie beside it in each run.

    Raises `DefinitionError` with the line of the file, and `Rejected`.
    """
    path = os.path.abspath(workflow_file_path)
    named = artifacts.split(",") if isinstance(artifacts, str) else list(artifacts or [])
    compiled = _compile(path)
    with client() as daemon:
        for found in compiled:
            _upload(daemon, path, found, named)
        return [_meta(_show(daemon, found)) for found in compiled]


def get_workflow(workflow_name: str, namespace: str = "default") -> Optional[WorkflowMeta]:
    """A workflow; None when there is none."""
    with client() as daemon:
        try:
            return _meta(daemon.show_workflow(workflow_name, namespace=namespace))
        except Rejected as error:
            if is_unknown(error):
                return None
            raise


def list_workflows(
    namespace: Optional[str] = None, limit: Optional[int] = None, offset: Optional[int] = None
) -> List[WorkflowMeta]:
    """Workflows of a namespace, or all."""
    with client() as daemon:
        return page([_meta(each) for each in daemon.list_workflows(namespace)], limit, offset)


def delete_workflow(workflow_name: str, namespace: str = "default") -> bool:
    """Deletes a workflow with its runs, all of which have to have ended."""
    with client() as daemon:
        daemon.delete_workflow(workflow_name, namespace=namespace)
    return True


def disable_workflow(workflow_name: str, namespace: str = "default") -> bool:
    """Lets a workflow start nothing new."""
    with client() as daemon:
        daemon.disable_workflow(workflow_name, namespace=namespace)
    return True


def enable_workflow(workflow_name: str, namespace: str = "default") -> bool:
    """Lets a workflow start runs again."""
    with client() as daemon:
        daemon.enable_workflow(workflow_name, namespace=namespace)
    return True


class WorkflowSnapshotMeta(NamedTuple):
    """One uploaded version of a workflow."""

    id: int
    workflow_name: str
    namespace: str
    content: str
    create_time: Any


def list_workflow_snapshots(
    workflow_name: Optional[str] = None,
    namespace: str = "default",
    limit: Optional[int] = None,
    offset: Optional[int] = None,
) -> List[WorkflowSnapshotMeta]:
    """Versions of a workflow, oldest first, as far as the log goes back: it is read from its beginning."""
    found: List[WorkflowSnapshotMeta] = []
    with client() as daemon:
        status = daemon.status()
        if status.durable == status.log_begins:
            return []
        with daemon.follow(offset=status.log_begins) as records:
            for record in records:
                body = record.body
                if record.kind == "WorkflowUploaded" and body["namespace"] == namespace:
                    name, content = body["spec"]["name"], body["source"]
                    number = body["snapshot"]
                    found.append(
                        WorkflowSnapshotMeta(number, name, namespace, content, record.time)
                    )
                if record.offset + 1 >= status.durable:
                    break
    wanted = [each for each in found if workflow_name in (None, each.workflow_name)]
    return page(wanted, limit, offset)


def get_workflow_snapshot(
    snapshot_id: int, namespace: str = "default"
) -> Optional[WorkflowSnapshotMeta]:
    """A version; None when there is none."""
    found = [each for each in list_workflow_snapshots(None, namespace) if each.id == snapshot_id]
    return found[0] if found else None


def delete_workflow_snapshot(snapshot_id: int) -> bool:
    """Raises `AiflowError`: a version goes with its workflow."""
    raise AiflowError("a version of a workflow is deleted with it: delete_workflow(NAME)")


def delete_workflow_snapshots(workflow_name: str, namespace: str = "default") -> bool:
    """Raises `AiflowError`: versions go with their workflow."""
    raise AiflowError("versions of a workflow are deleted with it: delete_workflow(NAME)")


def _compile(path: str) -> List[Any]:
    environment = {**os.environ, **program.environment()}
    command = [sys.executable, "-m", "aiflow.compiler", path]
    done = subprocess.run(command, stdout=subprocess.PIPE, env=environment, check=False)
    answer = json.loads(done.stdout)
    fault = answer.get("fault")
    if fault is not None:
        place = path if fault["line"] is None else "%s:%d" % (path, fault["line"])
        raise DefinitionError("%s: %s" % (place, fault["message"]), fault["hint"])
    compiled: List[Any] = answer["workflows"]
    return compiled


def _upload(daemon: Client, path: str, compiled: Any, artifacts: Sequence[str]) -> None:
    files = find_files(os.path.dirname(path), compiled["files"])
    known = {file.name for file in files}
    for artifact in artifacts:
        whole = os.path.abspath(artifact)
        further = find_files(os.path.dirname(whole), [os.path.basename(whole)])
        files.extend(file for file in further if file.name not in known)
        known.update(file.name for file in further)
    namespace = compiled["namespace"] or "default"
    daemon.upload_workflow(compiled["source"], _sorted(files), namespace=namespace)


def _sorted(files: List[FoundFile]) -> List[FoundFile]:
    return sorted(files, key=lambda file: file.name)


def _show(daemon: Client, compiled: Any) -> WorkflowInfo:
    namespace = compiled["namespace"] or "default"
    return daemon.show_workflow(compiled["workflow"], namespace=namespace)


def _meta(info: WorkflowInfo) -> WorkflowMeta:
    return WorkflowMeta(
        name=info.workflow,
        namespace=info.namespace,
        id=info.snapshot,
        is_enabled=info.enabled,
        content=info.source,
        create_time=info.uploaded_at,
        update_time=info.uploaded_at,
        snapshot_id=info.snapshot,
    )
