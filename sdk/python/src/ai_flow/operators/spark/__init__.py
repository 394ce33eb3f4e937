"""Tasks that are applications of Apache Spark."""

from .spark_sql import SparkSqlOperator
from .spark_submit import SparkSubmitOperator

__all__ = ["SparkSqlOperator", "SparkSubmitOperator"]
