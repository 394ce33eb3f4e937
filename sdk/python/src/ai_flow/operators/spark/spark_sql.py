"""Tasks that are statements of Spark SQL, in AIFlow's form."""

from __future__ import annotations

from typing import Any, Optional

from ai_flow.model.job import JobOperator
from aiflow.jobs import SparkSql


class SparkSqlOperator(JobOperator):
    """A statement, as `aiflow.jobs.SparkSql` runs it."""

    def __init__(
        self,
        name: str,
        sql: str,
        master: str = "yarn",
        application_name: Optional[str] = None,
        executable_path: Optional[str] = None,
        **kwargs: Any,
    ) -> None:
        job = SparkSql(sql, master, application_name, executable_path)
        super().__init__(name, job, **kwargs)
