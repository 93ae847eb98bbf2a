"""Random programs of jobs: every operation on them, on all stores, step by step."""

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from tests.property import strategies as some
from tests.property.program import Draw, Program
from tests.property.world import SPACES
from workflows import store as contract
from workflows.engine.states import JobState
from workflows.store import (
    Claim,
    Join,
    NewJob,
    QueueClaim,
    QueueLimits,
    Settlement,
    WorkerInfo,
)

LONG_MS = 16 * 60 * 1000  # longer than requests are remembered
VALUES = (
    "put_value",
    "get_values",
    "pop_value",
    "delete_value",
    "list_values",
    "flush_values",
    "increment",
)
WORK = (
    *("enqueue_some", "claim", "claim", "settle", "settle_and_claim") * 2,
    *("enqueue_again", "claim_again", "settle_again"),
    *("renew", "report", "lock", "time_passes", "time_passes", "sweep"),
)
JOB_ACTS = ("cancel", "reschedule", "promote", "amend", "remove", "retry_dead")
PLAN = (
    *("upsert_schedule", "fire_schedule") * 2,
    *("pause_schedule", "delete_schedule"),
)


class JobsAgree(Program):
    """A program of producers, workers, operators, schedules and values."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[tuple[str, list[NewJob]]] = []

    def pair(self, pick: int) -> tuple[str, str]:
        """A lease: mostly one that holds, now and then an old or a false one."""
        held = [
            (job.new.id, job.lease.token)
            for job in self.world.oracle._jobs.values()
            if job.lease
        ]
        if held and pick % 5:
            return held[pick % len(held)]
        if self.pairs and pick % 10:
            return self.pairs[pick % len(self.pairs)]
        tokens = [token for _, token in self.pairs] or ["no token"]
        return f"job-{pick % 15}", tokens[pick % len(tokens)]

    @initialize(
        limits=some.limits, jobs=st.lists(some.new_jobs(), min_size=2, max_size=6)
    )
    def open_for_business(self, limits: QueueLimits, jobs: list[NewJob]) -> None:
        self.call("declare_queue", "mail", limits)
        self.call("sweep", interval_ms=some.INTERVAL_MS)
        self.enqueue(jobs)

    # -- producers and workers --

    @rule(data=st.data(), acts=st.lists(st.sampled_from(WORK), min_size=2, max_size=6))
    def work(self, data: st.DataObject, acts: list[str]) -> None:
        """What producers, workers and a ticker do in some order."""
        for act in acts:
            getattr(self, act)(data.draw)

    more_work = most_work = work  # three times as likely as the other rules

    def enqueue_some(self, draw: Draw) -> None:
        self.enqueue(draw(st.lists(some.choosy_jobs(), min_size=1, max_size=4)))

    def enqueue(self, jobs: list[NewJob]) -> None:
        request = self.request()
        self.requests.append((request, jobs))
        self.call("enqueue", jobs, request_id=request)

    def enqueue_again(self, draw: Draw) -> None:
        if self.requests:
            request, jobs = draw(st.sampled_from(self.requests[-8:]))
            self.call("enqueue", jobs, request_id=request)

    def claim(self, draw: Draw) -> None:
        self.exchange([], self.make_claim(draw))

    def settle(self, draw: Draw) -> None:
        self.exchange(self.make_settlements(draw), None)

    def settle_and_claim(self, draw: Draw) -> None:
        self.exchange(self.make_settlements(draw), self.make_claim(draw))

    def renew(self, draw: Draw) -> None:
        picks = draw(st.lists(some.picks, min_size=1, max_size=4))
        pairs = [self.pair(pick) for pick in picks]
        self.call("renew", "host:1:x", pairs, lease_ms=draw(some.spans))

    def report(self, draw: Draw) -> None:
        self.call("report", *self.pair(draw(some.picks)), draw(some.reports))

    def lock(self, draw: Draw) -> None:
        lease = self.pair(draw(some.picks))
        key, value = draw(some.keys), draw(some.small)
        self.call("put_value_if_absent", "lock", key, value, lease=lease)

    def time_passes(self, draw: Draw) -> None:
        self.sleep(draw(some.moments))

    def sweep(self, draw: Draw) -> None:
        limit = draw(some.steps)
        self.call("sweep", interval_ms=some.INTERVAL_MS, limit=limit)

    def make_claim(self, draw: Draw) -> Claim:
        names = draw(st.lists(some.queues, min_size=1, unique=True))
        known = tuple(draw(st.lists(some.types, min_size=1, unique=True)))
        share = draw(st.integers(0, 3))
        return Claim(
            id=self.token(),
            owner=draw(some.owners),
            queues=tuple(QueueClaim(name, known, share) for name in names),
            slots=draw(st.integers(0, 4)),
            prefetch=draw(st.integers(0, 2)),
            suspects=draw(st.integers(0, 2)),
            lease_ms=draw(some.spans),
        )

    def make_settlements(self, draw: Draw) -> list[Settlement]:
        kinds = draw(st.lists(some.settlement_fields(), min_size=1, max_size=3))
        return [self.make_settlement(draw, kind, fields) for kind, fields in kinds]

    def make_settlement(
        self, draw: Draw, kind: str, fields: dict[str, Any]
    ) -> Settlement:
        job_id, token = self.pair(draw(some.picks))
        settlement: Settlement = getattr(contract, kind)(
            job_id=job_id, token=token, **fields
        )
        if draw(st.integers(0, 9)) == 0:
            settlement = replace(settlement, join=self.make_join(draw))
        return settlement

    def make_join(self, draw: Draw) -> Join:
        size = draw(st.integers(1, 3))
        return Join(
            key=f"join-{size}-{draw(st.integers(0, 1))}",
            index=draw(st.integers(0, size - 1)),
            size=size,
            value=draw(some.small),
            job=draw(some.new_jobs()),
        )

    # -- upkeep --

    @rule(limit=some.steps)
    def upkeep(self, limit: int) -> None:
        """What a ticker does, one after the other."""
        self.call("promote_due", limit=limit)
        self.call("expire_due")
        self.call("bury_unknown", grace_ms=some.GRACE_MS, interval_ms=some.INTERVAL_MS)

    @rule(worker=some.workers, leaves=st.booleans())
    def beat_or_leave(self, worker: WorkerInfo, leaves: bool) -> None:
        if leaves:
            self.call("retire_worker", worker.owner)
        else:
            self.call("heartbeat", worker)

    @rule(rare=st.integers(0, 9))
    def a_long_time_passes(self, rare: int) -> None:
        """Ids sent before may be forgotten: none of them is sent again."""
        if rare == 0:
            self.sleep(LONG_MS)
            for sent in (self.requests, self.pairs, self.sent):
                sent.clear()

    # -- operators --

    @rule(
        acts=st.lists(
            st.tuples(
                st.sampled_from(JOB_ACTS),
                some.job_ids,
            ),
            min_size=1,
            max_size=3,
        ),
        delay_ms=some.delays,
        change=some.changes,
    )
    def operate_on_jobs(
        self, acts: list[tuple[str, str]], delay_ms: int, change: dict[str, Any]
    ) -> None:
        options = {"reschedule": {"delay_ms": delay_ms}, "amend": change}
        for act, job_id in acts:
            self.call(act, job_id, **options.get(act, {}))

    @rule(
        step=st.sampled_from(
            ["retry_dead_all", "promote_all", "clean", "drain", "prune"]
        ),
        queue=some.queues,
        limit=some.steps,
        delayed=st.booleans(),
        state=some.states,
        bounds=st.tuples(
            st.sampled_from([None, 0, 500, 3000]), st.sampled_from([None, 0, 1, 3])
        ),
    )
    def take_a_step(
        self,
        step: str,
        queue: str,
        limit: int,
        delayed: bool,
        state: JobState,
        bounds: tuple[int | None, int | None],
    ) -> None:
        match step:
            case "drain":  # of no particular order, so all of them
                self.call(step, queue, delayed=delayed)
            case "prune":
                age_ms, keep = bounds
                options = {"age_ms": age_ms, "keep": keep, "limit": limit}
                self.call(step, queue, state, **options)
            case _:
                self.call(step, queue, limit=limit)

    @rule(
        act=st.sampled_from(["declare_queue", "set_limits", "pause", "resume"]),
        queue=some.queues,
        limits=some.limits,
        lift=st.booleans(),
        by=st.sampled_from(["", "Ann"]),
    )
    def set_up(
        self, act: str, queue: str, limits: QueueLimits, lift: bool, by: str
    ) -> None:
        match act:
            case "declare_queue":
                self.call(act, queue, limits)
            case "set_limits":
                self.call(act, queue, None if lift else limits)
            case "pause":
                self.call(act, queue, by=by)
            case "resume":
                self.call(act, queue)

    @rule(queue=some.queues)
    def resume(self, queue: str) -> None:
        self.call("resume", queue)

    # -- schedules --

    @rule(data=st.data(), acts=st.lists(st.sampled_from(PLAN), min_size=1, max_size=4))
    def plan(self, data: st.DataObject, acts: list[str]) -> None:
        for act in acts:
            name = data.draw(some.schedule_ids)
            match act:
                case "upsert_schedule":
                    now = self.world.clock.now
                    self.call(act, data.draw(some.schedules(now)))
                case "fire_schedule":
                    self.fire(data.draw, name)
                case "pause_schedule":
                    self.call(act, name, paused=data.draw(st.booleans()))
                case _:
                    self.call(act, name)

    def fire(self, draw: Draw, name: str) -> None:
        stored = self.world.oracle._schedules.get(name)
        slot: int = (stored and stored.next_at) or self.world.clock.now
        slot += draw(st.sampled_from([0, 0, 0, 1]))
        jobs = [
            draw(some.new_jobs(st.just(f"sched:{name}:{slot + number}")))
            for number in range(draw(st.integers(0, 2)))
        ]
        options = {
            "next_at": draw(st.sampled_from([None, slot + 10, slot + 1000])),
            "jobs": jobs,
            "skip_overlap": draw(st.booleans()),
        }
        for _ in range(2):  # the second time as if the first reply was lost
            self.call("fire_schedule", name, slot=slot, **options)

    # -- values --

    @rule(
        data=st.data(), acts=st.lists(st.sampled_from(VALUES), min_size=1, max_size=6)
    )
    def use_values(self, data: st.DataObject, acts: list[str]) -> None:
        for act in acts:
            space, key = data.draw(some.spaces), data.draw(some.keys)
            match act:
                case "put_value":
                    value, ttl = data.draw(some.small), data.draw(some.times_to_live)
                    self.call(act, space, key, value, ttl_ms=ttl)
                case "get_values":
                    self.call(act, space, ["k0", "k1", "k2"])
                case "list_values":
                    self.call(act, data.draw(st.sampled_from(SPACES)))
                case "flush_values":
                    self.call(act, space)
                case "increment":
                    self.call(act, "metric", key, data.draw(st.integers(-2, 5)))
                case _:
                    self.call(act, space, key)

    @rule(
        space=some.spaces,
        key=some.keys,
        value=some.small,
        ttl=some.times_to_live,
        pick=st.one_of(st.none(), some.picks, some.picks),
    )
    def put_value_if_absent(
        self, space: str, key: str, value: bytes, ttl: int | None, pick: int | None
    ) -> None:
        lease = None if pick is None else self.pair(pick)
        self.call("put_value_if_absent", space, key, value, ttl_ms=ttl, lease=lease)

    # -- reads --

    @rule(
        job_id=some.job_ids,
        queue=some.queues,
        state=some.states,
        limit=st.sampled_from([1, 2, 50]),
    )
    def read(self, job_id: str, queue: str, state: JobState, limit: int) -> None:
        self.steps += 1
        self.world.pages(queue, state, limit)
        self.world.call("get_job", job_id)
        self.world.call("list_log", job_id, limit=limit)
        self.world.call("get_queue", queue)
        self.world.call("series", queue, since_minute=0)
        for name in ("list_queues", "list_workers", "list_schedules", "now"):
            self.world.call(name)
