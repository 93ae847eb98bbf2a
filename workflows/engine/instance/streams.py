"""Randomness of a run: one seed, a stream for each use.

Separate streams, so that one more `random()` does not change the ids of children.
"""

from functools import cached_property
from hashlib import sha256
from random import Random
from uuid import UUID


class Streams:
    """The random streams of a run; the same seed gives the same streams."""

    def __init__(self, seed: str) -> None:
        self._seed = seed

    @cached_property
    def seed(self) -> int:
        """The seed as a number."""
        return _number(self._seed, "")

    @cached_property
    def random(self) -> Random:
        """The stream of `workflow.random()`."""
        return Random(_number(self._seed, "random"))

    @cached_property
    def _uuid4(self) -> Random:
        return Random(_number(self._seed, "uuid4"))

    @cached_property
    def _uuid7(self) -> Random:
        return Random(_number(self._seed, "uuid7"))

    @cached_property
    def _child_ids(self) -> Random:
        return Random(_number(self._seed, "child"))

    @cached_property
    def _new(self) -> Random:
        return Random(_number(self._seed, "new"))

    def uuid4(self) -> UUID:
        """Return the next random UUID."""
        return UUID(bytes=self._uuid4.randbytes(16), version=4)

    def uuid7(self, at_ms: int) -> UUID:
        """Return the next UUID that sorts by workflow time."""
        value = int.from_bytes(at_ms.to_bytes(6) + self._uuid7.randbytes(10))
        value = value & ~(0xF << 76) | 7 << 76  # version
        return UUID(int=value & ~(0x3 << 62) | 0x2 << 62)  # variant

    def child_id(self) -> str:
        """Return the id of the next child that was given none."""
        return str(UUID(bytes=self._child_ids.randbytes(16), version=4))

    def new(self, name: str | None) -> Random:
        """Return a stream of its own: by name always the same one, else the next."""
        if name is None:
            return Random(self._new.getrandbits(64))
        return Random(_number(self._seed, f"named:{name}"))


def _number(seed: str, stream: str) -> int:
    return int.from_bytes(sha256(f"{stream}\n{seed}".encode()).digest()[:8])
