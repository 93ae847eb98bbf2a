"""Random workflows as data: which steps they take, what races what, when clients act.

Whatever the order in which workers do the work of one moment, a script has one result:
steps take whole seconds, and what ends a race comes at a fraction of a second of its
own (a power of two of ms), so that nothing that races happens in the same ms.
"""

from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any, Literal

Step = list[Any]  # its kind, then what it needs: JSON

LEAVES = (
    *("activity", "activity", "flaky", "bad", "handed", "handed", "local", "bad_local"),
    *("sleep", "sleep", "wait", "patch", "memo", "tell_parent"),
)
RACES = ("race", "timeout", "cancel", "shield", "fail", "wait_until", "try_activity")
GROUPS = ("gather", "task_group", "catch", "child")
FRACTIONS = 9  # the last is 256 ms: all of them together are less than a second
DEPTH = 3


@dataclass(frozen=True)
class Script:
    """What one workflow does: the steps of each of its runs.

    `robust`: a step that is cancelled does not end the run. `heard`, `told`, `results`:
    of the runs before.
    """

    runs: list[list[Step]]
    robust: bool = True
    heard: int = 0
    told: list[int] = field(default_factory=list)  # by clients
    results: list[Any] = field(default_factory=list)


@dataclass(frozen=True)
class Act:
    """What a client does to the workflow, so many ms after its start."""

    at: int
    what: Literal["signal", "cancel", "terminate"]


@dataclass(frozen=True)
class Story:
    """One workflow and its clients."""

    script: Script
    acts: list[Act]


def story(seed: int) -> Story:
    """Return the story of a seed, always the same."""
    return _Author(seed).story()


class _Author:
    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._keys = count()
        self._fractions = 0

    def story(self) -> Story:
        random = self._random
        runs = [self._steps(0, 2, 5) for _ in range(random.choice((1, 1, 1, 2, 3)))]
        script = Script(runs=runs, robust=random.random() < 0.7)
        acts = [Act(1000 * (n // 2), "signal") for n in range(random.randint(0, 6))]
        if random.random() < 0.25 and self._fractions < FRACTIONS:
            what: Any = random.choice(("cancel", "cancel", "terminate"))
            acts.append(Act(self._moment(), what))
        return Story(script, sorted(acts, key=lambda act: act.at))

    def _steps(self, depth: int, low: int, high: int) -> list[Step]:
        number = self._random.randint(low, high)
        return [self._step(depth) for _ in range(number)]

    def _step(self, depth: int) -> Step:
        kinds = [*LEAVES]
        if depth < DEPTH:
            kinds += GROUPS * 2
            kinds += RACES * 2 if self._fractions + 2 <= FRACTIONS else ()
        kind = self._random.choice(kinds)
        return [kind, *getattr(self, f"_{kind}", self._leaf)(depth + 1)]

    def _branch(self, depth: int) -> list[Step]:
        return self._steps(depth, 1, 3)

    def _moment(self) -> int:
        """Return a time in ms, with a fraction that nothing else has."""
        self._fractions += 1
        return 1000 * self._random.randint(0, 3) + (1 << (self._fractions - 1))

    # -- what each kind needs ----------------------------------------------------------

    def _leaf(self, depth: int) -> Step:
        return [next(self._keys)]

    def _handed(self, depth: int) -> Step:
        return [*self._leaf(depth), self._random.randint(0, 3)]

    def _sleep(self, depth: int) -> Step:
        return [self._random.randint(1, 4)]

    def _wait(self, depth: int) -> Step:
        return [self._random.randint(1, 3)]

    def _wait_until(self, depth: int) -> Step:
        return [*self._wait(depth), self._moment()]

    def _fail(self, depth: int) -> Step:
        return [self._moment()]

    def _try_activity(self, depth: int) -> Step:
        """An activity that takes time, or waits for its retry, and a cancellation."""
        kind = self._random.choice(("flaky", "handed"))
        seconds = self._random.randint(0, 3)
        how = self._random.randint(0, 2)
        return [*self._leaf(depth), kind, seconds, how, self._moment()]

    def _race(self, depth: int) -> Step:
        return [[self._moment(), self._branch(depth)] for _ in range(2)]

    def _timeout(self, depth: int) -> Step:
        return [self._moment(), self._branch(depth)]

    _cancel = _shield = _timeout

    def _gather(self, depth: int) -> Step:
        return [self._branch(depth) for _ in range(self._random.randint(2, 3))]

    _task_group = _gather

    def _catch(self, depth: int) -> Step:
        return [self._branch(depth)]

    def _child(self, depth: int) -> Step:
        """A child with its script, its signals, and what becomes of it."""
        runs = [self._branch(depth) for _ in range(self._random.choice((1, 1, 2)))]
        how, policy = self._random.randint(0, 3), self._random.randint(1, 3)
        signals, robust = self._random.randint(0, 3), self._random.random() < 0.5
        return [next(self._keys), runs, robust, signals, how, policy]
