"""Tasks that are jobs of Apache Flink, in AIFlow's form."""

from __future__ import annotations

from typing import Any, Optional

from ai_flow.model.job import JobOperator
from aiflow.jobs import Flink, Words


class FlinkOperator(JobOperator):
    """A job of Flink, as `aiflow.jobs.Flink` runs it."""

    def __init__(
        self,
        name: str,
        application: str,
        target: Optional[str] = None,
        application_args: Optional[Words] = None,
        executable_path: Optional[str] = None,
        application_mode: bool = False,
        stop_with_savepoint: bool = False,
        kubernetes_cluster_id: Optional[str] = None,
        command_options: Optional[Words] = None,
        jobs_info_poll_interval: float = 1,
        **kwargs: Any,
    ) -> None:
        job = Flink(
            application,
            target,
            application_args,
            executable_path,
            application_mode,
            stop_with_savepoint,
            kubernetes_cluster_id,
            command_options,
            jobs_info_poll_interval,
        )
        super().__init__(name, job, **kwargs)
