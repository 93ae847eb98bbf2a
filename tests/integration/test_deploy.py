"""The files of deploy/ are accepted by the programs that read them."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers import ValkeyServer
from workflows.settings import Settings, load_settings

DEPLOY = Path(__file__).parents[2] / "deploy"
UNITS = ("workflows-api.service", "workflows-worker@.service")
INSTALLED = "/opt/huey-workflows"

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="no systemd-analyze on this machine"
)


@pytest.fixture
def units(tmp_path: Path) -> list[Path]:
    """The units, with the folder of the installation moved to where programs are.

    systemd refuses a program that is not there; nothing else is changed.
    """
    (tmp_path / ".venv").symlink_to(sys.prefix)
    for name in UNITS:
        text = (DEPLOY / name).read_text()
        (tmp_path / name).write_text(text.replace(INSTALLED, str(tmp_path)))
    return [tmp_path / name for name in UNITS]


def analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"SYSTEMD_PAGER": "", "SYSTEMD_COLORS": "0"},
    )


@needs_systemd
def test_systemd_finds_nothing_to_say_about_the_units(units: list[Path]) -> None:
    verified = analyze("verify", *units)
    assert (verified.returncode, verified.stdout + verified.stderr) == (0, "")


@needs_systemd
def test_the_check_notices_a_misspelt_directive(units: list[Path]) -> None:
    text = units[0].read_text()
    units[0].write_text(text.replace("Restart=on-failure", "Restrat=on-failure"))
    assert "Restrat" in analyze("verify", units[0]).stderr


@needs_systemd
@pytest.mark.parametrize("unit", UNITS)
def test_the_units_are_exposed_to_little(unit: str) -> None:
    rated = analyze(
        "security", "--offline=true", "--threshold=15", "--no-pager", DEPLOY / unit
    )
    assert rated.returncode == 0, rated.stdout[-300:]


def test_stopping_a_worker_drains_it_before_systemd_loses_patience() -> None:
    unit = (DEPLOY / "workflows-worker@.service").read_text()
    assert "huey_consumer workflows.main.huey -w 16 -g TERM -t 55\n" in unit
    assert "\nKillMode=mixed\nKillSignal=SIGTERM\nTimeoutStopSec=65\n" in unit


@pytest.mark.parametrize(("code", "loads"), [("", True), ("not Python", False)])
def test_a_reload_of_the_api_first_tries_whether_the_new_code_loads(
    code: str, loads: bool, tmp_path: Path
) -> None:
    unit = (DEPLOY / "workflows-api.service").read_text()
    trial, kill = re.findall(r"^ExecReload=(.*)$", unit, re.M)
    assert kill.startswith("/bin/kill -HUP")
    program, *arguments = shlex.split(trial)
    assert program.endswith("/python")
    (tmp_path / "own.py").write_text(code)
    ended = subprocess.run(
        [sys.executable, *arguments],
        cwd=tmp_path,
        env=os.environ | {"WORKFLOWS_IMPORTS": "own", "PYTHONPATH": str(DEPLOY.parent)},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode == 0) is loads


def test_the_example_environment_is_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in list(os.environ):
        if name.startswith(("WORKFLOWS_", "REDIS_")):
            monkeypatch.delenv(name)
    example = (DEPLOY / "env.example").read_text()
    (tmp_path / ".env").write_text(example)
    monkeypatch.chdir(tmp_path)
    settings = load_settings()
    assert settings.store_url == "sqlite:////var/lib/huey-workflows/workflows.db"
    for line in example.replace("#WORKFLOWS_", "WORKFLOWS_").splitlines():
        if line.startswith("WORKFLOWS_"):
            field = line.partition("=")[0].removeprefix("WORKFLOWS_").lower()
            assert field in Settings.model_fields


def test_a_server_runs_with_the_redis_conf_and_is_the_strict_profile() -> None:
    lines = (DEPLOY / "redis.conf").read_text().splitlines()
    config = dict(line.split(" ", 1) for line in lines if line[:1].isalpha())
    with ValkeyServer(config=config) as server, server.client() as client:
        answers = {name: client.config_get(name)[name] for name in config}
    assert answers["appendfsync"] == "always"
    assert answers["maxmemory-policy"] == "noeviction"
    assert answers["maxmemory"] == str(4 * 1024**3)
