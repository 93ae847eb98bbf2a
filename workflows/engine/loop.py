"""The deterministic asyncio loop of one workflow run.

Callbacks run in the order in which they were scheduled; time stands still between
activations; a timer is a command to the engine, not a wait. What would reach outside
(threads, sockets, processes) is not there. Sets of tasks and futures iterate in an
order that depends on the run alone, so `asyncio.wait` and `TaskGroup` are
deterministic too.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from math import ceil
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
Callback = Callable[..., Any]
STRIDE = 0x9E3779B97F4A7C15  # odd: distinct numbers keep distinct low bits
MASK = (1 << 61) - 1


class Host(Protocol):
    """What the loop asks of the instance that it belongs to."""

    @property
    def evicting(self) -> bool:
        """Whether the instance is being torn down."""

    def require_writable(self, action: str, *, when_evicting: bool = False) -> None:
        """Raise if workflow code may not do this now."""

    def start_timer(self, duration_ms: int, summary: str | None) -> int:
        """Ask for a timer; return its number."""

    def cancel_timer(self, seq: int) -> None:
        """Forget a timer."""

    def report(self, message: str, error: BaseException | None) -> None:
        """Log what no code of the workflow caught."""


class Timer(asyncio.TimerHandle):
    """A callback that waits for the engine's timer `seq`."""

    __slots__ = ("seq",)
    seq: int


class WorkflowLoop(asyncio.AbstractEventLoop):
    """See the module. `salt` is the run's own number; `now_ms` is set per activation.

    Nothing runs but inside `run`, which belongs to one thread at a time.
    """

    def __init__(self, host: Host, owner: Any, salt: int) -> None:
        self.owner = owner  # what workflow code finds by its running loop
        self.now_ms = 0
        self.next_summary: str | None = None  # of the next timer, for people
        self.tasks: dict[asyncio.Task[Any], None] = {}  # strong references, in order
        self.timers: dict[int, Timer] = {}
        self.conditions: list[tuple[Callable[[], bool], asyncio.Future[bool]]] = []
        self._host = host
        self._ready: deque[asyncio.Handle] = deque()
        self._number = salt
        self._handler: Callable[[Any, dict[str, Any]], object] | None = None

    # -- the engine's side ------------------------------------------------------------

    def run(
        self, *, conditions: bool, after_each: Callable[[], None] = lambda: None
    ) -> None:
        """Run until nothing is ready; with `conditions`, let them wake what waits.

        `after_each` is called after every callback and may raise, to stop.
        """
        ready = self._ready
        while ready:
            while ready:
                ready.popleft()._run()  # noqa: SLF001 - asyncio's own seam
                after_each()
            if conditions:
                self.conditions[:] = [
                    (holds, waiter)
                    for holds, waiter in self.conditions
                    if not waiter.done() and not _wake(holds, waiter)
                ]

    def fire(self, seq: int) -> None:
        """A timer is due: run its callback next. One that was cancelled is ignored."""
        timer = self.timers.pop(seq, None)
        if timer is not None:
            self._ready.append(timer)

    def next_hash(self) -> int:
        """Return the hash of the next task or future."""
        self._number += STRIDE
        return self._number & MASK

    def adopt(self, task: asyncio.Task[Any]) -> None:
        """Keep a task alive until it is done."""
        self._host.require_writable("create task")
        self.tasks[task] = None
        task.add_done_callback(self._disown)
        # An instance may be dropped while tasks of it wait; that is no mistake.
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # noqa: SLF001

    def _disown(self, task: asyncio.Task[Any]) -> None:
        self.tasks.pop(task, None)

    def abandon(self) -> None:
        """Close by force the coroutines of tasks that do not end, and forget them."""
        tasks, self.tasks = [*self.tasks], {}
        for task in tasks:
            work: Any = task.get_coro()
            try:
                work.close()
            except BaseException:  # noqa: BLE001, S110 - it had its chance
                pass
        self._ready.clear()
        self.conditions.clear()

    # -- asyncio's side ---------------------------------------------------------------

    def call_soon(  # type: ignore[override]
        self, callback: Callback, *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """See asyncio. Tasks wake by it, so it must work while they are torn down."""
        self._host.require_writable("schedule task", when_evicting=True)
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_later(  # type: ignore[override]
        self,
        delay: float,
        callback: Callback,
        *args: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """See asyncio: a durable timer, also for a delay of 0."""
        self._host.require_writable("schedule timer")
        if delay < 0:
            msg = f"a timer cannot have a negative delay ({delay} s)"
            raise RuntimeError(msg)
        timer = Timer(self.time() + delay, callback, args, self, context)
        duration_ms = ceil(round(delay * 1000, 3))  # never early
        summary, self.next_summary = self.next_summary, None
        timer.seq = self._host.start_timer(duration_ms, summary)
        self.timers[timer.seq] = timer
        return timer

    def call_at(  # type: ignore[override]
        self,
        when: float,
        callback: Callback,
        *args: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """See asyncio. Rounded: `when` is the sum of floats, a timer has whole ms."""
        delay = round(when - self.time(), 3)
        return self.call_later(delay, callback, *args, context=context)

    def time(self) -> float:
        """Return workflow time, in seconds since the epoch."""
        return self.now_ms / 1000

    def create_future(self) -> asyncio.Future[Any]:
        """See asyncio."""
        return WorkflowFuture(loop=self)

    def create_task(
        self,
        coro: Generator[Any, None, T] | Coroutine[Any, Any, T],
        *,
        name: str | None = None,
        context: Context | None = None,
    ) -> asyncio.Task[T]:
        """See asyncio."""
        task = WorkflowTask(coro, loop=self, name=name, context=context)
        self.adopt(task)
        return task

    def get_task_factory(self) -> None:
        """See asyncio."""

    def get_debug(self) -> bool:
        """See asyncio."""
        return False

    def is_running(self) -> bool:
        """See asyncio."""
        return True

    def is_closed(self) -> bool:
        """See asyncio."""
        return False

    def run_in_executor(self, *_: Any) -> Any:  # type: ignore[override]
        """Refuse: the engine cannot replay what a thread does."""
        msg = (
            "a workflow has no threads (run_in_executor, to_thread); "
            "call an activity: workflow.execute_activity(…)"
        )
        raise RuntimeError(msg)

    def get_exception_handler(self) -> Any:
        """See asyncio."""
        return self._handler

    def set_exception_handler(self, handler: Any) -> None:
        """See asyncio."""
        self._handler = handler

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        """See asyncio."""
        message = context.get("message") or "Unhandled exception in event loop"
        self._host.report(str(message), context.get("exception"))

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """See asyncio. Silent while the instance is torn down."""
        if self._host.evicting:
            return
        if self._handler is not None:
            self._handler(self, context)
        else:
            self.default_exception_handler(context)

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        assert isinstance(handle, Timer)  # noqa: S101 - call_later makes no other
        if self.timers.pop(handle.seq, None) is not None:
            self._host.cancel_timer(handle.seq)


class WorkflowTask(asyncio.Task[T]):
    """A task whose hash depends on the run alone."""

    def __init__(
        self,
        coro: Generator[Any, None, T] | Coroutine[Any, Any, T],
        *,
        loop: WorkflowLoop,
        name: str | None = None,
        context: Context | None = None,
    ) -> None:
        self._hash = loop.next_hash()  # asyncio asks for it in __init__
        super().__init__(coro, loop=loop, name=name, context=context)

    def __hash__(self) -> int:
        return self._hash


class WorkflowFuture(asyncio.Future[Any]):
    """A future whose hash depends on the run alone."""

    def __init__(self, *, loop: WorkflowLoop) -> None:
        self._hash = loop.next_hash()
        super().__init__(loop=loop)

    def __hash__(self) -> int:
        return self._hash


def _wake(holds: Callable[[], bool], waiter: asyncio.Future[bool]) -> bool:
    if not holds():
        return False
    waiter.set_result(True)
    return True
