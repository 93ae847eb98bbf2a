"""Play the crash scenarios, and let the checker judge what is left.

    python -m tests.chaos --short            what CI runs, about six minutes
    python -m tests.chaos --full             2,000 jobs, 300 workflows, 25 kills
    python -m tests.chaos --full --cell valkey-process --only storm
    python -m tests.chaos --short --only storm --sabotage sweep   must fail

Both forms end by switching the sweep, then the fence off: the checker must notice.
"""

import argparse
import itertools
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tests.chaos.flow_scenarios import FLOW_SCENARIOS, STORES, FlowOutcome
from tests.chaos.places import CELLS, Cell
from tests.chaos.scenarios import (
    FULL,
    SCENARIOS,
    SHORT,
    VALKEY_ONLY,
    Outcome,
    Size,
)
from tests.chaos.stage import Settings, StageError

Play = tuple[str, Cell]
Played = Outcome | FlowOutcome
ALL: Mapping[str, Callable[[Cell, Settings, Size], Played]] = {
    **SCENARIOS,
    **FLOW_SCENARIOS,
}
LONG = frozenset({"flow-zombie"})  # not in the short form: its storm has zombies too
SABOTAGE: tuple[tuple[str, str], ...] = (
    *(("sweep", "storm"), ("fence", "zombie"), ("fence", "flow-zombie")),
)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos")
    size = parser.add_mutually_exclusive_group(required=True)
    size.add_argument("--short", action="store_true")
    size.add_argument("--full", action="store_true")
    cells = [str(cell) for cell in CELLS]
    parser.add_argument("--cell", nargs="+", choices=cells, metavar="CELL")
    parser.add_argument("--only", nargs="+", choices=[*ALL], metavar="SCENARIO")
    parser.add_argument("--sabotage", choices=["fence", "sweep"], default="")
    parser.add_argument("--keep", type=Path, help="keep all files in this folder")
    return parser.parse_args(arguments)


def _plays(options: argparse.Namespace) -> Iterator[Play]:
    """Yield what to play: all of it, or in the short form a part of the matrix.

    The short form plays the storm in every cell, and each other scenario once per
    store, with threads and processes in turn.
    """
    chosen = [cell for cell in CELLS if not options.cell or str(cell) in options.cell]
    turn = itertools.cycle(["thread", "process"])
    for name in ALL:
        if name not in options.only if options.only else options.short and name in LONG:
            continue
        first = next(turn)
        for cell in chosen:
            if not _plays_in(name, cell):
                continue
            reduced = options.short and name != "storm" and not options.cell
            second = (cell.workers == first) != (cell.store == "valkey")
            if not reduced or second:
                yield name, cell


def _plays_in(name: str, cell: Cell) -> bool:
    """Whether a scenario can be played in a cell."""
    if name in FLOW_SCENARIOS:
        return cell.store in STORES
    return name not in VALKEY_ONLY or cell.store == "valkey"


def _play(name: str, cell: Cell, settings: Settings, size: Size) -> Played | None:
    """Play one scenario and say how it went; None if it could not be played."""
    begin = time.monotonic()
    title = f"{name:<11} {cell!s:<15}"
    try:
        outcome = ALL[name](cell, settings, size)
    except StageError as error:
        print(f"{title} NOT PLAYED: {error}", flush=True)
        return None
    took = time.monotonic() - begin
    broken = len(outcome.findings)
    verdict = f"{broken} PROMISES BROKEN" if broken else "all promises kept"
    print(f"{title} {verdict}: {outcome.done}, {took:.0f} s", flush=True)
    return outcome


def _prove(cells: Sequence[Cell], settings: Settings) -> int:
    """Switch each protection off; return how often the checker did not notice."""
    unnoticed = 0
    for (mode, name), cell in itertools.product(SABOTAGE, cells):
        if not _plays_in(name, cell):
            continue
        broken = replace(settings, sabotage=mode)
        outcome = _play(name, cell, broken, replace(SHORT, zombies=0))
        noticed = outcome is None or bool(outcome.findings)
        unnoticed += not noticed
        told = "noticed, as it must be" if noticed else "NOT NOTICED"
        print(f"         with the {mode} switched off: {told}", flush=True)
    return unnoticed


def main(arguments: Sequence[str]) -> int:
    """Return the exit status: 0 only if every promise was kept."""
    options = _options(arguments)
    size = SHORT if options.short else FULL
    settings = Settings(sabotage=options.sabotage, keep=options.keep)
    failed = 0
    for name, cell in _plays(options):
        outcome = _play(name, cell, settings, size)
        if outcome is None or outcome.findings:
            failed += 1
        if outcome and outcome.findings:
            print(outcome.report(), flush=True)
    if not options.sabotage and not options.only:
        cells = [cell for cell in CELLS if cell.workers == "thread"]
        failed += _prove(cells if options.full else cells[:1], settings)
    print("chaos: " + (f"{failed} failed" if failed else "everything held"))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
