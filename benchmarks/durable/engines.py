"""The engines under measure: each in the configurations in which it does best."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.durable.places import (
    DBOS,
    TEMPORAL,
    environment,
    postgres,
    temporal_server,
)
from benchmarks.servers import valkey

HERE = Path(__file__).parent
Place = Callable[[Path], AbstractContextManager[str]]


@dataclass(frozen=True, slots=True)
class Engine:
    """One engine in one configuration.

    `place` starts what it needs and gives its URL; `program` returns what to call (it
    may install first). `worker`: in a process of its own; otherwise in the driver's.
    `drivers`: how many of those make the load.
    """

    name: str
    label: str
    place: Place
    program: Callable[[], Sequence[str]]
    workers: int = 0
    drivers: int = 1
    env: Mapping[str, str] = field(default_factory=dict)
    store: str = ""  # of ours


@contextmanager
def a_file(folder: Path) -> Iterator[str]:
    """Give the URL of a SQLite file in the folder."""
    yield f"sqlite:///{folder / 'bench.db'}"


@contextmanager
def a_valkey(_: Path) -> Iterator[str]:
    """Give the URL of a Valkey server."""
    with valkey("everysec") as server:
        yield server.url


@contextmanager
def _in_memory(folder: Path) -> Iterator[str]:
    with temporal_server(folder, on_file=False) as address:
        yield address


@contextmanager
def _on_file(folder: Path) -> Iterator[str]:
    with temporal_server(folder, on_file=True) as address:
        yield address


def _ours() -> Sequence[str]:
    return [sys.executable, "-m", "benchmarks.durable.ours"]


def _temporal() -> Sequence[str]:
    return [str(environment("temporal", TEMPORAL)), str(HERE / "temporal.py")]


def _dbos() -> Sequence[str]:
    return [str(environment("dbos", DBOS)), str(HERE / "dbos_steps.py")]


def _our(name: str, place: Place, store: str, shape: str, workers: int) -> Engine:
    return Engine(name, f"{name}, {shape}", place, _ours, workers, store=store)


OURS = (
    _our("ours, SQLite", a_file, "sqlite", "one process", 0),
    _our("ours, SQLite", a_file, "sqlite", "worker apart", 1),
    _our("ours, Valkey", a_valkey, "redis", "1 worker", 1),
    _our("ours, Valkey", a_valkey, "redis", "2 workers", 2),
)
PEERS = (
    Engine("Temporal, memory", "Temporal dev server, memory", _in_memory, _temporal, 1),
    Engine(
        "Temporal, file", "Temporal dev server, SQLite file", _on_file, _temporal, 1
    ),
    Engine("DBOS", "DBOS, SQLite as shipped", a_file, _dbos),
    Engine("DBOS", "DBOS, SQLite with WAL", a_file, _dbos, env={"BENCH_WAL": "1"}),
    Engine("DBOS", "DBOS, PostgreSQL, 1 process", postgres, _dbos),
    Engine("DBOS", "DBOS, PostgreSQL, 2 processes", postgres, _dbos, drivers=2),
)
