"""The API does what its description says: checked by schemathesis over real HTTP.

Few random examples beside the values at the edges; `HYPOTHESIS_PROFILE=full` has many.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.api_server import ApiServer, serve

FULL = os.environ.get("HYPOTHESIS_PROFILE") == "full"
EXAMPLES, SECONDS = (50, 1800) if FULL else (5, 110)

CONFIG = """
seed = 20260101
request-timeout = 10
max-failures = 10
[checks.positive_data_acceptance]
# A schema cannot say all: 1.0 is an integer in JSON Schema, a cursor fits one list.
expected-statuses = ["2xx", 400, 404, 409, 415, 422]
[phases.stateful]
enabled = false
[parameters]
"query.waitMs" = 0
[[operations]]
# Nobody answers here: it would wait for each of them.
include-name = "POST /api/v1/workflows/{workflowId}/queries"
parameters = { "path.workflowId" = "nobody" }
"""
REAL_NAMES = """
"path.queue" = "notes"
"path.jobId" = "note-1"
"path.scheduleId" = "nightly"
"path.workflowId" = "order-1"
"""


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    folder: Path = tmp_path_factory.mktemp("schema")
    with serve(f"sqlite:///{folder}/jobs.db", folder) as server:
        note = {"name": "take_note", "data": {}}
        job = {**note, "opts": {"jobId": "note-1", "delayMs": 3_600_000}}
        assert server.post("/api/v1/queues/notes/jobs", job).status == 201
        nightly = {**note, "cron": "0 0 * * *"}
        path = "/api/v1/schedules/nightly"
        assert server.request("PUT", path, nightly).status == 201
        order = {"type": "Order", "taskQueue": "orders", "workflowId": "order-1"}
        assert server.post("/api/v1/workflows", order).status == 201
        yield server
        log = (folder / "api.log").read_text()
        assert "Traceback" not in log
        assert '"status": 500' not in log
        assert "status=500" not in log


@pytest.mark.timeout(SECONDS + 60)
@pytest.mark.parametrize("names", ["", REAL_NAMES], ids=["any names", "real names"])
def test_every_answer_is_as_described(
    api: ApiServer, names: str, tmp_path: Path
) -> None:
    config = CONFIG.replace("[parameters]\n", f"[parameters]\n{names}")
    (tmp_path / "schemathesis.toml").write_text(config)
    url = f"http://127.0.0.1:{api.port}/openapi.json"
    command = (
        "schemathesis.cli",
        "run",
        url,
        "--max-examples",
        str(EXAMPLES),
        "--no-color",
    )
    run = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-8000:] + run.stderr[-2000:]
