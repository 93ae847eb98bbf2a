"""What is done to a running system. Each scenario leaves its files to the checker."""

import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from tests.chaos import checker
from tests.chaos.checker import Evidence, Finding
from tests.chaos.places import Cell, Consumer, Valkey
from tests.chaos.stage import QUEUE, Settings, Stage, StageError, stage
from workflows.engine.states import JobState

BACKLOG = 80
LEASED = 4  # jobs that run at the moment of a kill, at least


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything."""

    jobs: int
    flows: int
    kills: int
    zombies: int
    rounds: int


SHORT = Size(jobs=250, flows=60, kills=5, zombies=1, rounds=3)
FULL = Size(jobs=2_000, flows=300, kills=25, zombies=4, rounds=10)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a scenario did, and which promises it found broken."""

    done: str
    findings: list[Finding]
    evidence: Evidence

    def report(self) -> str:
        """Return what was broken, with the stories of the first few jobs."""
        return checker.report(self.evidence, self.findings)


def _conclude(act: Stage, done: str, extra: Iterable[Finding] = ()) -> Outcome:
    """Dump the store, and check."""
    act.dump()
    evidence = checker.load(act.folder)
    findings = [*checker.check(evidence), *extra]
    return Outcome(f"{len(evidence.kinds)} jobs, {done}", findings, evidence)


def finish(act: Stage, timeout: float = 60.0) -> None:
    """Let the producers end and a last, unharmed generation do the rest."""
    for producer in act.producers:
        producer.finish(timeout)
    if all(consumer.ended for consumer in act.consumers):
        act.consumer()
    act.settle_down(timeout)


class Feed(Protocol):
    """Gives work."""

    def keep(self) -> None:
        """See to it that there is enough to do."""


# -- the kill storm --------------------------------------------------------------------


def storm(cell: Cell, settings: Settings, size: Size) -> Outcome:
    """SIGKILL the whole consumer group again and again while it works."""
    with stage(cell, settings, "storm") as act:
        feed = _Feed(act, size.jobs)
        rng = random.Random(f"{cell}")
        kills = zombies = 0
        while kills < size.kills:
            consumer = act.consumer()
            if zombies < size.zombies and kills * size.zombies >= zombies * size.kills:
                zombies += 1
                haunt(act, feed, consumer)
                continue
            kills += kill_at_work(act, feed, consumer, rng)
        feed.rest()
        finish(act, 90)
        return _conclude(act, f"{kills} kills, {zombies} zombies")


class _Feed:
    """Keeps the backlog above what the workers can hold, until all are sent."""

    def __init__(self, act: Stage, jobs: int, *, longest_ms: int = 100) -> None:
        self._act = act
        self._left = jobs
        self._ordered = 0
        self._producers = [act.producer(longest_ms=longest_ms) for _ in range(2)]

    def keep(self) -> None:
        """Order more if fewer than BACKLOG jobs may be waiting."""
        if self._ordered - len(self._act.effects) < BACKLOG:
            self.order(20)

    def order(self, count: int) -> None:
        for producer in self._producers:
            producer.order(count // 2)
        self._ordered += count
        self._left -= count

    def rest(self) -> None:
        """Order what is left of the jobs that were wanted."""
        if self._left > 0:
            self.order(self._left + self._left % 2)


def _until_busy(act: Stage, feed: Feed, consumer: Consumer) -> None:
    """Wait until a generation has run a while and works on enough jobs."""

    def busy() -> bool:
        feed.keep()
        if consumer.ended:
            text = consumer.log.read_text(errors="replace")[-3_000:]
            raise StageError(f"{act.cell}: the consumer ended by itself\n{text}")
        return len(act.running(consumer)) >= LEASED

    act.until(f"fewer than {LEASED} jobs running", busy, 30)


def kill_at_work(act: Stage, feed: Feed, consumer: Consumer, rng: random.Random) -> int:
    """Kill a generation at work; return 1 if it held enough leases when it died.

    A job that was started and whose end is not in the ledger when the process is
    gone was leased: leases end by a write that comes after the effect.
    """
    _until_busy(act, feed, consumer)
    time.sleep(rng.uniform(0.05, 0.5))
    _until_busy(act, feed, consumer)
    act.fault("kill", consumer)
    consumer.kill()
    return int(len(act.running(consumer)) >= LEASED)


def haunt(act: Stage, feed: Feed, consumer: Consumer) -> None:
    """Stop a generation beyond its leases while another works; then let it go on."""
    _freeze(act, feed, consumer)
    held = set(act.running(consumer))
    other = act.consumer()
    _until_reclaimed(act, feed, other, held)
    act.fault("continue", consumer)
    consumer.send(signal.SIGCONT)
    time.sleep(0.5)
    for generation in (consumer, other):
        act.fault("kill", generation)
        generation.kill()


def _freeze(act: Stage, feed: Feed, consumer: Consumer) -> None:
    """Stop a generation at work, at a moment in which it holds no lock of the file.

    Who is stopped inside a SQLite transaction stops everybody: nothing is lost by
    that, but nobody can take a lease back either.
    """
    act.fault("stop", consumer)
    while True:
        _until_busy(act, feed, consumer)
        consumer.freeze()
        if not act.medium.blocked():
            return
        consumer.send(signal.SIGCONT)


def _until_reclaimed(act: Stage, feed: Feed, other: Consumer, held: set[str]) -> None:
    """Wait until the other generation runs a job that the stopped one holds."""

    def taken() -> bool:
        feed.keep()
        return bool(act.running(other) & held)

    patience = 4 * act.settings.lease + 6 * act.settings.sweep + 10
    act.until("no lease of a stopped consumer was taken back", taken, patience)


# -- the store is away -----------------------------------------------------------------


def outage(cell: Cell, settings: Settings, size: Size) -> Outcome:
    """Stop the store for longer than a lease, workers alive: nothing runs twice."""
    with stage(cell, settings, "outage") as act:
        feed = _Feed(act, size.jobs)
        consumer = act.consumer()
        for _ in range(2):
            _until_busy(act, feed, consumer)
            act.fault("store stopped")
            act.medium.outage(settings.lease * 1.6)
        feed.rest()
        finish(act)
        return _conclude(act, "2 outages", _twice(act))


def restart(cell: Cell, settings: Settings, size: Size) -> Outcome:
    """Kill Valkey (AOF always) under load and start it again: nothing is lost."""
    with stage(cell, settings, "restart") as act:
        assert isinstance(act.medium, Valkey)
        feed = _Feed(act, size.jobs)
        consumer = act.consumer()
        for turn in range(size.rounds):
            _until_busy(act, feed, consumer)
            act.fault("store killed")
            act.medium.restart(0.1 if turn % 2 else settings.lease * 1.6)
        feed.rest()
        finish(act)
        return _conclude(act, f"{size.rounds} restarts", _twice(act))


def _twice(act: Stage) -> list[Finding]:
    """Return the jobs with more effects than one: no worker died, so none may."""
    act.look()
    return [
        Finding("ran twice", job, f"{count} effects")
        for job, count in act.effects.items()
        if count > 1
    ]


# -- signals ---------------------------------------------------------------------------


def zombie(cell: Cell, settings: Settings, size: Size) -> Outcome:
    """SIGSTOP beyond the lease, then SIGCONT: the late writes are refused."""
    with stage(cell, settings, "zombie") as act:
        feed = _Feed(act, size.jobs // 4, longest_ms=500)  # so that runs overlap
        for _ in range(size.zombies + 1):
            haunt(act, feed, act.consumer())
        feed.rest()
        finish(act)
        return _conclude(act, f"{size.zombies + 1} zombies")


def stop(cell: Cell, settings: Settings, size: Size) -> Outcome:
    """SIGTERM under load: nothing is lost, no attempt spent, nothing left leased."""
    with stage(cell, settings, "stop") as act:
        feed = _Feed(act, size.jobs)
        rng = random.Random("stop")
        findings: list[Finding] = []
        for _ in range(size.rounds):
            consumer = act.consumer()
            _until_busy(act, feed, consumer)
            time.sleep(rng.uniform(0, 0.3))
            findings += _terminate(act, consumer)
        feed.rest()
        finish(act)
        outcome = _conclude(act, f"{size.rounds} stops", findings)
        return Outcome(
            outcome.done,
            [*outcome.findings, *_twice(act), *_calm(outcome.evidence)],
            outcome.evidence,
        )


def _terminate(act: Stage, consumer: Consumer) -> list[Finding]:
    """Stop a generation; return what it left behind that it should not have."""
    code = consumer.terminate(act.settings.grace + 8)
    if code is None:
        consumer.kill()
        return [Finding("did not stop", None, f"generation {consumer.number}")]
    findings = []
    if code != 0:
        findings.append(Finding("ugly stop", None, f"exit code {code}"))
    info = act.store.get_queue(QUEUE)
    active = info.counts.get(JobState.ACTIVE, 0) if info else 0
    if active:
        detail = f"{active} jobs still leased after generation {consumer.number}"
        findings.append(Finding("left leased", None, detail))
    return findings


def _calm(evidence: Evidence) -> list[Finding]:
    """Return the jobs that a stop has cost a stall or an attempt."""
    return [
        Finding("stop cost something", job, f"stalls {record['stalls']}")
        for job, record in evidence.records.items()
        if record["stalls"] or record["releases"]
    ]


def cut_off(cell: Cell, settings: Settings, size: Size) -> Outcome:
    """SIGTERM while jobs outlast the grace: released, no attempt spent, run again."""
    impatient = replace(settings, grace=0.5)
    with stage(cell, impatient, "cut_off") as act:
        producer = act.producer(longest_ms=3_000, mixed=False)
        producer.order(24)
        findings: list[Finding] = []
        for _ in range(2):
            consumer = act.consumer()
            act.until_running(consumer, LEASED)
            time.sleep(0.3)
            act.fault("cut off", consumer)
            findings += [
                finding
                for finding in _terminate(act, consumer)
                if finding.what != "ugly stop"
            ]
        finish(act)
        return _conclude(act, "2 stops with too little grace", findings)


# -- poison ----------------------------------------------------------------------------


def poison(cell: Cell, settings: Settings, size: Size) -> Outcome:
    """A job that kills its process, among a hundred good ones: one dead letter."""
    with stage(cell, settings, "poison") as act:
        producer = act.producer(mixed=False)
        producer.order(50)
        producer.order(1, "poison")
        producer.order(50)
        producer.finish(60)
        _supervise(act, timeout=90)
        outcome = _conclude(act, f"{len(act.consumers)} generations")
        states = Counter(
            (record["state"], outcome.evidence.kinds.get(job))
            for job, record in outcome.evidence.records.items()
        )
        if states == {("completed", "good"): 100, ("failed", "poison"): 1}:
            return outcome
        extra = Finding("not one dead letter", None, str(dict(states)))
        return Outcome(outcome.done, [*outcome.findings, extra], outcome.evidence)


def _supervise(act: Stage, timeout: float) -> None:
    """Start a consumer again whenever it dies, as a service manager would."""
    deadline = time.monotonic() + timeout
    consumer = act.consumer()
    while time.monotonic() < deadline and act.live():
        if consumer.ended:
            act.fault("died", consumer)
            consumer.kill()
            consumer = act.consumer()
        time.sleep(0.05)


Scenario = Callable[[Cell, Settings, Size], Outcome]
SCENARIOS: Mapping[str, Scenario] = {
    "storm": storm,
    "outage": outage,
    "restart": restart,
    "zombie": zombie,
    "stop": stop,
    "cut-off": cut_off,
    "poison": poison,
}
VALKEY_ONLY = frozenset({"restart"})
