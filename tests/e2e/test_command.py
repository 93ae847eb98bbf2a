"""The command `workflows` as a user runs it: real processes on a store of its own."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.servers import free_port
from workflows.cli import main

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "workflows")


@pytest.fixture(params=["sqlite", "redis"])
def environment(request: pytest.FixtureRequest) -> dict[str, str]:
    """An environment whose only setting is the store."""
    keep = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("WORKFLOWS_", "REDIS_", "WHATSAPP_"))
    }
    url = "sqlite:///./var/jobs.db"
    if request.param == "redis":
        url = request.getfixturevalue("valkey").url
    namespace = f"command-{free_port()}"
    return keep | {
        "WORKFLOWS_STORE": url,
        "WORKFLOWS_NAMESPACE": namespace,
        "PYTHONPATH": str(ROOT),
    }


@pytest.fixture
def run(
    environment: dict[str, str], tmp_path: Path
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command to its end in an empty folder."""

    def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *arguments],
            cwd=tmp_path,
            env=environment | settings,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


@contextmanager
def running(
    environment: dict[str, str], folder: Path, *arguments: str
) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """`workflows run` and the port of its API; nothing is left at the end."""
    port = free_port()
    with (folder / "output").open("w") as output:
        program = subprocess.Popen(
            [*COMMAND, "run", "--port", str(port), *arguments],
            cwd=folder,
            env=environment,
            stdout=output,
            stderr=output,
            text=True,
        )
        try:
            yield program, port
        finally:
            if program.poll() is None:
                program.send_signal(signal.SIGINT)
                program.wait(timeout=60)


def wait_for(condition: Callable[[], bool], seconds: float = 40) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.1)


def totals(port: int) -> dict[str, Any]:
    """Return the totals of the API's metrics; nothing while it is not there."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/api/v1/queue/metrics")
        body = json.loads(connection.getresponse().read())
        found: dict[str, Any] = body["data"]["totals"]
    except (OSError, http.client.HTTPException):
        return {}
    finally:
        connection.close()
    return found


def test_run_with_demo_shows_jobs_flow_and_stops_cleanly(
    environment: dict[str, str], tmp_path: Path, run: Callable[..., Any]
) -> None:
    with running(environment, tmp_path, "--demo") as (program, port):
        told = "[order_received] order_received_v1("
        wait_for(lambda: told in (tmp_path / "output").read_text(), 60)
        assert totals(port)["completed"] >= 1
        program.send_signal(signal.SIGINT)
        assert program.wait(timeout=60) == 0
    output = (tmp_path / "output").read_text()
    assert f"http://127.0.0.1:{port}/api/v1/queue/metrics" in output
    assert "Traceback" not in output
    checked = run("doctor", "--fsck")
    assert checked.returncode == 0, checked.stdout
    assert "fsck: every invariant holds" in checked.stdout


def test_run_fails_when_a_part_of_it_dies(
    environment: dict[str, str], tmp_path: Path
) -> None:
    with running(environment, tmp_path) as (program, port):
        wait_for(lambda: bool(totals(port)))
        children = Path(f"/proc/{program.pid}/task/{program.pid}/children")
        consumer = int(children.read_text().split()[0])
        os.kill(consumer, signal.SIGKILL)
        assert program.wait(timeout=60) == 1
    output = (tmp_path / "output").read_text()
    assert "consumer ended by itself (killed by SIGKILL)" in output


def test_run_starts_nothing_on_a_store_that_is_not_there(
    run: Callable[..., Any],
) -> None:
    url = f"redis://127.0.0.1:{free_port()}/0"
    refused = run("run", "--port", str(free_port()), WORKFLOWS_STORE=url)
    assert refused.returncode == 1
    [line] = refused.stderr.splitlines()
    assert line.startswith("StoreUnavailableError: ")


def test_run_refuses_a_port_that_is_taken(run: Callable[..., Any]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        refused = run("run", "--port", str(port))
    assert refused.returncode == 1
    assert f"127.0.0.1:{port} is taken" in refused.stderr


PROGRAMS = {
    "doctor": (*COMMAND, "doctor"),
    "run": (*COMMAND, "run", "--port", "1"),
    "demo": (*COMMAND, "demo", "day"),
    "consumer": (sys.executable, "-m", "huey.bin.huey_consumer", "workflows.main.huey"),
    "api": (
        *(sys.executable, "-m", "gunicorn", "--bind", "127.0.0.1:0"),
        *("-c", str(ROOT / "deploy" / "gunicorn.conf.py"), "api.wsgi:application"),
    ),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_wrong_settings_end_every_program_with_78_and_one_line_each(
    name: str, tmp_path: Path
) -> None:
    settings = {"WORKFLOWS_LEASE": "0", "WORKFLOWS_LOG_FORMAT": "xml"}
    assert refusal(PROGRAMS[name], tmp_path, settings) == [
        "Wrong settings",
        "WORKFLOWS_LEASE",
        "WORKFLOWS_LOG_FORMAT",
    ]


@pytest.mark.parametrize("name", PROGRAMS)
def test_wrong_settings_of_the_jobs_do_the_same(name: str, tmp_path: Path) -> None:
    lines = refusal(PROGRAMS[name], tmp_path, {"WHATSAPP_MAX_MPS": "0"})
    assert lines[-2:] == ["Wrong settings", "WHATSAPP_MAX_MPS"]


@pytest.mark.parametrize("name", ["consumer", "api"])
def test_a_codec_that_is_not_there_does_the_same(name: str, tmp_path: Path) -> None:
    setting = {"WORKFLOWS_PAYLOAD_CODEC": "no.such:codec"}
    lines = refusal(PROGRAMS[name], tmp_path, setting)
    assert lines[-2:] == ["Wrong settings", "WORKFLOWS_PAYLOAD_CODEC"]


@pytest.mark.parametrize("name", ["doctor", "run", "consumer", "api"])
@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("WORKFLOWS_IMPORTS", "no.such.module"),
        ("WORKFLOWS_STORE", "sqlite:///x.db?durability=none"),
    ],
)
def test_what_shows_only_when_jobs_are_loaded_is_a_wrong_setting_too(
    name: str, variable: str, value: str, tmp_path: Path
) -> None:
    lines = refusal(PROGRAMS[name], tmp_path, {variable: value})
    assert lines[-2:] == ["Wrong settings", variable]


@pytest.mark.parametrize("name", ["doctor", "consumer"])
def test_modules_of_jobs_are_found_in_the_working_directory(
    name: str, tmp_path: Path
) -> None:
    (tmp_path / "own.py").write_text("print('own.py is loaded', flush=True)")
    script, *arguments = {
        "doctor": ("workflows", "doctor"),
        "consumer": ("huey_consumer", "workflows.main.huey", "-kgreenlet"),  # refused
    }[name]
    ended = subprocess.run(
        [str(Path(sys.executable).parent / script), *arguments],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT), "WORKFLOWS_IMPORTS": "own"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "own.py is loaded" in ended.stdout
    assert "no_jobs: own declared no jobs and registered no workflows" in ended.stderr


def refusal(
    program: tuple[str, ...], folder: Path, settings: dict[str, str]
) -> list[str]:
    """Run what must refuse to start; return what its lines are about."""
    ended = subprocess.run(
        program,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | settings,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 78, ended.stderr
    assert "Traceback" not in ended.stderr
    return [line.split(":")[0] for line in ended.stderr.splitlines()[-3:]]


def test_a_store_that_is_not_there_is_one_clear_line(run: Callable[..., Any]) -> None:
    url = f"redis://me:geheim@127.0.0.1:{free_port()}/0"
    ended = run("doctor", WORKFLOWS_STORE=url)
    assert ended.returncode == 1
    assert ended.stderr.startswith("StoreUnavailableError: ")
    assert "geheim" not in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_reader_that_has_seen_enough_is_no_traceback(
    environment: dict[str, str], tmp_path: Path
) -> None:
    reader, writer = os.pipe()
    os.close(reader)  # as `workflows doctor | head -1` does, at once
    try:
        ended = subprocess.run(
            [*COMMAND, "doctor"],
            cwd=tmp_path,
            env=environment,
            stdout=writer,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    finally:
        os.close(writer)
    assert (ended.returncode, ended.stderr) == (1, b"")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run", "--port", "99999"), "a port is a number from 1 to 65535"),
        (("run", "--port", "0"), "a port is a number from 1 to 65535"),
        (("run", "--workers", "0"), "workers are a number from 1 to 1000"),
        (("demo", "crash", "--rate", "0"), "a rate is a number from 0.01 to 100"),
        (("demo", "crash", "--rate", "nan"), "a rate is a number from 0.01 to 100"),
        (("demo", "crash", "--kills", "-1"), "kills are a number from 0 to 1000"),
        (("demo", "crash", "--orders", "0"), "orders are a number from 1 to 10000"),
        (("demo", "crash", "--store", "mysql://x"), "is neither sqlite nor the URL"),
    ],
)
def test_a_number_that_means_nothing_is_refused_in_a_line(
    arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err.splitlines()[-1]
