"""Rules that look at tasks of another workflow."""

from ai_flow.model.action import TaskAction
from ai_flow.model.internal.conditions import TaskStatusAllMetCondition, TaskStatusCondition
from ai_flow.model.status import TaskStatus
from ai_flow.model.workflow import Workflow
from ai_flow.operators.bash import BashOperator

with Workflow(name="elsewhere_load") as load:
    BashOperator(name="east", bash_command="true")
    west = BashOperator(name="west", bash_command="true")
    west.action_on_event_received(TaskAction.START, "compat.west")


def loaded(task):
    return TaskStatusCondition("elsewhere_load", task, "default", TaskStatus.SUCCESS)


with Workflow(name="elsewhere_report") as report:
    one = BashOperator(name="one", bash_command="echo one")
    one.action_on_condition(TaskAction.START, loaded("east"))
    both = BashOperator(name="both", bash_command="echo both")
    both.action_on_condition(
        TaskAction.START,
        TaskStatusAllMetCondition(
            [
                loaded("east"),
                loaded("west"),
                TaskStatusCondition("elsewhere_report", "one", "default", TaskStatus.SUCCESS),
            ]
        ),
    )
