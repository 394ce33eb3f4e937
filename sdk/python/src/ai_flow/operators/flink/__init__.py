"""Tasks that are jobs of Apache Flink."""

from .flink_operator import FlinkOperator

__all__ = ["FlinkOperator"]
