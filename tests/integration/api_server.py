"""The real API in its own processes: gunicorn, its configuration, `api.wsgi`."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
START_SECONDS = 60.0  # one, when the machine is quiet
READ_SECONDS = 1.5  # what the tests' server grants a head, and a body


@dataclass(frozen=True, slots=True)
class Answer:
    """A response; `json` is None if the body is not JSON."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The decoded body."""
        return json.loads(self.body)

    @property
    def data(self) -> Any:
        """What the envelope holds."""
        return self.json["data"]

    @property
    def code(self) -> str:
        """The problem's code."""
        assert self.headers["content-type"] == "application/problem+json", self.body
        assert self.json["success"] is False
        return str(self.json["code"])


class ApiServer:
    """One running API."""

    def __init__(self, port: int, process: "subprocess.Popen[bytes]") -> None:
        self.port = port
        self.process = process

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: float = 10,
    ) -> Answer:
        """Send one request; a body that is not bytes goes as JSON."""
        sent = dict(headers or {})
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, body, sent)
            return _answer(connection.getresponse())
        finally:
            connection.close()

    def get(self, path: str) -> Answer:
        """GET a path."""
        return self.request("GET", path)

    def post(self, path: str, body: Any = None, **headers: str) -> Answer:
        """POST to a path; keyword arguments are headers, `_` stands for `-`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.request("POST", path, body, headers=named)

    @contextmanager
    def connect(self, timeout: float = 10) -> Iterator[socket.socket]:
        """Open a bare connection."""
        where = ("127.0.0.1", self.port)
        with socket.create_connection(where, timeout=timeout) as connection:
            yield connection

    def raw(self, data: bytes, *, timeout: float = 10) -> Answer | None:
        """Send bytes as they are; return the answer, None for a closed connection."""
        with self.connect(timeout) as connection:
            connection.sendall(data)
            return read_answer(connection)


def read_answer(connection: socket.socket) -> Answer | None:
    """Read one response from a connection; None if it was closed without one."""
    response = http.client.HTTPResponse(connection)
    try:
        response.begin()
    except (http.client.BadStatusLine, ConnectionResetError):
        return None
    return _answer(response)


def _answer(response: http.client.HTTPResponse) -> Answer:
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, headers, response.read())


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serve(
    store_url: str, folder: Path, *, port: int = 0, **env: str
) -> Iterator[ApiServer]:
    """Run the API on a store until the block ends; keyword arguments: environment."""
    port = port or free_port()
    settings = {
        "WORKFLOWS_STORE": store_url,
        "WORKFLOWS_IMPORTS": "tests.integration.api_jobs",
        "WORKFLOWS_API_BIND": f"127.0.0.1:{port}",
        "WORKFLOWS_API_WORKERS": "1",
        "WORKFLOWS_API_THREADS": "4",
        "WORKFLOWS_API_READ_TIMEOUT": str(READ_SECONDS),
        "PYTHONPATH": str(ROOT),
        **env,
    }
    config = str(ROOT / "deploy" / "gunicorn.conf.py")
    with (folder / "api.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "-c", config, "api.wsgi:application"],
            cwd=folder,
            env={**os.environ, **settings},
            stdout=log,
            stderr=log,
            process_group=0,
        )
    server = ApiServer(port, process)
    try:
        _until_live(server, folder / "api.log")
        yield server
    finally:
        _stop(process)


def _until_live(server: ApiServer, log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and server.process.poll() is None:
        try:
            if server.get("/health/live").status == 200:
                return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"the API did not start:\n{log.read_text()}")


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
