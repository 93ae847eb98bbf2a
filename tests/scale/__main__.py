"""Let very many runs sleep and wake, on real stores, and say what it took.

    python -m tests.scale                       100,000 runs on each store
    python -m tests.scale --runs 1000000 --store sqlite

Prints a table as Markdown. Ends with 1 if a run was lost, if memory grew with the runs,
or if another queue waited too long.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import ADAPTERS
from tests.scale.sleeping import Served, Slept, faults, scene
from tests.servers import DURABLE, ValkeyServer

PROBES = 40
PATIENCE_S_PER_RUN = 0.05


def main() -> int:
    """Play on each store, and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.scale")
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--store", nargs="+", choices=ADAPTERS, default=[*ADAPTERS])
    options = parser.parse_args()
    found, broken = {}, []
    for kind in options.store:
        print(f"{kind}: {options.runs:,} runs", file=sys.stderr, flush=True)
        try:
            found[kind] = play(kind, options.runs)
        except Exception as error:  # noqa: BLE001 - the other store has its turn
            broken.append(f"{kind}: {type(error).__name__}: {error}")
            continue
        broken += [f"{kind}: {one}" for one in faults(found[kind])]
    print(table(found, options.runs))
    for each in broken:
        print(each, file=sys.stderr)
    return 1 if broken else 0


def play(kind: str, runs: int) -> Slept:
    """Play once in an empty store."""
    with (
        tempfile.TemporaryDirectory(prefix="scale-") as name,
        _place(kind, Path(name)) as url,
        scene(url, Path(name), patience_s=60 + runs * PATIENCE_S_PER_RUN) as stage,
    ):
        return stage.play(runs, PROBES)


@contextmanager
def _place(kind: str, folder: Path) -> Iterator[str]:
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'scale.db'}"
        return
    with ValkeyServer(config={**DURABLE, "appendfsync": "everysec"}) as server:
        yield server.unix_url


def table(found: dict[str, Slept], runs: int) -> str:
    """Return what was seen as Markdown."""
    lines = [
        f"| {runs:,} sleeping runs | {' | '.join(found)} |",
        f"|---|{'---|' * len(found)}",
    ]
    for name, show in ROWS:
        lines.append(f"| {name} | {' | '.join(map(show, found.values()))} |")
    return "\n".join(lines)


def _sizes(seen: Slept) -> str:
    return ", ".join(f"{each.resident / 1e6:.0f}" for each in seen.processes)


def _served(served: Served) -> str:
    return f"{served.median:.0f} / {served.worst:.0f}"


ROWS = (
    ("accepted, runs/s", lambda seen: f"{seen.runs / seen.start_s:,.0f}"),
    ("asleep, runs/s", lambda seen: f"{seen.runs / seen.asleep_s:,.0f}"),
    ("woken and ended, runs/s", lambda seen: f"{seen.runs / seen.wake_s:,.0f}"),
    ("worker, MB: a tenth asleep, all, all ended", _sizes),
    ("a step of another queue, ms, p50/worst: alone", lambda s: _served(s.alone)),
    ("… while all sleep", lambda seen: _served(seen.while_asleep)),
    ("… while all wake", lambda seen: _served(seen.while_waking)),
)

if __name__ == "__main__":
    sys.exit(main())
