"""Random programs of runs: every operation on them, on all stores, step by step."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from tests.oracle.memory import Job
from tests.property import run_strategies as some
from tests.property import strategies as jobs
from tests.property.commits import SHAPES, Commits
from tests.property.program import Draw, Program
from workflows.engine.states import PENDING, DeadReason, JobState
from workflows.store import (
    Bury,
    Claim,
    Close,
    Commit,
    Detach,
    JobKind,
    Overdue,
    QueueClaim,
    Retry,
    RunRef,
    RunStatus,
    Settlement,
    StartRun,
    task_job_id,
)

ACTS = (
    *("start", "start", "send", "send", "send", "close", "close", "ask") * 2,
    *("start_again", "send_again", "close_again") * 2,
    *("claim", "claim", "commit", "commit", "commit", "exchange_all") * 5,
    *("fail_task", "end_run", "end_run", "roll_run") * 2,
    *("inline", "inline", "inline", "inline", "chain", "zombie") * 2,
    *("settle", "settle", "settle", "detach", "beat") * 3,
    *("zombie", "settle_again", "settle_again", "claim_again", "renew") * 2,
    *("time_passes", "time_passes", "tick", "sweep", "overdue") * 2,
    *("operate_on_jobs", "operate_on_jobs", "read") * 2,
    *("limit_queue", "pause", "drain", "bury_unknown", "prune", "bury_unknown"),
)
OPERATIONS = ("cancel", "reschedule", "promote", "remove", "retry_dead")


class RunsAgree(Program):
    """A program of clients, workers and upkeep of runs, with some plain jobs."""

    acts = 3

    def __init__(self) -> None:
        super().__init__()
        self.ids = 0
        self.commits = Commits(self.world.oracle, self.new_id)
        self.requests: dict[str, list[tuple[Any, str]]] = {
            name: [] for name in ("start_run", "send_to_run", "close_run")
        }

    def new_id(self, word: str) -> str:
        """An id that nothing else has; those of runs in the order of their making."""
        self.ids += 1
        return f"{word}-{self.ids:03}"

    @initialize(data=st.data())
    def open_for_business(self, data: st.DataObject) -> None:
        self.call("sweep", interval_ms=jobs.INTERVAL_MS)
        for _ in range(3):
            self.start(data.draw)
        self.claim(data.draw)

    @rule(data=st.data(), acts=st.lists(st.sampled_from(ACTS), min_size=3, max_size=7))
    def live(self, data: st.DataObject, acts: list[str]) -> None:
        """What clients, workers, a ticker and operators do in some order."""
        for act in acts:
            getattr(self, act)(data.draw)

    # -- clients --

    def start(self, draw: Draw) -> None:
        run_id = self.new_id("run") if draw(some.picks) % 9 else "run-001"
        workflow_id = draw(some.workflow_ids)
        current = self.world.oracle._current.get(workflow_id, "")
        start = StartRun(
            run=draw(some.new_runs(run_id, workflow_id)),
            reuse=draw(some.reuses),
            conflict=draw(some.conflicts),
            terminate=draw(some.closes()),
            replaces=draw(st.sampled_from([None, current, current, "gone"])),
            signal=draw(some.maybe_entries),
        )
        self.ask_once("start_run", (start,))

    def send(self, draw: Draw) -> None:
        self.ask_once("send_to_run", (self.commits.ref(draw), draw(some.entries)))

    def close(self, draw: Draw) -> None:
        ref = self.commits.ref(draw)
        following = None
        if draw(some.seldom):
            run_id = self.new_id("run")
            following = draw(some.new_runs(run_id, ref.workflow_id))
        self.ask_once("close_run", (ref, draw(some.closes(following))))

    def ask_once(self, name: str, arguments: tuple[Any, ...]) -> None:
        request = self.request()
        self.requests[name].append((arguments, request))
        self.call(name, *arguments, request_id=request)

    def start_again(self, draw: Draw) -> None:
        self.ask_again(draw, "start_run")

    def send_again(self, draw: Draw) -> None:
        self.ask_again(draw, "send_to_run")

    def close_again(self, draw: Draw) -> None:
        self.ask_again(draw, "close_run")

    def ask_again(self, draw: Draw, name: str) -> None:
        """Ask again under an old request id: of the same thing, or of another."""
        asked = self.requests[name][-6:]
        if asked:
            arguments, request = draw(st.sampled_from(asked))
            other, _ = draw(st.sampled_from(asked))
            arguments = other if draw(some.seldom) else arguments
            self.world.calls[f"{name} again"] += 1
            self.call(name, *arguments, request_id=request)

    def ask(self, draw: Draw) -> None:
        """A query; or a plain job among the engine's."""
        runs = [*self.world.oracle._runs, "unknown"]
        run_id = runs[draw(some.picks) % len(runs)]
        job = draw(some.queries(self.new_id("query"), run_id))
        if draw(some.seldom):
            job = draw(some.plain_jobs())
        self.call("enqueue", [job], request_id=self.request())

    # -- workers --

    def claim(self, draw: Draw) -> None:
        self.exchange([], self.make_claim(draw))

    def make_claim(self, draw: Draw) -> Claim:
        names = draw(st.sampled_from([("tasks", "work"), ("work", "tasks"), ("work",)]))
        share = draw(st.integers(0, 3))
        return Claim(
            id=self.token(),
            owner=draw(jobs.owners),
            queues=tuple(QueueClaim(name, some.TYPES[name], share) for name in names),
            slots=draw(st.integers(1, 4)),
            prefetch=draw(st.integers(0, 2)),
            suspects=draw(st.integers(0, 2)),
            lease_ms=draw(some.spans),
        )

    def held(self, *kinds: JobKind) -> list[Job]:
        """The active jobs of these kinds."""
        active = self.world.oracle._in_state(JobState.ACTIVE)
        return [job for job in active if job.new.kind in kinds]

    def pick_commit(
        self, draw: Draw, kind: JobKind, shapes: Sequence[str] = SHAPES
    ) -> Commit | None:
        """Commit with a lease that holds; now and then to another run."""
        held = self.held(kind)
        if kind is JobKind.ACTIVITY:  # a chain, where the run has no task
            tasks = self.world.oracle._jobs
            idle = [job for job in held if task_job_id(job.new.run_id) not in tasks]
            held = idle or held
        if not held:
            return None
        job = held[draw(some.picks) % len(held)]
        run = self.world.oracle._runs[job.new.run_id]
        return self.commits.draw(draw, job, run, shapes)

    def commit(self, draw: Draw, shapes: Sequence[str] = SHAPES) -> None:
        commit = self.pick_commit(draw, JobKind.WORKFLOW_TASK, shapes)
        if commit is None:
            self.claim(draw)
        else:
            self.commit_all([commit], None)

    def fail_task(self, draw: Draw) -> None:
        self.commit(draw, ["retry"])

    def end_run(self, draw: Draw) -> None:
        self.commit(draw, ["close"])

    def roll_run(self, draw: Draw) -> None:
        self.commit(draw, ["continue"])

    def inline(self, draw: Draw) -> None:
        """A task runs an activity inline, and a chain may follow."""
        tasks = self.held(JobKind.WORKFLOW_TASK)
        if tasks:
            job = tasks[draw(some.picks) % len(tasks)]
            run = self.world.oracle._runs[job.new.run_id]
            self.commit_all([self.commits.inline(draw, job, run)], None)
            self.chain(draw)

    def chain(self, draw: Draw) -> None:
        commit = self.pick_commit(draw, JobKind.ACTIVITY)
        if commit is not None:
            self.commit_all([commit], None)

    def commit_all(self, settlements: list[Settlement], claim: Claim | None) -> None:
        """Exchange, and count what became of commits and what they did."""
        answer = self.exchange(settlements, claim)
        calls = self.world.calls
        for settlement, status in zip(settlements, answer.statuses, strict=True):
            if isinstance(settlement, Commit):
                calls[f"commit {status}"] += 1
                if status == "ok":
                    calls.update(f"commit with {what}" for what in parts(settlement))

    def exchange_all(self, draw: Draw) -> None:
        """Commits and settlements of several jobs, and a claim, in one call."""
        settlements: list[Settlement] = []
        for kind in (JobKind.WORKFLOW_TASK, JobKind.ACTIVITY, JobKind.WORKFLOW_TASK):
            commit = self.pick_commit(draw, kind)
            settlements += [commit] if commit else []
        settlements += [self.make_settlement(draw)] if draw(some.booleans) else []
        self.commit_all(settlements, self.make_claim(draw))

    def zombie(self, draw: Draw) -> None:
        """Whoever lost a lease commits all the same, with its old token."""
        tasks = [pair for pair in self.pairs if pair[0].startswith(task_job_id(""))]
        commit = self.pick_commit(draw, JobKind.WORKFLOW_TASK)
        if tasks and commit:
            job_id, token = draw(st.sampled_from(tasks[-20:]))
            self.world.calls["zombie commit"] += 1
            self.commit_all([replace(commit, job_id=job_id, token=token)], None)

    def settle(self, draw: Draw) -> None:
        self.exchange([self.make_settlement(draw)], None)

    def make_settlement(self, draw: Draw) -> Settlement:
        """The end of an activity or query: held, pending, or over."""
        oracle, pick = self.world.oracle, draw(some.picks)
        held = self.held(
            JobKind.ACTIVITY, JobKind.ACTIVITY, JobKind.QUERY, JobKind.PLAIN
        )
        pairs = [(job.new.id, job.lease.token) for job in held if job.lease]
        if not pairs or pick % 6 == 0:
            pending = oracle._in_state(*PENDING)
            pairs = [(job.new.id, "") for job in pending] or [("unknown", "")]
        if self.pairs and pick % 7 == 0:
            pairs = [self.pairs[-1 - pick % len(self.pairs)]]
        job_id, token = pairs[pick % len(pairs)]
        settlement: Settlement = draw(some.settlements(job_id, token))
        return self.fitting(draw, settlement)

    def fitting(self, draw: Draw, settlement: Settlement) -> Settlement:
        """What is refused for this kind of job is not sent among others."""
        job = self.world.oracle._jobs.get(settlement.job_id)
        kind = job.new.kind if job else None
        name, pair = type(settlement).__name__, (settlement.job_id, settlement.token)
        if kind is JobKind.WORKFLOW_TASK and name not in {"Retry", "Return"}:
            delay_ms, spend = draw(some.delays), draw(some.booleans)
            return Retry(job_id=pair[0], token=pair[1], delay_ms=delay_ms, spend=spend)
        return settlement

    def pair(self, pick: int) -> tuple[str, str]:
        """A lease: mostly one that holds."""
        held = self.held(*JobKind)
        pairs = [(job.new.id, job.lease.token) for job in held if job.lease]
        if not pairs or pick % 5 == 0:
            pairs = self.pairs or [("unknown", "no token")]
        return pairs[pick % len(pairs)]

    def activity(self, draw: Draw) -> tuple[str, str]:
        """The lease of an activity, mostly; now and then that of something else."""
        held = self.held(JobKind.ACTIVITY)
        pick = draw(some.picks)
        pairs = [(job.new.id, job.lease.token) for job in held if job.lease]
        return pairs[pick % len(pairs)] if pairs and pick % 4 else self.pair(pick)

    def beat(self, draw: Draw) -> None:
        self.call("beat", *self.activity(draw), draw(some.small))

    def detach(self, draw: Draw) -> None:
        """Detach an activity; what is none refuses, or its lease is lost."""
        job_id, token = self.activity(draw)
        self.world.calls["settle Detach"] += 1
        self.call("exchange", [Detach(job_id=job_id, token=token)])

    def renew(self, draw: Draw) -> None:
        pairs = [self.pair(draw(some.picks)) for _ in range(2)]
        self.call("renew", "host:1:x", pairs, lease_ms=draw(some.spans))

    # -- time and upkeep --

    def time_passes(self, draw: Draw) -> None:
        self.sleep(draw(some.moments))

    def tick(self, draw: Draw) -> None:
        self.call("promote_due", limit=draw(jobs.steps))
        self.call("expire_due")

    def sweep(self, draw: Draw) -> None:
        """Sweep, and settle what was lost as a retry policy might."""
        swept = self.call("sweep", interval_ms=jobs.INTERVAL_MS, limit=draw(jobs.steps))
        lost = [each for each in swept if each.outcome == "lost"]
        self.exchange(
            [
                Retry(job_id=each.job_id, token=each.token, outcome=draw(some.entries))
                for each in lost[:2]
            ],
            None,
        )

    def overdue(self, draw: Draw) -> None:
        """List what is overdue, and end some of it, as two askers would."""
        found = self.call("list_overdue", limit=draw(jobs.steps))
        for each in found[:2]:
            self.end_overdue(draw, each)

    def end_overdue(self, draw: Draw, overdue: Overdue) -> None:
        if overdue.run is not None:
            run = overdue.run
            ref = RunRef(workflow_id=run.workflow_id, run_id=run.run_id)
            close = Close(status=RunStatus.TIMED_OUT, events=(draw(some.small),))
            self.ask_once("close_run", (ref, close))
        if overdue.activity is not None:
            fields: Any = {"job_id": overdue.activity.id, "token": overdue.token}
            fields["outcome"] = draw(some.entries)
            timeout = Bury(**fields, failure=b"t", reason=DeadReason.TIMEOUT)
            again = Retry(**fields, failure=b"t", delay_ms=draw(some.delays))
            self.exchange([again if draw(some.booleans) else timeout], None)

    # -- operators --

    def limit_queue(self, draw: Draw) -> None:
        self.call("declare_queue", draw(some.queues), draw(jobs.limits))

    def pause(self, draw: Draw) -> None:
        """A pause for two acts of workers, or all would soon stand still."""
        queue = draw(some.queues)
        self.call("declare_queue", queue, draw(jobs.limits))
        self.call("pause", queue)
        self.claim(draw)
        self.commit(draw)
        self.call("resume", queue)

    def drain(self, draw: Draw) -> None:
        self.call("drain", draw(some.queues), delayed=True)

    def bury_unknown(self, draw: Draw) -> None:
        self.call("bury_unknown", grace_ms=1, interval_ms=jobs.INTERVAL_MS)

    def prune(self, draw: Draw) -> None:
        self.call("prune_runs", age_ms=draw(st.sampled_from([0, 500, 3000])))

    def operate_on_jobs(self, draw: Draw) -> None:
        ids = [*self.world.oracle._jobs, "unknown"]
        for act in draw(st.lists(st.sampled_from(OPERATIONS), min_size=1, max_size=3)):
            self.call(act, ids[draw(some.picks) % len(ids)])

    # -- reads --

    def read(self, draw: Draw) -> None:
        ref, pick = self.commits.ref(draw), draw(some.picks)
        runs = [*self.world.oracle._runs, "unknown"]
        run_id = runs[pick % len(runs)]
        self.call("get_run", ref)
        self.call("load_run", run_id, start=1 + pick % 3)
        self.call("read_history", run_id, start=1 + pick % 3, limit=1 + pick % 4)
        self.call("pending_work", run_id)
        self.call("count_runs")
        self.call("wait_run", run_id, length=pick % 5, timeout_s=0)
        self.call("wait_value", "result", draw(some.keys), timeout_s=0)
        self.world.pages_of_runs(
            pick % 3 + 1,
            status=draw(st.sampled_from([None, *RunStatus])),
            type=draw(st.sampled_from([None, "Order"])),
            workflow_id=draw(st.one_of(st.none(), some.workflow_ids)),
            parent_run_id=draw(st.sampled_from([None, None, run_id])),
        )


def parts(commit: Commit) -> list[str]:
    """What a commit does, in words to count."""
    named = {
        "timers": commit.timers,
        "activities": commit.activities,
        "cancelled activities": commit.cancel_activities,
        "children": commit.children,
        "deliveries": commit.deliveries,
        "inline": commit.inline,
        "close": commit.close,
        "next run": commit.close and commit.close.next_run,
        "carry": commit.close and commit.close.carry,
        "retry": commit.retry,
        "an activity's lease": not commit.job_id.startswith(task_job_id("")),
    }
    return [name for name, there in named.items() if there]
