"""DBOS: workflows run directly in the process that calls. Its own environment.

python dbos_steps.py both <case> <amount> <prefix>
"""

import os
import sqlite3  # noqa: TID251 - the peer's own library
import time

from dbos import DBOS, SetWorkflowID

from benchmarks.durable.driving import drive

CALLERS = int(os.environ.get("BENCH_CALLERS", "8"))
SQLITE = "sqlite:///"


@DBOS.step()
def stamp(_: int) -> int:
    """Do nothing but say when."""
    return time.monotonic_ns()


@DBOS.workflow()
def steps(count: int) -> list[int]:
    """Return when each of so many steps began."""
    return [stamp(number) for number in range(count)]


def execute(workflow_id: str, count: int) -> list[int]:
    """Run one workflow."""
    with SetWorkflowID(workflow_id):
        return steps(count)


def main() -> None:
    """Do as told."""
    url = os.environ["BENCH_URL"]
    if os.environ.get("BENCH_WAL"):
        with sqlite3.connect(url.removeprefix(SQLITE)) as file:
            file.execute("PRAGMA journal_mode = WAL")  # the file remembers it
    DBOS(
        config={
            "name": "bench",
            "system_database_url": url,
            "executor_id": f"bench-{os.getpid()}",
            "log_level": "ERROR",
        }
    )
    DBOS.launch()
    try:
        drive(execute, CALLERS)
    finally:
        DBOS.destroy()


if __name__ == "__main__":
    main()
