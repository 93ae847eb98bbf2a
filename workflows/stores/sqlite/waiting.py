"""Waiting for work: woken by this process's commits, and by those of others.

This process's commits say what they make possible (`News`); only those who wait for it
are woken. Other processes are noticed by a number that SQLite changes with every
commit; while anybody waits, one of the waiters looks at it every millisecond, a little
less often when nothing has happened for seconds. They may have done anything; only who
waits for the end of a run is not woken by that: the same waiter asks which of these
runs have ended, for all of them at once.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import monotonic, sleep

from workflows.stores.sqlite.news import TIMERS, News, Topic, end_topic, queue_topic

POLL_S = 0.001
QUIET_S = 2.0  # after so long without a change
QUIET_POLL_S = 0.003
REST = 4  # times as long as it looked does a waiter sleep before it looks again

Queues = Mapping[str, Sequence[str]]
Topics = frozenset[Topic]


class _Sleeper:
    """One thread that sleeps until there is news of its topics."""

    __slots__ = ("topics", "turn")

    def __init__(self, topics: Topics) -> None:
        self.topics = topics
        self.turn = threading.Lock()  # released to wake it
        self.turn.acquire()

    def wake(self) -> None:
        """End its sleep (under the lock of its waiters)."""
        if self.turn.locked():
            self.turn.release()


class Waiters:
    """The threads of one process that wait for work. Thread-safe.

    Args:
        data_version: returns a number that changes when the file was changed.
        commits: returns how many transactions have changed the file.
        claimable_in: returns in how many ms a job of some queues may be claimable.
        ended: returns which of some runs are closed or gone.
    """

    def __init__(
        self,
        data_version: Callable[[], int],
        commits: Callable[[], int],
        claimable_in: Callable[[Queues], int | None],
        ended: Callable[[Sequence[str]], Iterable[str]],
    ) -> None:
        self._data_version = data_version
        self._read_commits = commits
        self._claimable_in = claimable_in
        self._ended = ended
        self.reset()

    def reset(self) -> None:
        """Forget all waiters (they are threads of the process before the fork)."""
        self._lock = threading.Lock()
        self._sleepers: set[_Sleeper] = set()
        self._everything = 0  # changes that may have made anything possible
        self._foreign = 0  # commits of others, which may have done that too
        self._ends: dict[Topic, str] = {}  # the runs whose end is waited for
        self._ends_unread = False  # others committed, and may have ended some
        self._changes: dict[Topic, int] = {}  # further changes, per known topic
        self._users: dict[Topic, int] = {}  # of topics that are known for a while
        self._wakes = 0
        self._polling = False
        self._version: int | None = None
        self._commits: int | None = None  # the newest that is known here
        self._changed_at = 0.0
        self._claimed: dict[Topics, int] = {}

    def change(self, news: News) -> None:
        """This process has committed something."""
        with self._lock:
            self._changed_at = monotonic()
            foreign, self._commits = news.found != self._commits, news.made
            self._tell(news.topics)
            if foreign:
                self._tell_of_others()

    def _tell(self, topics: Iterable[Topic] | None) -> None:
        """Count a change, and wake whom it concerns; None: everybody."""
        if topics is None:
            self._everything += 1
            for sleeper in self._sleepers:
                sleeper.wake()
            return
        told = [topic for topic in topics if topic in self._changes]
        for topic in told:
            self._changes[topic] += 1
        if told:
            for sleeper in self._sleepers:
                if not sleeper.topics.isdisjoint(told):
                    sleeper.wake()

    def _tell_of_others(self) -> None:
        """Others have committed: wake all but those who wait for an end."""
        self._foreign += 1
        self._ends_unread = bool(self._ends)
        for sleeper in self._sleepers:
            if self._ends.keys().isdisjoint(sleeper.topics):
                sleeper.wake()

    def _read_ends(self) -> None:
        """Tell of the runs that have ended, to those who wait for it."""
        with self._lock:
            self._ends_unread = False
            waited = [*self._ends.values()]
        if not waited:
            return
        try:
            ended = self._ended(waited)
        except BaseException:
            self._ends_unread = True
            raise
        with self._lock:
            self._tell([end_topic(run_id) for run_id in ended])

    def _seen(self, topics: Topics) -> int:
        """Return a number that changes when any of the topics has news."""
        told = sum(self._changes.get(topic, 0) for topic in topics)
        foreign = self._foreign if self._ends.keys().isdisjoint(topics) else 0
        return self._everything + foreign + told

    def claim(self, queues: Queues) -> None:
        """A claim on these queues begins: it sees all changes up to now.

        So a wait that follows it need not look at them again. Without this, a job that
        may wait but not start here would keep the claimer busy.
        """
        topics = _topics(queues)
        if self._version is None:
            self._version = self._data_version()
        self._know(topics)
        self._claimed[topics] = self._seen(topics)

    def wake(self) -> None:
        """End every wait."""
        with self._lock:
            self._wakes += 1
            for sleeper in self._sleepers:
                sleeper.wake()

    def wait(self, queues: Queues, timeout_s: float) -> bool:
        """Block until work may be there; see `Store.wait`."""
        deadline = monotonic() + timeout_s
        topics = _topics(queues)
        self._know(topics)
        seen = self._claimed.get(topics)
        wakes, ready_at = self._wakes, float("inf")
        try:
            while self._wakes == wakes:
                changes = self._seen(topics)
                if changes != seen:
                    seen, ready_at = changes, self._ready_at(queues)
                now = monotonic()
                if now >= ready_at:
                    return True
                if now >= deadline:
                    return False
                self._sleep(min(ready_at, deadline) - now, topics, changes, wakes)
        finally:
            self._pass_on()
        return True

    def wait_end(self, look: Callable[[], bool], run_id: str, timeout_s: float) -> bool:
        """Block until `look` returns true, or a run has ended; see `wait_until`."""
        topic = end_topic(run_id)
        with self._knowing(topic, run_id):
            told = self._changes[topic]
            return self._wait_until(
                lambda: self._changes[topic] != told or look(), topic, timeout_s
            )

    def wait_until(
        self, look: Callable[[], bool], topic: Topic, timeout_s: float
    ) -> bool:
        """Block until `look` returns true; false at the timeout, or when woken.

        It looks again after every change of the topic (and after any change by others),
        but for most of its time it sleeps, however many changes there are.
        """
        with self._knowing(topic):
            return self._wait_until(look, topic, timeout_s)

    def _wait_until(
        self, look: Callable[[], bool], topic: Topic, timeout_s: float
    ) -> bool:
        deadline = monotonic() + timeout_s
        topics = frozenset((topic,))
        seen: int | None = None
        wakes = self._wakes
        while self._wakes == wakes:
            changes = self._seen(topics)
            began = monotonic()
            if changes != seen:
                if look():
                    return True
                seen = changes
            now = monotonic()
            if now >= deadline:
                return False
            rest = max(POLL_S, REST * (now - began))
            if self._seen(topics) != seen:
                sleep(min(rest, deadline - now))
            else:
                self._sleep(deadline - now, topics, changes, wakes)
        return False

    def _know(self, topics: Topics) -> None:
        """Count changes of these topics from now on, for ever."""
        if any(topic not in self._changes for topic in topics):
            with self._lock:
                for topic in topics:
                    self._changes.setdefault(topic, 0)

    @contextmanager
    def _knowing(self, topic: Topic, run_id: str | None = None) -> Iterator[None]:
        """Count changes of a topic meanwhile; then let another waiter look.

        `run_id`: the topic is the end of this run.
        """
        with self._lock:
            self._users[topic] = self._users.get(topic, 0) + 1
            self._changes.setdefault(topic, 0)
            if run_id is not None:
                self._ends[topic] = run_id
        try:
            yield
        finally:
            with self._lock:
                self._users[topic] -= 1
                if not self._users[topic]:
                    del self._users[topic], self._changes[topic]
                    self._ends.pop(topic, None)
            self._pass_on()

    def _ready_at(self, queues: Queues) -> float:
        claimable_in = self._claimable_in(queues)
        if claimable_in is None:
            return float("inf")
        return monotonic() + claimable_in / 1000

    def _sleep(self, seconds: float, topics: Topics, changes: int, wakes: int) -> None:
        """Sleep until there is news; the first to sleep looks at the file too."""
        sleeper, polls = _Sleeper(topics), False
        try:
            with self._lock:
                if (self._seen(topics), self._wakes) != (changes, wakes):
                    return
                polls, self._polling = not self._polling, True
                self._sleepers.add(sleeper)
            most = min(seconds, self._step()) if polls else seconds
            sleeper.turn.acquire(timeout=min(most, threading.TIMEOUT_MAX))
        finally:
            with self._lock:
                self._sleepers.discard(sleeper)
                self._polling = self._polling and not polls
        if polls:
            self._look()

    def _step(self) -> float:
        quiet = monotonic() - self._changed_at > QUIET_S
        return QUIET_POLL_S if quiet else POLL_S

    def _look(self) -> None:
        """Notice what others have committed.

        A commit of this process changes the version too, but not the number of commits
        beyond what it has made itself; and it has just looked at that number.
        """
        if self._ends_unread:
            self._read_ends()
        if monotonic() - self._changed_at < POLL_S:
            return
        version = self._data_version()
        if version == self._version:
            return
        self._version = version
        commits = self._read_commits()
        with self._lock:
            self._changed_at = monotonic()
            if commits != self._commits:
                self._commits = commits
                self._tell_of_others()
        if self._ends_unread:
            self._read_ends()

    def _pass_on(self) -> None:
        """Let another waiter look at the file, if this one did."""
        with self._lock:
            if self._sleepers and not self._polling:
                next(iter(self._sleepers)).wake()


def _topics(queues: Queues) -> Topics:
    """Return what may make a job of these queues and types claimable."""
    return frozenset(
        [
            TIMERS,
            *(queue_topic(queue) for queue in queues),
            *(queue_topic(queue, name) for queue in queues for name in queues[queue]),
        ]
    )
