"""Functions that are methods, lambdas and partial applications."""

from ai_flow.model.action import TaskAction
from ai_flow.model.status import TaskStatus
from ai_flow.model.workflow import Workflow
from ai_flow.operators.bash import BashOperator
from ai_flow.operators.python import PythonOperator

import functools


class Model:
    def __init__(self, name):
        self.name = name

    def train(self):
        print("training", self.name)


def evaluate(model, metric):
    print("evaluating", model, metric)


with Workflow(name="python_bound") as workflow:
    train = PythonOperator(name="train", python_callable=Model("m1").train)
    evaluate_it = PythonOperator(name="evaluate", python_callable=functools.partial(evaluate, "m1"), op_args=["auc"])
    inline = PythonOperator(name="inline", python_callable=lambda: print("inline"))
    evaluate_it.start_after(train)
    inline.start_after([train, evaluate_it])
