"""Spark applications and statements."""

from ai_flow.model.action import TaskAction
from ai_flow.model.status import TaskStatus
from ai_flow.model.workflow import Workflow
from ai_flow.operators.bash import BashOperator
from ai_flow.operators.python import PythonOperator
from ai_flow.operators.spark.spark_sql import SparkSqlOperator
from ai_flow.operators.spark.spark_submit import SparkSubmitOperator

with Workflow(name="spark_jobs") as workflow:
    submit = SparkSubmitOperator(
        name="submit", application="job.py", application_args=["a", "b"], master="local[2]",
        application_name="my app", submit_options="--conf spark.x=1", env_vars={"WHO": "me"},
    )
    sql = SparkSqlOperator(name="sql", sql="SELECT 1", master="local")
    sql.start_after(submit)
