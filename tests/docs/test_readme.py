"""The job that README shows runs under the command that README shows."""

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

from tests.docs.test_snippets import ROOT, blocks


def test_the_job_of_the_readme_runs_as_it_says(tmp_path: Path) -> None:
    page = ROOT / "README.md"
    job, call, *_ = [block for block in blocks(page) if block.language == "python"]
    assert job.file == "mail.py"
    assert len([line for line in job.body.splitlines() if line]) <= 12
    (tmp_path / job.file).write_text(job.body)
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}:{ROOT}"}
    bin_path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment |= {"PATH": bin_path}
    subprocess.run(
        [sys.executable, "-c", call.body], cwd=tmp_path, env=environment, check=True
    )

    command = re.search(r"`(huey_consumer mail\.huey [^`]*)`", page.read_text())
    assert command is not None
    consumer = subprocess.Popen(
        command[1].split(),
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    guard = threading.Timer(30, consumer.kill)  # else a silent consumer hangs us
    guard.start()
    try:
        assert consumer.stdout is not None
        assert consumer.stdout.readline() == "ann@example.org: Welcome!\n"
        consumer.send_signal(signal.SIGTERM)
        assert consumer.wait(timeout=30) == 0
    finally:
        guard.cancel()
        consumer.kill()
        consumer.communicate()


def test_the_workflow_of_the_readme_prints_what_it_says(tmp_path: Path) -> None:
    page = ROOT / "README.md"
    *_, trip = [block for block in blocks(page) if block.language == "python"]
    said = re.search(r"It prints `([^`]*)`", page.read_text())
    assert said is not None
    done = subprocess.run(
        [sys.executable, "-c", trip.body],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == f"{said[1]}\n"
