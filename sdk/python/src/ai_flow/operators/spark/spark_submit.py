"""Tasks that are applications of Apache Spark, in AIFlow's form."""

from __future__ import annotations

from typing import Any, Mapping, Optional

from ai_flow.model.job import JobOperator
from aiflow.jobs import SparkSubmit, Words


class SparkSubmitOperator(JobOperator):
    """An application of Spark, as `aiflow.jobs.SparkSubmit` runs it."""

    def __init__(
        self,
        name: str,
        application: str,
        application_args: Optional[Words] = None,
        executable_path: Optional[str] = None,
        master: str = "yarn",
        deploy_mode: str = "client",
        application_name: Optional[str] = None,
        submit_options: Optional[Words] = None,
        k8s_namespace: Optional[str] = None,
        env_vars: Optional[Mapping[str, str]] = None,
        **kwargs: Any,
    ) -> None:
        job = SparkSubmit(
            application,
            application_args,
            executable_path,
            master,
            deploy_mode,
            application_name,
            submit_options,
            k8s_namespace,
            env_vars,
        )
        super().__init__(name, job, **kwargs)
