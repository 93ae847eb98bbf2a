"""A day whose consumer is killed at random moments: nothing may be lost by that."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from datetime import time as wall_time
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING
from uuid import uuid4

from workflows.demo.phones import StubPhones
from workflows.demo.report import report
from workflows.demo.rules import check
from workflows.demo.send_rules import Sends
from workflows.demo.surroundings import BUSY, SHORT_TERMS, fast_clock, stub_account
from workflows.marketplace.rules.business_time import local_instant

if TYPE_CHECKING:
    from workflows.demo.day import Day

LEASE_S = 4
FAULTS_PERCENT = 10
OUTAGE_S = 2.0  # how long the sending account is down, once
OPENS = local_instant(date(2026, 11, 24), wall_time(9, 30))
WORD_EVERY_S = 10.0
TAIL_S = 600.0  # what is begun must end within this, or it is stuck
SHORT_TAIL_S = 8.0  # kills go on for so long after the last order
GRACE_S = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Crash:
    """What is played. `rate`: orders a second; `speed`: of the marketplace's clock.

    `store`: `sqlite`, or the URL of a Redis; a namespace of its own is used and wiped.
    """

    seed: int
    orders: int
    kills: int
    store: str = "sqlite"
    rate: float = 4.0
    speed: float = 90.0

    @property
    def busy_s(self) -> float:
        """How long orders come in."""
        return self.orders / self.rate

    @property
    def behaviour(self) -> Mapping[str, int]:
        """How the stand-in for the Graph API behaves; people's phones take it all."""
        return {
            "pairBurst": 1_000_000,
            "perSecond": 1_000_000,
            "faultsPercent": FAULTS_PERCENT,
            "seed": self.seed,
        }


@dataclass(slots=True)
class Consumer:
    """The consumer process, in a group of its own; killed and started again."""

    log: Path
    kills_ms: list[int] = field(default_factory=list)
    _process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        """Start the next one."""
        program = (sys.executable, "-m", "huey.bin.huey_consumer")
        with self.log.open("ab") as out:
            self._process = subprocess.Popen(  # noqa: S603 - our own command line
                (*program, "workflows.main.huey", "-w", "8", "-g", "TERM", "-t", "20"),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """SIGKILL it and all that it has started."""
        if self._process is not None and self.alive:
            os.killpg(self._process.pid, signal.SIGKILL)
            self.kills_ms.append(int(time.time() * 1000))
            self._process.wait()

    def stop(self) -> int | None:
        """Ask it to stop; return its exit code, None if it does not."""
        if self._process is None:
            return None
        self._process.terminate()
        try:
            return self._process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            return None


def run(crash: Crash) -> int:
    """Play, print what happened; return 0 if every rule holds, else 1.

    Sets the environment of this process: call it in one that does nothing else.
    """
    _say(
        f"seed {crash.seed}: {crash.orders} orders, {crash.kills} kills, "
        f"{FAULTS_PERCENT} % of sends fail, store {crash.store.partition(':')[0]}"
    )
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="demo-")))
        url = stack.enter_context(_stub(folder / "stub.log"))
        os.environ.update(_environment(crash, folder, url))
        consumer = Consumer(folder / "consumer.log")
        stack.callback(consumer.kill)
        holds = _play(crash, consumer, StubPhones(url))
        if not holds:
            kept = Path(tempfile.mkdtemp(prefix="demo-broken-"))
            for file in folder.iterdir():
                file.rename(kept / file.name)
            _say(f"all files are kept in {kept}")
        return 0 if holds else 1


def _environment(crash: Crash, folder: Path, url: str) -> dict[str, str]:
    store = f"sqlite:///{folder}/jobs.db" if crash.store == "sqlite" else crash.store
    return {
        **stub_account(url),
        **SHORT_TERMS,
        **BUSY,
        **fast_clock(OPENS, crash.speed),
        "WORKFLOWS_STORE": store,
        "WORKFLOWS_NAMESPACE": f"demo-{uuid4().hex[:8]}",
        "WORKFLOWS_LEASE": str(LEASE_S),
        "WORKFLOWS_IMPORTS": "workflows.jobs",
        "DATABASE_URL": f"sqlite:///{folder}/marketplace.db",
    }


@contextmanager
def _stub(log: Path) -> Iterator[str]:
    """Start the stand-in for the Graph API; give its address."""
    command = (sys.executable, "-m", "workflows.testing.graph_stub", "--port", "0")
    with log.open("wb") as errors:
        process = subprocess.Popen(  # noqa: S603 - our own command line
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
            text=True,
        )
    try:
        assert process.stdout is not None  # noqa: S101 - we asked for a pipe
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait(GRACE_S)
        if process.stdout is not None:
            process.stdout.close()


def _play(crash: Crash, consumer: Consumer, phones: StubPhones) -> bool:
    from workflows.demo import play  # noqa: PLC0415 - reads the settings just made

    phones.behave(**crash.behaviour)
    consumer.start()
    play.until_there_is_a_consumer(GRACE_S)
    over = timedelta(seconds=crash.busy_s * crash.speed)
    script = play.Script(seed=crash.seed, orders=crash.orders, over=over)
    day = play.open_day(script, phones)
    evil = _Evil(crash, consumer, phones, day, play.what_is_left)
    started = time.monotonic()
    try:
        ended = play.play(day, within_s=crash.busy_s + TAIL_S, go_on=evil.go_on)
    finally:
        day.agenda.close()
    took = time.monotonic() - started
    stopped = consumer.stop()
    phones.new()
    books = play.books()
    findings = check(books, day.diary, Sends(phones.taken, consumer.kills_ms))
    for line in report(books, day.diary, findings):
        _say(line)
    if not ended:
        _say(f"it did not come to an end: {play.what_is_left()}")
    if stopped != 0:
        _say(f"the consumer did not stop cleanly: {stopped}")
    _say(_figures(crash, consumer, phones, took))
    if crash.store != "sqlite":
        play.wipe()
    return ended and not findings and stopped == 0


def _figures(crash: Crash, consumer: Consumer, phones: StubPhones, took: float) -> str:
    unique = {one["request"]["biz_opaque_callback_data"] for one in phones.taken}
    silent = sum(not one["told"] for one in phones.taken)
    return (
        f"{crash.orders} orders and {len(consumer.kills_ms)} kills in {took:.0f} s; "
        f"{len(phones.taken)} sends were accepted, {silent} of them without an answer, "
        f"{len(phones.taken) - len(unique)} were repeats of such; seed {crash.seed}"
    )


class _Evil:
    """Kills the consumer and takes the account down, each at its moment."""

    def __init__(
        self,
        crash: Crash,
        consumer: Consumer,
        phones: StubPhones,
        day: "Day",
        left: Callable[[], str],
    ) -> None:
        draw = Random(crash.seed)
        begun, span = time.monotonic(), crash.busy_s + SHORT_TAIL_S
        self._kills = [
            begun + span * (n + 0.1 + 0.8 * draw.random()) / crash.kills
            for n in range(crash.kills)
        ]
        down = begun + crash.busy_s * draw.uniform(0.3, 0.7)
        self._account = [
            (down, {"token": "revoked"}),
            (down + OUTAGE_S, {}),
        ]
        self._consumer, self._phones, self._day = consumer, phones, day
        self._crash, self._left = crash, left
        self._next_word = begun + WORD_EVERY_S

    def go_on(self) -> bool:
        """Do what is due; False: the consumer has ended by itself."""
        now = time.monotonic()
        if self._kills and now >= self._kills[0]:
            self._kills.pop(0)
            self._consumer.kill()
            _say(f"{self._day.wall}  consumer killed")
            self._consumer.start()
        if self._account and now >= self._account[0][0]:
            _, change = self._account.pop(0)
            self._phones.behave(**self._crash.behaviour, **change)
            state = "down" if change else "up again"
            _say(f"{self._day.wall}  account {state}")
        if now >= self._next_word:
            self._next_word = now + WORD_EVERY_S
            _say(f"{self._day.wall}  on their way: {self._left() or 'nothing'}")
        return self._consumer.alive


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
