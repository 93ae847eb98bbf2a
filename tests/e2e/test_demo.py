"""The demo as a user runs it: a day whose consumer is killed, and its verdict."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.e2e.test_command import COMMAND, ROOT
from tests.servers import ValkeyServer

pytestmark = pytest.mark.timeout(400)


def environment(folder: Path) -> dict[str, str]:
    keep = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("WORKFLOWS_", "REDIS_", "WHATSAPP_"))
    }
    return keep | {"PYTHONPATH": str(ROOT), "TMPDIR": str(folder)}


def crash(
    folder: Path, *arguments: str, program: tuple[str, ...] = (*COMMAND, "demo")
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*program, "crash", *arguments],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=380,
        check=False,
    )


@pytest.mark.parametrize("store", ["sqlite", "redis"])
def test_nothing_is_lost_when_the_consumer_is_killed(
    store: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = store
    if store == "redis":
        valkey: ValkeyServer = request.getfixturevalue("valkey")
        url = valkey.url
    ended = crash(
        tmp_path, "--orders", "10", "--kills", "1", "--seed", "7", "--store", url
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    first, *_, rules, figures = ended.stdout.splitlines()
    assert first.startswith("seed 7: 10 orders, 1 kills")
    assert rules == "15 of 15 rules hold"
    assert "10 orders and 1 kills" in figures
    assert "consumer killed" in ended.stdout
    assert list(tmp_path.iterdir()) == []


BROKEN = """
import sys
from workflows.demo import crash
from workflows.demo.rules import Finding
crash.check = lambda *_: [Finding("money is conserved", "ledger", "1 paisa")]
from workflows.cli import main
sys.exit(main(["demo", *sys.argv[1:]]))
"""


def test_a_broken_rule_is_told_and_its_files_are_kept(tmp_path: Path) -> None:
    program = (sys.executable, "-c", BROKEN)
    ended = crash(tmp_path, "--orders", "1", "--kills", "0", program=program)
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert "BROKEN (1): money is conserved\n  ledger: 1 paisa" in ended.stdout
    [kept] = tmp_path.iterdir()
    assert f"all files are kept in {kept}" in ended.stdout
    names = {file.name for file in kept.iterdir()}
    assert {"consumer.log", "jobs.db", "marketplace.db", "stub.log"} <= names


def test_a_stop_leaves_no_process_behind(tmp_path: Path) -> None:
    with (tmp_path / "output").open("w") as output:
        program = subprocess.Popen(
            [*COMMAND, "demo", "crash", "--orders", "50", "--kills", "0"],
            cwd=tmp_path,
            env=environment(tmp_path),
            stdout=output,
            stderr=output,
        )
    until = time.monotonic() + 60
    children: list[int] = []
    listed = Path(f"/proc/{program.pid}/task/{program.pid}/children")
    while len(children) < 2 and time.monotonic() < until:
        children = [int(pid) for pid in listed.read_text().split()]
        time.sleep(0.1)
    program.send_signal(signal.SIGTERM)
    assert program.wait(timeout=60) == 130
    assert len(children) == 2  # the consumer and the stand-in for the Graph API
    assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]


def test_a_day_by_the_real_clock_is_refused_in_a_line(tmp_path: Path) -> None:
    ended = subprocess.run(
        [*COMMAND, "demo", "day"],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2
    assert "MARKETPLACE_CLOCK is not set" in ended.stderr
