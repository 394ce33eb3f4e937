"""What a client changes: namespaces, workflows, triggers, runs and tasks.

Must never repeat a call that would then be done twice: those that the daemon knows again by a
`request` are given one, the others are not repeated.
"""

from __future__ import annotations

import json
import os
from datetime import datetime
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional, Sequence, Union

from .errors import NotInTask
from .ids import new_id
from .times import format_time
from .views import NamespaceInfo, Output, TriggerInfo, Uploaded, WorkflowInfo, read, read_list

if TYPE_CHECKING:
    from .files import FoundFile


class Control:
    """Calls that change something, and those that show what was changed."""

    _namespace: str

    def _ask(self, method: str, params: Mapping[str, Any], repeatable: bool = True) -> Any:
        raise NotImplementedError

    # Namespaces.

    def add_namespace(
        self, namespace: str, properties: Optional[Mapping[str, Any]] = None
    ) -> None:
        """Adds a namespace, with what is said of it; one that is there stays."""
        self._ask("namespace.add", {"namespace": namespace, "properties": dict(properties or {})})

    def update_namespace(self, namespace: str, properties: Mapping[str, Any]) -> None:
        """Changes what is said of a namespace; None takes a property away."""
        self._ask("namespace.update", {"namespace": namespace, "properties": dict(properties)})

    def list_namespaces(self) -> List[NamespaceInfo]:
        """All namespaces."""
        return read_list(NamespaceInfo, self._ask("namespace.list", {}))

    def delete_namespace(self, namespace: str) -> None:
        """Deletes a namespace without workflows."""
        self._ask("namespace.delete", {"namespace": namespace}, False)

    # Workflows.

    def upload_workflow(
        self, source: str, files: "Sequence[FoundFile]" = (), *, namespace: Optional[str] = None
    ) -> Uploaded:
        """Stores a definition in YAML, with its files (`aiflow.files.find_files`)."""
        for file in files:
            for piece in file.pieces():
                self._ask("file.put", piece)
        upload = {
            "source": source,
            "namespace": namespace or self._namespace,
            "files": [file.entry() for file in files],
        }
        return read(Uploaded, self._ask("workflow.upload", upload))

    def list_workflows(self, namespace: Optional[str] = None) -> List[WorkflowInfo]:
        """Workflows of one namespace, or all."""
        return read_list(WorkflowInfo, self._ask("workflow.list", {"namespace": namespace}))

    def show_workflow(self, workflow: str, *, namespace: Optional[str] = None) -> WorkflowInfo:
        """A workflow with its text."""
        return read(WorkflowInfo, self._ask("workflow.show", self._named(workflow, namespace)))

    def enable_workflow(self, workflow: str, *, namespace: Optional[str] = None) -> None:
        """Lets it start runs again."""
        self._ask("workflow.enable", self._named(workflow, namespace))

    def disable_workflow(self, workflow: str, *, namespace: Optional[str] = None) -> None:
        """Lets it start nothing new."""
        self._ask("workflow.disable", self._named(workflow, namespace))

    def delete_workflow(self, workflow: str, *, namespace: Optional[str] = None) -> None:
        """Deletes it with its triggers and runs, all of which have to have ended."""
        self._ask("workflow.delete", self._named(workflow, namespace), False)

    # Triggers and schedules.

    def add_trigger(
        self,
        workflow: str,
        condition: Union[str, Mapping[str, Any]],
        *,
        namespace: Optional[str] = None,
        request: Optional[str] = None,
    ) -> int:
        """Starts a run each time that a condition is met: YAML, or what `write` of one gives."""
        text = condition if isinstance(condition, str) else json.dumps(condition)
        asked = {"condition": text, "request": request or new_id()}
        added = self._ask("trigger.add", {**self._named(workflow, namespace), **asked})
        trigger: int = added["trigger"]
        return trigger

    def list_triggers(
        self, workflow: Optional[str] = None, *, namespace: Optional[str] = None
    ) -> List[TriggerInfo]:
        """Triggers, schedules among them, of one workflow or all."""
        query = {"workflow": workflow, "namespace": namespace}
        return read_list(TriggerInfo, self._ask("trigger.list", query))

    def show_trigger(self, trigger: int) -> TriggerInfo:
        """A trigger."""
        return read(TriggerInfo, self._ask("trigger.show", {"trigger": trigger}))

    def pause_trigger(self, trigger: int) -> None:
        """Lets it look at nothing."""
        self._ask("trigger.pause", {"trigger": trigger})

    def resume_trigger(self, trigger: int) -> None:
        """Lets it look again, from now on."""
        self._ask("trigger.resume", {"trigger": trigger})

    def delete_trigger(self, trigger: int) -> None:
        """Deletes it."""
        self._ask("trigger.delete", {"trigger": trigger}, False)

    # Runs.

    def stop_run(self, run: int) -> int:
        """Stops a run; gives how many executions are being stopped."""
        stopping: int = self._ask("execution.stop", {"run": run}, False)["stopping"]
        return stopping

    def pause_run(self, run: int) -> None:
        """Lets nothing new start in it."""
        self._ask("execution.pause", {"run": run})

    def resume_run(self, run: int) -> None:
        """Lets it go on."""
        self._ask("execution.resume", {"run": run})

    def delete_run(self, run: int) -> None:
        """Deletes a run that has ended."""
        self._ask("execution.delete", {"run": run}, False)

    # Tasks.

    def start_task(self, run: int, task: str) -> None:
        """Starts a task of a run."""
        self._ask("task.start", {"run": run, "task": task}, False)

    def stop_task(self, run: int, task: str) -> int:
        """Stops what is alive of a task; gives how many executions are being stopped."""
        named = {"run": run, "task": task}
        stopping: int = self._ask("task.stop", named, False)["stopping"]
        return stopping

    def restart_task(self, run: int, task: str) -> None:
        """Stops what is alive of a task and starts it anew."""
        self._ask("task.restart", _request(run, task, None))

    def skip_task(self, run: int, task: str, sequence: Optional[int] = None) -> None:
        """What comes after goes on as after a success; the task itself does not run."""
        self._ask("task.skip", _request(run, task, sequence))

    def mark_success(self, run: int, task: str, sequence: Optional[int] = None) -> None:
        """Has it count as a success, whatever it was."""
        self._ask("task.mark_success", _request(run, task, sequence))

    def rerun_task(
        self, run: int, task: str, sequence: Optional[int] = None, *, from_here: bool = False
    ) -> None:
        """Runs an execution again; `from_here`: what comes after it too."""
        asked = {**_request(run, task, sequence), "from_here": from_here}
        self._ask("task.rerun", asked)

    def set_output(self, name: str, value: Any) -> None:
        """Inside a task: says something of its work, which tasks after it and filters see.

        Raises `NotInTask`.
        """
        token = os.environ.get("AIFLOW_TOKEN")
        if not token:
            raise NotInTask("AIFLOW_TOKEN is not set: an output is a task's")
        self._ask("output.set", {"token": token, "name": name, "value": value})

    def list_outputs(
        self, run: int, task: Optional[str] = None, *, name: Optional[str] = None
    ) -> List[Output]:
        """What the tasks of a run, or one of them, said of their work."""
        query = {"run": run, "task": task, "name": name}
        return read_list(Output, self._ask("output.list", query))

    def backfill(
        self,
        run: int,
        task: str,
        from_: datetime,
        to: Optional[datetime] = None,
        *,
        parallel: int = 1,
    ) -> int:
        """Runs windows of the task's clock anew, or those before it began; gives how many."""
        asked = {**_request(run, task, None), "from": format_time(from_), "parallel": parallel}
        if to is not None:
            asked["to"] = format_time(to)
        windows: int = self._ask("task.backfill", asked)["windows"]
        return windows

    def _named(self, workflow: str, namespace: Optional[str]) -> Dict[str, Any]:
        return {"workflow": workflow, "namespace": namespace or self._namespace}


def _request(run: int, task: str, sequence: Optional[int]) -> Dict[str, Any]:
    return {"run": run, "task": task, "sequence": sequence, "request": new_id()}
