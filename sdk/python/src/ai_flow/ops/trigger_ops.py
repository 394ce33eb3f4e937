"""Schedules and triggers of workflows: what starts runs."""

from __future__ import annotations

from typing import Any, Callable, List, NamedTuple, Optional, Union

from ai_flow.model.internal.conditions import check_namespaces
from ai_flow.model.operator import read_schedule
from ai_flow.model.rule import WorkflowRule
from aiflow import Client, Rejected
from aiflow.conditions import write_condition
from aiflow.custom import inlined
from aiflow.views import TriggerInfo

from ._common import client, is_unknown, page


class TriggerMeta(NamedTuple):
    """A schedule or a trigger; `expression` is its condition in words."""

    id: int
    workflow_name: str
    namespace: str
    expression: str
    is_paused: bool
    create_time: object = None


def add_workflow_schedule(
    workflow_name: str, expression: str, namespace: str = "default"
) -> TriggerMeta:
    """Starts a run at each tick of `cron@...` or `interval@...`."""
    return _add(workflow_name, namespace, write_condition(read_schedule(expression)))


def add_workflow_trigger(
    rule: Union[WorkflowRule, str],
    workflow_name: Union[str, WorkflowRule],
    namespace: str = "default",
) -> TriggerMeta:
    """Starts a run each time that the rule's condition is met. Either may be given first."""
    if isinstance(rule, str):
        rule, workflow_name = workflow_name, rule
    if not isinstance(rule, WorkflowRule) or not isinstance(workflow_name, str):
        raise TypeError("add_workflow_trigger takes a WorkflowRule and the name of a workflow")
    check_namespaces(rule.condition, namespace)
    with inlined():
        condition = write_condition(rule.condition.native(None))
    return _add(workflow_name, namespace, condition)


def get_workflow_schedule(schedule_id: int) -> Optional[TriggerMeta]:
    """A schedule; None when there is none."""
    return _get(schedule_id, True)


def get_workflow_trigger(trigger_id: int) -> Optional[TriggerMeta]:
    """A trigger; None when there is none."""
    return _get(trigger_id, False)


def list_workflow_schedules(
    workflow_name: Optional[str] = None,
    namespace: str = "default",
    limit: Optional[int] = None,
    offset: Optional[int] = None,
) -> List[TriggerMeta]:
    """Schedules of a workflow."""
    return page(_list(workflow_name, namespace, True), limit, offset)


def list_workflow_triggers(
    workflow_name: Optional[str] = None,
    namespace: str = "default",
    limit: Optional[int] = None,
    offset: Optional[int] = None,
) -> List[TriggerMeta]:
    """Triggers of a workflow."""
    return page(_list(workflow_name, namespace, False), limit, offset)


def delete_workflow_schedule(schedule_id: int) -> bool:
    """Deletes a schedule."""
    return _do(Client.delete_trigger, [schedule_id])


def delete_workflow_trigger(trigger_id: int) -> bool:
    """Deletes a trigger."""
    return _do(Client.delete_trigger, [trigger_id])


def delete_workflow_schedules(workflow_name: str, namespace: str = "default") -> bool:
    """Deletes all schedules of a workflow."""
    return _do(Client.delete_trigger, [each.id for each in _list(workflow_name, namespace, True)])


def delete_workflow_triggers(workflow_name: str, namespace: str = "default") -> bool:
    """Deletes all triggers of a workflow."""
    return _do(Client.delete_trigger, [each.id for each in _list(workflow_name, namespace, False)])


def pause_workflow_schedule(schedule_id: int) -> bool:
    """Lets a schedule not tick."""
    return _do(Client.pause_trigger, [schedule_id])


def pause_workflow_trigger(trigger_id: int) -> bool:
    """Lets a trigger look at nothing."""
    return _do(Client.pause_trigger, [trigger_id])


def resume_workflow_schedule(schedule_id: int) -> bool:
    """Lets a schedule tick again, from now on."""
    return _do(Client.resume_trigger, [schedule_id])


def resume_workflow_trigger(trigger_id: int) -> bool:
    """Lets a trigger look again, from now on."""
    return _do(Client.resume_trigger, [trigger_id])


def _add(workflow: str, namespace: str, condition: Any) -> TriggerMeta:
    with client() as daemon:
        trigger = daemon.add_trigger(workflow, condition, namespace=namespace)
        return _meta(daemon.show_trigger(trigger))


def _get(trigger: int, schedule: bool) -> Optional[TriggerMeta]:
    with client() as daemon:
        try:
            info = daemon.show_trigger(int(trigger))
        except Rejected as error:
            if is_unknown(error):
                return None
            raise
    return _meta(info) if info.schedule == schedule else None


def _list(workflow: Optional[str], namespace: str, schedule: bool) -> List[TriggerMeta]:
    with client() as daemon:
        triggers = daemon.list_triggers(workflow, namespace=namespace)
    return [_meta(info) for info in triggers if info.schedule == schedule]


def _do(act: Callable[[Client, int], None], triggers: List[int]) -> bool:
    with client() as daemon:
        for trigger in triggers:
            act(daemon, int(trigger))
    return True


def _meta(info: TriggerInfo) -> TriggerMeta:
    return TriggerMeta(info.id, info.workflow, info.namespace, info.condition, info.paused)
