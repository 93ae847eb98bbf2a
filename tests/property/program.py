"""What every random program keeps: the stores, what it sent, what it was granted."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine

from tests.clock import ManualClock
from tests.oracle.memory import FOREVER
from tests.property.world import World
from workflows.store import Claim, Exchanged, Settlement, Store

Draw = Callable[[st.SearchStrategy[Any]], Any]


@dataclass
class Series:
    """What the programs of one test need, and what they leave."""

    open_adapters: Callable[[ManualClock], Mapping[str, Store]]
    calls: Counter[str] = field(default_factory=Counter)
    lengths: list[int] = field(default_factory=list)
    digests: list[str] = field(default_factory=list)


class Program(RuleBasedStateMachine):
    """One program of a series.

    It keeps what a caller would keep: ids that it sent, leases that it was granted.
    Each step is one call; its index parameters pick from what there is by then.
    """

    series: ClassVar[Series]
    acts: ClassVar[int] = 1  # about how many steps one rule is

    def __init__(self) -> None:
        super().__init__()
        clock = ManualClock()
        self.world = World(clock, self.series.open_adapters(clock))
        self.steps = 0
        self.tokens = 0
        self.sends = 0
        self.claims: list[tuple[Claim, int]] = []
        self.pairs: list[tuple[str, str]] = []
        self.sent: list[Settlement] = []

    def teardown(self) -> None:
        try:
            if not self.world.broken:  # else the first difference is the one to see
                self.series.digests.append(self.world.check())
        finally:
            for adapter in self.world.adapters.values():
                adapter.wipe()
                adapter.close()
            self.series.calls.update(self.world.calls)
            self.series.lengths.append(self.steps)

    def call(self, name: str, *args: Any, **options: Any) -> Any:
        self.steps += 1
        return self.world.call(name, *args, **options)

    def request(self) -> str:
        """A request id that was never used."""
        self.sends += 1
        return f"request-{self.sends}"

    def token(self) -> str:
        """A token that was never used."""
        self.tokens += 1
        return f"token-{self.tokens}"

    def sleep(self, ms: int) -> None:
        self.steps += 1
        self.world.sleep(ms)

    def exchange(self, settlements: list[Settlement], claim: Claim | None) -> Exchanged:
        self.steps += 1
        answer = self.world.exchange(settlements, claim, fresh=True)
        if claim and any(job.token == claim.id for job in answer.jobs):
            self.claims.append((claim, self.world.clock.now))
        self.pairs += [(job.id, job.token) for job in answer.jobs]
        self.sent += settlements
        return answer

    def claim_again(self, draw: Draw) -> None:
        claims = [claim for claim, sent in self.claims if self.remembered(claim, sent)]
        if claims:
            self.steps += 1
            claim = draw(st.sampled_from(claims[-5:]))
            self.world.exchange([], claim, fresh=False)

    def remembered(self, claim: Claim, sent: int) -> bool:
        """Whether a claim must be known; what is detached it does not hold."""
        leases = self.world.oracle._leases()
        held = any(
            lease.token == claim.id and lease.until != FOREVER for lease in leases
        )
        return held or self.world.clock.now < sent + claim.lease_ms

    def settle_again(self, draw: Draw) -> None:
        if self.sent:
            self.steps += 1
            again = draw(st.sampled_from(self.sent[-8:]))
            self.world.exchange([again], None, fresh=True)
