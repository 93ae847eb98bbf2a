"""The API as processes: start, refusal, reload under load, stop."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.integration.api_server import ROOT, ApiServer, free_port, serve
from tests.servers import ValkeyServer

NOTE = {"name": "take_note", "data": {}}
JOBS = "/api/v1/queues/notes/jobs"


@pytest.mark.parametrize("address", ["0.0.0.0", "[::]"])
def test_the_api_serves_no_strangers_unless_told_to(
    address: str, tmp_path: Path
) -> None:
    config = str(ROOT / "deploy" / "gunicorn.conf.py")
    bind = f"{address}:{free_port()}"
    run = subprocess.run(
        [sys.executable, "-m", "gunicorn", "-c", config, "-b", bind, "x:y"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert run.returncode == 78
    assert "has no authentication" in run.stderr
    assert "WORKFLOWS_ALLOW=open-api" in run.stderr


def test_the_api_serves_strangers_when_told_to(tmp_path: Path) -> None:
    settings = {
        "WORKFLOWS_ALLOW": "open-api",
        "WORKFLOWS_API_BIND": f"0.0.0.0:{(port := free_port())}",
    }
    with serve(f"sqlite:///{tmp_path}/jobs.db", tmp_path, port=port, **settings) as api:
        assert api.post(JOBS, NOTE).status == 201


def test_a_reload_under_load_fails_no_request(tmp_path: Path) -> None:
    with serve(
        f"sqlite:///{tmp_path}/jobs.db", tmp_path, WORKFLOWS_API_WORKERS="2"
    ) as api:
        answers: list[int] = []
        stop = threading.Event()
        clients = [
            threading.Thread(target=_send_until, args=(api, stop, answers))
            for _ in range(3)
        ]
        for client in clients:
            client.start()
        try:
            for _ in range(2):
                old, before = children(api), len(answers)
                api.process.send_signal(signal.SIGHUP)
                until = time.monotonic() + 30
                while children(api) & old or len(answers) < before + 10:
                    assert time.monotonic() < until, "the old workers are still there"
                    time.sleep(0.1)
        finally:
            stop.set()
            for client in clients:
                client.join()
        assert set(answers) == {201}
        assert api.get("/api/v1/queue/metrics/notes").data["waiting"] == len(answers)


def children(api: ApiServer) -> set[int]:
    """The process ids of its workers."""
    pid = api.process.pid
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return {int(child) for child in listed.split()}


def _send_until(api: ApiServer, stop: threading.Event, answers: list[int]) -> None:
    while not stop.is_set():
        try:
            answers.append(api.post(JOBS, NOTE).status)
        except OSError as error:
            answers.append(-(error.errno or 1))


def test_a_stop_lets_a_running_request_finish(tmp_path: Path) -> None:
    with ValkeyServer() as server, serve(server.url, tmp_path) as api:
        assert api.post(JOBS, NOTE).status == 201
        server.freeze()
        answers: list[int] = []
        waiting = threading.Thread(
            target=lambda: answers.append(api.get("/api/v1/queue/metrics").status)
        )
        waiting.start()
        time.sleep(0.5)
        api.process.terminate()
        waiting.join()
        assert api.process.wait(10) == 0
        server.thaw()
        assert answers == [503]


def test_a_worker_that_is_killed_is_replaced(tmp_path: Path) -> None:
    with serve(f"sqlite:///{tmp_path}/jobs.db", tmp_path) as api:
        job_id = api.post(JOBS, NOTE).data["jobId"]
        for child in children(api):
            os.kill(child, signal.SIGKILL)
        answer, until = None, time.monotonic() + 20
        while time.monotonic() < until:
            try:
                answer = api.get(f"/api/v1/jobs/{job_id}")
                break
            except OSError:
                time.sleep(0.1)
        assert answer is not None, "no new worker"
        assert answer.data["state"] == "waiting"


def test_each_request_is_one_json_line(tmp_path: Path) -> None:
    with serve(
        f"sqlite:///{tmp_path}/jobs.db", tmp_path, WORKFLOWS_LOG_FORMAT="json"
    ) as api:
        api.request("GET", "/nowhere?secret=1", headers={"X-Request-ID": "request-1"})
        api.get("/health/live")
    lines = (tmp_path / "api.log").read_text().splitlines()
    logged = [json.loads(line) for line in lines if line.startswith("{")]
    requests = [line for line in logged if line["logger"] == "api.access"]
    (line,) = requests
    assert (line["path"], line["status"]) == ("/nowhere", 404)
    assert line["request_id"] == "request-1"
    assert "secret" not in str(line)
