"""The systems under measure: how each is started, and how its producer is."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Kind = Literal["redis", "sqlite"]
_NODE_FILE = str(Path(__file__).with_name("bullmq.mjs"))


@dataclass(frozen=True, slots=True)
class System:
    """One system in one configuration of its workers."""

    name: str
    label: str  # with the configuration, for the tables
    store: Kind
    worker: Sequence[str]
    producer: Sequence[str]
    has_bulk: bool = True
    env: Mapping[str, str] = field(default_factory=dict)


def _consumer(app: str, kind: str, workers: int) -> list[str]:
    return [
        *(sys.executable, "-m", "huey.bin.huey_consumer"),
        *(f"benchmarks.apps.{app}.huey", "-k", kind, "-w", str(workers)),
        *("-q", "-g", "TERM", "-t", "8"),
    ]


def _python(name: str, app: str, store: Kind, kind: str, workers: int) -> System:
    return System(
        name=name,
        label=f"{name}, -k {kind} -w {workers}",
        store=store,
        worker=_consumer(app, kind, workers),
        producer=[sys.executable, "-m", "benchmarks.produce", f"benchmarks.apps.{app}"],
        has_bulk=app == "ours",
    )


def ours(store: Kind) -> list[System]:
    """Return this project's configurations, the one for comparison first."""
    if store == "redis":
        shapes = [("process", 2), ("thread", 8)]
    else:
        shapes = [("thread", 8), ("process", 2)]
    return [_python("ours", "ours", store, *shape) for shape in shapes]


def stock(store: Kind) -> list[System]:
    """Return plain Huey in its best configurations, the best first."""
    name = "RedisHuey" if store == "redis" else "SqliteHuey"
    if store == "redis":
        shapes = [("process", 2), ("thread", 4)]
    else:
        shapes = [("thread", 1), ("process", 2)]
    return [_python(name, "stock", store, *shape) for shape in shapes]


def bullmq(node: Path) -> System:
    """Return BullMQ: one process, 100 jobs at a time."""
    return System(
        name="BullMQ",
        label="BullMQ, 1 Node process, concurrency 100",
        store="redis",
        worker=["node", _NODE_FILE, "work", "100"],
        producer=["node", _NODE_FILE],
        env={"BENCH_NODE": str(node)},
    )
