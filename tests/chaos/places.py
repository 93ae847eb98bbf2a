"""The cells: a store that can be stopped and killed, and consumers that can too."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from pysqlite3 import dbapi2

from tests.servers import DURABLE, ValkeyServer

REPOSITORY = Path(__file__).resolve().parents[2]
Workers = Literal["thread", "process"]


class Cell(NamedTuple):
    """A store and a kind of workers."""

    store: Literal["sqlite", "valkey"]
    workers: Workers

    def __str__(self) -> str:
        return f"{self.store}-{self.workers}"


CELLS = tuple(
    Cell(store, workers)
    for store in ("sqlite", "valkey")
    for workers in ("thread", "process")
)


class Medium(Protocol):
    """The store's own side: the file or the server."""

    url: str

    def outage(self, seconds: float) -> None:
        """Let nothing get an answer for so long, without losing anything."""

    def blocked(self) -> bool:
        """Whether a process that stands still keeps all others from writing."""


class SqliteFile:
    """A file; an outage is another process that holds its write lock."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "chaos.db"
        self.url = f"sqlite:///{self._path}"

    def outage(self, seconds: float) -> None:
        """Hold the write lock."""
        code = (
            "import sys, time\n"
            "from pysqlite3 import dbapi2\n"
            "c = dbapi2.connect(sys.argv[1], timeout=30, isolation_level=None)\n"
            "c.execute('begin immediate')\n"
            "time.sleep(float(sys.argv[2]))\n"
            "c.execute('rollback')\n"
        )
        argv = [sys.executable, "-c", code, str(self._path), str(seconds)]
        subprocess.run(argv, check=True, timeout=seconds + 40)

    def blocked(self) -> bool:
        """Whether somebody holds the write lock for more than a moment."""
        connection = dbapi2.connect(self._path, timeout=0.3, isolation_level=None)
        try:
            connection.execute("begin immediate")
            connection.execute("rollback")
        except dbapi2.OperationalError:
            return True
        finally:
            connection.close()
        return False


class Valkey:
    """A server with `appendfsync always`."""

    def __init__(self, folder: Path) -> None:
        self._server = ValkeyServer(folder / "valkey", DURABLE).start()
        self.url = self._server.url

    def outage(self, seconds: float) -> None:
        """Stop the process, then let it go on."""
        self._server.freeze()
        time.sleep(seconds)
        self._server.thaw()

    def blocked(self) -> bool:
        """A server's clients hold no lock on it."""
        return False

    def restart(self, pause: float) -> None:
        """Kill the server, and start it again on the same files."""
        self._server.kill()
        time.sleep(pause)
        self._server.start()

    def close(self) -> None:
        """Kill it."""
        self._server.kill()


class Consumer:
    """One generation: a consumer with its whole process group."""

    def __init__(
        self,
        number: int,
        workers: Workers,
        env: Mapping[str, str],
        folder: Path,
        *,
        count: int,
        grace: float,
        app: str,
    ) -> None:
        self.number = number
        argv = [
            *(sys.executable, "-m", "huey.bin.huey_consumer", f"{app}.huey"),
            *("-w", str(count), "-k", workers, "-q", "-g", "TERM", "-t", str(grace)),
            *("-c", "1"),
        ]
        self.log = folder / f"consumer-{number}.log"
        with self.log.open("ab") as out:
            self._process = subprocess.Popen(
                argv,
                env={**os.environ, **env, "CHAOS_GENERATION": str(number)},
                cwd=REPOSITORY,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    def send(self, number: int) -> None:
        """Send a signal to every process of the group."""
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            pass

    def freeze(self) -> None:
        """SIGSTOP the whole group, and wait until every process of it stands still."""
        self.send(signal.SIGSTOP)
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline and _moving(self._process.pid):
            time.sleep(0.001)

    def kill(self) -> None:
        """SIGKILL the whole group, and wait until it is gone."""
        self.send(signal.SIGKILL)
        self._process.wait()
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:  # children are reaped by init
            try:
                os.killpg(self._process.pid, 0)
            except ProcessLookupError:
                return
            time.sleep(0.005)

    def terminate(self, timeout: float) -> int | None:
        """SIGTERM the main process, as systemd's `KillMode=mixed` does.

        Returns its exit code, None if it did not end in time.
        """
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None

    @property
    def ended(self) -> bool:
        """Whether its main process is gone."""
        return self._process.poll() is not None


def _moving(group: int) -> bool:
    """Whether a thread of a process group is not stopped."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(_stat(stat)[2]) != group:
                continue
            threads = [*stat.parent.glob("task/*/stat")]
            if any(_stat(thread)[0] not in "TZ" for thread in threads):
                return True
        except OSError:
            continue  # it ended
    return False


def _stat(path: Path) -> list[str]:
    """Return a process's state, parent and group, and what else Linux tells."""
    return path.read_text().rpartition(")")[2].split()


class Producer:
    """A producer process."""

    def __init__(
        self,
        name: str,
        env: Mapping[str, str],
        folder: Path,
        *,
        seed: int,
        longest_ms: int = 100,
        mixed: bool = True,
        module: str = "tests.chaos.producer",
    ) -> None:
        argv = [sys.executable, "-m", module, name, str(seed)]
        argv += [str(longest_ms), "mixed" if mixed else "good"]
        with (folder / f"producer-{name}.log").open("ab") as log:
            self._process = subprocess.Popen(
                argv,
                env={**os.environ, **env},
                cwd=REPOSITORY,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                text=True,
            )

    def order(self, count: int, kind: str = "") -> None:
        """Ask for more jobs, of one kind or of those it draws."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{count} {kind}\n")
        self._process.stdin.flush()

    def finish(self, timeout: float) -> None:
        """Let it send what was ordered, then end.

        Raises:
            subprocess.TimeoutExpired: it could not.
        """
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(timeout)
        finally:
            self._process.kill()
            self._process.wait()
        assert self._process.returncode == 0, "a producer failed: see its log"

    def abandon(self) -> None:
        """Kill it, if it still runs."""
        self._process.kill()
        self._process.wait()


@contextmanager
def medium(cell: Cell, folder: Path) -> Iterator[SqliteFile | Valkey]:
    """Make the store's side of a cell."""
    if cell.store == "sqlite":
        yield SqliteFile(folder)
        return
    server = Valkey(folder)
    try:
        yield server
    finally:
        server.close()


@contextmanager
def scratch(keep: Path | None, name: str) -> Iterator[Path]:
    """Make the folder of a run, under `keep` to stay, else temporary."""
    if keep is not None:
        folder = keep / name
        (folder / "flaky").mkdir(parents=True)
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="chaos-") as temporary:
        folder = Path(temporary)
        (folder / "flaky").mkdir()
        yield folder
