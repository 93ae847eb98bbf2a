"""The command's part about workflows, on a real store."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from workflows.cli import main
from workflows.client import BlockingClient, WorkflowHistory

pytestmark = pytest.mark.integration
START = ("start", "Diary", "--task-queue", "diaries", "--id", "d", "--arg", "1")


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    url = f"sqlite:///{tmp_path}/runs.db"
    monkeypatch.setenv("WORKFLOWS_STORE", url)
    return url


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(arguments) == 0
    return capsys.readouterr().out


def fails(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(arguments) == 1
    return capsys.readouterr().err


def test_a_workflow_is_started_shown_signalled_and_ended(
    capsys: pytest.CaptureFixture[str],
) -> None:
    started = said(capsys, *START)
    run_id = started.split()[-1]
    assert started == f"d run {run_id}\n"
    assert "running" in said(capsys, "list", "--status", "running", "--type", "Diary")
    assert said(capsys, "list", "--status", "failed") == ""
    said(capsys, "signal", "d", "write", "--arg", '"a line"')
    said(capsys, "cancel", "d", "--reason", "rain")
    said(capsys, "terminate", "d", "--run-id", run_id, "--reason", "enough")
    shown = said(capsys, "show", "d")
    assert f"run id       {run_id}" in shown
    assert "WORKFLOW_EXECUTION_TERMINATED" in shown


def test_an_export_is_a_history_that_clients_read(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    said(capsys, *START)
    text = said(capsys, "export", "d")
    said(capsys, "export", "d", "--output", "d.json")
    assert (tmp_path / "d.json").read_text() == text
    history = WorkflowHistory.from_json("d", text)
    assert history.to_json_dict() == json.loads(text)


def test_why_names_the_worker_that_is_missing_and_the_end(
    capsys: pytest.CaptureFixture[str],
) -> None:
    said(capsys, *START)
    text = said(capsys, "why", "d")
    assert text.startswith("d (Diary) waits for\n- a worker to take its workflow task")
    assert "unblock  no living worker serves the queue 'diaries': start one" in text
    said(capsys, "terminate", "d")
    assert said(capsys, "why", "d").startswith("d waits for nothing: it is terminated")


def test_why_tells_when_a_delayed_start_is_due(
    capsys: pytest.CaptureFixture[str],
) -> None:
    said(capsys, *START, "--delay", "3600")
    text = said(capsys, "why", "d")
    assert "the time of its first workflow task" in text
    assert "(in 0:59:5" in text or "(in 1:00:00)" in text


def test_what_cannot_be_done_is_said_in_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert fails(capsys, "show", "d") == "RPCError: workflow not found for ID: d\n"
    said(capsys, *START)
    assert "already started" in fails(capsys, *START)
    late = fails(capsys, "query", "d", "read", "--timeout", "0.02")
    assert late.startswith("RPCError: the query was not answered within 0.02 s")
    said(capsys, "terminate", "d")
    assert "already completed" in fails(capsys, "signal", "d", "write")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("start", "D", "--task-queue", "q", "--arg", "text"), "needs quotes"),
        (("start", "D"), "--task-queue"),
        (("start", "D", "--task-queue", "q", "--reuse", "never"), "allow_duplicate"),
        (("list", "--status", "tired"), "use one of running, completed"),
        (("query", "d", "read", "--timeout", "soon"), "not a number of seconds"),
    ],
)
def test_wrong_arguments_are_explained(
    arguments: tuple[str, ...], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert text in capsys.readouterr().err


def test_a_client_finds_what_the_command_started(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said(capsys, *START)
    for target in (store, None, "localhost:7233"):
        client = BlockingClient.connect(target)
        assert client.get_workflow_handle("d").describe().workflow_type == "Diary"


def test_result_prints_what_came_out_or_says_why_nothing_did(
    capsys: pytest.CaptureFixture[str],
) -> None:
    said(capsys, *START)
    late = fails(capsys, "result", "d", "--timeout", "0.02")
    assert late.startswith("RPCError: ")
    said(capsys, "terminate", "d", "--reason", "enough")
    ended = fails(capsys, "result", "d")
    assert ended == "Workflow execution failed: TerminatedError: enough\n"


def test_doctor_lists_what_is_registered_and_is_content_without_jobs(
    store: str, tmp_path: Path
) -> None:
    (tmp_path / "flows.py").write_text(
        "from tests.integration.client_workflows import ACTIVITIES, WORKFLOWS\n"
        "from workflows.app import huey\n"
        "huey.register_workflows('q', workflows=WORKFLOWS, activities=ACTIVITIES)\n"
    )
    paths = f"{tmp_path}:{Path(__file__).parents[2]}"
    environment = {"WORKFLOWS_IMPORTS": "flows", "WORKFLOWS_STORE": store}
    done = subprocess.run(
        [sys.executable, "-m", "workflows", "doctor"],
        env=os.environ | environment | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "workflow Diary: task queue q" in done.stdout
    assert "activity add_one: task queue q" in done.stdout
    assert "no_jobs" not in done.stderr
