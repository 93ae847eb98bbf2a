"""A process that dies around one of its commits, of the queues' store or of the tables.

Dying is a BaseException. What catches it by profession (a job's handler, an activity's)
gains nothing: a dead process can neither read nor write any more.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from workflows.marketplace.change import Marketplace
from workflows.marketplace.ports import Storage
from workflows.marketplace.sql.work import SqlWork
from workflows.store import Store

When = Literal["before", "after"]
READS = frozenset(
    {
        *("now", "get_job", "list_jobs", "list_queues", "get_queue", "series"),
        *("list_workers", "ping", "info", "close", "wait", "wake", "get_run"),
        *("list_runs", "count_runs", "read_history", "read_inbox", "run_now"),
    }
)
MESSAGE = "rows: message"  # the only transactions that are no transitions
CLOCKS = frozenset({"promote_due", "sweep", "expire_due", "prune_runs", "renew"})


class Death(BaseException):
    """The process is gone."""


@dataclass(slots=True)
class Point:
    """Around which call to die: the n-th from 1; 0: never."""

    number: int = 0
    when: When = "before"


@dataclass(slots=True)
class Process:
    """Counts what may be a commit, in `calls`; `commits` are those that were one.

    `doing` names the next transaction of the tables.
    """

    point: Point
    calls: list[str] = field(default_factory=list)
    commits: list[int] = field(default_factory=list)
    doing: str = MESSAGE
    dead: bool = False
    deaths: int = 0

    def check(self) -> None:
        """Let a dead process do nothing."""
        if self.dead:
            raise Death

    def begin(self, name: str) -> int:
        """Count a call that may commit something; return its number."""
        self.check()
        self.calls.append(name)
        return len(self.calls)

    def reached(self, number: int, when: When) -> None:
        """Die here, if this is the place."""
        if (number, when) == (self.point.number, self.point.when):
            self.dead, self.deaths = True, self.deaths + 1
            raise Death

    def restart(self) -> None:
        """Start it again."""
        self.dead = False


class MortalStore:
    """The store of a process."""

    def __init__(self, store: Store, process: Process) -> None:
        self._store, self._process = store, process

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)
        if not callable(method):
            return method

        def call(*args: Any, **named: Any) -> Any:
            process = self._process
            if name in READS or name.startswith(("get_", "list_", "read_", "count_")):
                process.check()
                return method(*args, **named)
            number = process.begin(f"store: {_describe(name, args)}")
            process.reached(number, "before")
            answer = method(*args, **named)
            if _changed(name, args, answer):
                process.commits.append(number)
            process.reached(number, "after")
            return answer

        return call


def _describe(name: str, args: tuple[Any, ...]) -> str:
    if name != "exchange":
        return name
    settled = sorted({type(each).__name__ for each in args[0]})
    claims = ["claim"] if len(args) > 1 and args[1] is not None else []
    return f"exchange {'+'.join([*settled, *claims])}"


def _changed(name: str, args: tuple[Any, ...], answer: Any) -> bool:
    if name == "exchange":
        return bool(args[0]) or bool(answer.jobs)
    if name in CLOCKS:
        return bool(answer[0] if name == "promote_due" else answer)
    return True


class MortalStorage:
    """The tables of a process."""

    def __init__(self, storage: Storage, process: Process) -> None:
        self._storage, self._process = storage, process

    @contextmanager
    def begin(self) -> Iterator[SqlWork]:
        """Open a transaction that may be the last."""
        process = self._process
        number = process.begin(process.doing)
        with self._storage.begin() as work:
            connection: Any = work._connection.connection.dbapi_connection
            before = connection.total_changes
            yield work
            process.check()  # somebody may have caught our death in here
            if connection.total_changes != before:
                process.commits.append(number)
            process.reached(number, "before")
        process.reached(number, "after")


class NamedMarketplace(Marketplace):
    """Tells its process which transition it commits."""

    def _commit(self, actor: str, transition: Any, *args: Any, **named: Any) -> Any:
        mortal: Any = self.storage
        mortal._process.doing = f"rows: {transition.__name__}"
        try:
            return super()._commit(actor, transition, *args, **named)
        finally:
            mortal._process.doing = MESSAGE

    def relay(self) -> int:
        """Name the commits of the outbox."""
        mortal: Any = self.storage
        mortal._process.doing = "rows: relay"
        try:
            return super().relay()
        finally:
            mortal._process.doing = MESSAGE
