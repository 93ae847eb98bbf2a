"""Huey's own tests hold on WorkflowHuey: the shipped ones, on both stores."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers import ValkeyServer

SUITES = [
    f"huey.tests.test_{name}"
    for name in ("api", "signals", "priority", "wrappers", "registry", "asyncio")
]
AT_LEAST = 130
ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_hueys_own_api_tests_pass(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = f"sqlite:///{tmp_path}"
    if kind == "redis":
        server: ValkeyServer = request.getfixturevalue("valkey")
        url = server.unix_url
    options = ["-q", "-c", os.devnull, "--rootdir=.", "--confcutdir=."]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", *options, "-p", "no:cacheprovider"),
            *("-p", "tests.parity.huey_plugin", "--pyargs", *SUITES),
        ],
        cwd=tmp_path,
        env={**os.environ, "PARITY_STORE": url, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) >= AT_LEAST, done.stdout[-500:]
