"""Random commits: mostly true of their run, with effects that meet each other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

from tests.oracle import OracleStore
from tests.oracle.memory import Job, Run
from tests.property import run_strategies as some
from tests.property.program import Draw
from workflows.store import (
    CancelActivity,
    Commit,
    Deliver,
    InlineLease,
    JobKind,
    NewTimer,
    Parent,
    RunRef,
    StartChild,
)

SHAPES = (
    *("idle", "work", "work", "work", "family", "family", "both", "both"),
    *("close", "continue", "continue", "continue", "retry", "retry"),
)


@dataclass
class Commits:
    """Draws commits for leases that the oracle knows of."""

    oracle: OracleStore
    new_id: Callable[[str], str]

    def draw(
        self, draw: Draw, job: Job, run: Run, shapes: Sequence[str] = SHAPES
    ) -> Commit:
        """Draw a commit for this lease; one in four is not true of the run."""
        assert job.lease is not None
        now = self.oracle.now()
        shape = draw(st.sampled_from(shapes))
        if job.new.kind is not JobKind.WORKFLOW_TASK and shape == "retry":
            shape = "work"
        seen = run.inbox_seq
        commit = Commit(
            job_id=job.new.id,
            token=job.lease.token,
            run_id=run.id,
            length=len(run.events),
            at=draw(st.sampled_from([now, now, run.last_at])),
            taken=draw(st.sampled_from([seen, max(0, seen - 1)])),
            events=tuple(draw(st.lists(some.small, max_size=2))),
            **self._effects(draw, shape, run),
        )
        return self._spoil(draw, commit, run) if draw(some.picks) % 4 == 0 else commit

    def inline(self, draw: Draw, job: Job, run: Run) -> Commit:
        """Draw a commit that does nothing but run a new activity inline."""
        assert job.lease is not None
        activity = draw(some.activities(self.new_id("act"), run.id))
        return Commit(
            job_id=job.new.id,
            token=job.lease.token,
            run_id=run.id,
            length=len(run.events),
            at=self.oracle.now(),
            taken=run.inbox_seq,
            activities=(replace(activity, delay_ms=0),),
            inline=InlineLease(
                job_id=activity.id,
                token=self.new_id("inline"),
                owner="host:1:x",
                lease_ms=draw(some.spans),
            ),
        )

    def _spoil(self, draw: Draw, commit: Commit, run: Run) -> Commit:
        wrong: list[dict[str, Any]] = [
            {"length": commit.length + 1},
            {"length": commit.length - 1},
            {"at": run.last_at - 1},
            {"at": self.oracle.now() + 1},
            {"run_id": "unknown", "activities": ()},
            {"token": "no token"},
            {"token": "no token"},
        ]
        return replace(commit, **draw(st.sampled_from(wrong)))

    def _effects(self, draw: Draw, shape: str, run: Run) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        if shape == "retry":
            return {"retry": draw(some.retries)}
        if shape in {"work", "both"}:
            fields |= self._work(draw, run)
        if shape in {"family", "both"}:
            fields |= self._family(draw, run)
        if shape == "close":
            fields["close"] = draw(some.closes())
        if shape == "continue":
            next_id = self.new_id("run") if draw(some.picks) % 8 else run.id
            following = draw(some.new_runs(next_id, run.new.workflow_id))
            fields["close"] = draw(
                some.closes(replace(following, parent=run.new.parent))
            )
        fields["info"] = draw(st.sampled_from([None, b"", b"i"]))
        fields["failed"] = draw(some.seldom)
        if draw(some.seldom):
            fields["values"] = (draw(some.values),)
            fields["jobs"] = (draw(some.plain_jobs()),)
        return fields

    def _work(self, draw: Draw, run: Run) -> dict[str, Any]:
        known = [job.new.id for job in self.oracle._activities(run)]
        fresh = [
            self.new_id("act")
            if draw(some.picks) % 8
            else f"act-{draw(some.picks) % 9}"
            for _ in range(draw(st.integers(0, 2)))
        ]
        ids = [*known[:3], *fresh] or ["unknown"]
        cancels = draw(st.lists(st.sampled_from(ids), max_size=1))
        fields: dict[str, Any] = {
            "timers": tuple(self._timer(draw) for _ in range(draw(st.integers(0, 2)))),
            "cancel_timers": tuple(draw(st.lists(some.keys, max_size=1))),
            "activities": tuple(draw(some.activities(one, run.id)) for one in fresh),
            "cancel_activities": tuple(
                CancelActivity(job_id=one, entry=draw(some.entries)) for one in cancels
            ),
        }
        if draw(some.booleans):
            fields["inline"] = InlineLease(
                job_id=draw(st.sampled_from(ids)),
                token=self.new_id("inline"),
                owner="host:1:x",
                lease_ms=draw(some.spans),
            )
        return fields

    def _timer(self, draw: Draw) -> NewTimer:
        due_at = self.oracle.now() + draw(some.moments)
        return NewTimer(key=draw(some.keys), due_at=due_at, entry=draw(some.entries))

    def _family(self, draw: Draw, run: Run) -> dict[str, Any]:
        children = tuple(self._child(draw, run) for _ in range(draw(st.integers(0, 2))))
        deliveries = tuple(self._delivery(draw) for _ in range(draw(st.integers(0, 2))))
        return {"children": children, "deliveries": deliveries}

    def _child(self, draw: Draw, run: Run) -> StartChild:
        parent = Parent(workflow_id=run.new.workflow_id, run_id=run.id)
        run_id, workflow_id = self.new_id("run"), draw(some.workflow_ids)
        return StartChild(
            run=draw(some.new_runs(run_id, workflow_id, parent)),
            reuse=draw(some.reuses),
            started=draw(some.entries),
            refused=draw(some.entries),
        )

    def _delivery(self, draw: Draw) -> Deliver:
        return Deliver(
            to=self.ref(draw),
            entry=draw(some.entries),
            done=draw(some.maybe_entries),
            missing=draw(some.maybe_entries),
            child_only=draw(some.seldom),
        )

    def ref(self, draw: Draw) -> RunRef:
        """Name a run: the current one, one of those that were, or one that is not."""
        workflow_id, pick = draw(some.workflow_ids), draw(some.picks)
        runs = [
            x for x in self.oracle._runs.values() if x.new.workflow_id == workflow_id
        ]
        if pick % 3 or not runs:
            first = "run-001" if pick % 7 == 0 else None
            return RunRef(workflow_id=workflow_id, first_run_id=first)
        run = runs[pick % len(runs)]
        wrong = pick % 5 == 0
        return RunRef(
            workflow_id=workflow_id,
            run_id="unknown" if wrong else run.id,
            first_run_id=run.first_run_id if pick % 2 else None,
        )
