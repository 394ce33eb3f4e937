"""The same as workflow.yaml, in Python: a month of flights, one model per hour.

    aiflow workflow upload examples/flight-delays/workflow.py
"""

from aiflow.workflow import Bash, Restart, Retry, Watermark, Workflow, after, every, on

FILES = ["task.py", "flights.py", "weather.py", "replay.py", "model.py", "ingest.py", "observe.py"]
FILES += ["train.py", "validate.py", "deploy.py", "data"]
AGAIN = Retry(3, backoff="2s..1m")
FOR_EVER = Restart("failure", backoff="1s..1m")

with Workflow("flight_delays", params={"days": 31, "speed": 7200}, files=FILES) as workflow:
    Bash("ingest", "exec python3 ingest.py", stream=True, restart=FOR_EVER)
    Bash("observe", "exec python3 observe.py", stream=True, restart=FOR_EVER)
    # Once for each hour that the lower of the two watermarks passes.
    train = Bash(
        "train",
        'exec python3 train.py "$AIFLOW_WINDOW_START" "$AIFLOW_WINDOW_END"',
        start=every(
            "1h",
            Watermark("flights.watermark", "weather.watermark"),
            from_="2013-01-01T05:00:00Z",
        ),
        retry=AGAIN,
        timeout="10m",
    )
    Bash("validate", "exec python3 validate.py", start=after(train), retry=AGAIN, timeout="10m")
    Bash(
        "deploy",
        "exec python3 deploy.py",
        start=on("model.validated", if_="value.mae < 15.0"),
        overlap="queue",
        retry=AGAIN,
        timeout="10m",
    )
