"""What a transaction tells those who wait in its process.

A topic is something that can be waited for. Most operations tell everything, which is
never wrong; those that run often say what they make possible, and nothing else wakes.
"""

from typing import NamedTuple

Topic = tuple[str, ...]

TIMERS: Topic = ("timers",)  # a timer was set, which may be the next one


def queue_topic(queue: str, type_name: str = "") -> Topic:
    """Return the topic of claimable jobs of a type; of any type, if none is given."""
    return ("queue", queue, type_name)


def run_topic(run_id: str) -> Topic:
    """Return the topic of a run that goes on or ends."""
    return ("run", run_id)


def end_topic(run_id: str) -> Topic:
    """Return the topic of a run that ends."""
    return ("end", run_id)


def value_topic(space: str, key: str) -> Topic:
    """Return the topic of a value that is set."""
    return ("value", space, key)


class News(NamedTuple):
    """What one transaction tells; `topics` None: everything.

    `found` and `made`: the number of the file's newest commit before it and after.
    """

    topics: frozenset[Topic] | None
    found: int
    made: int


class Gathering:
    """Gathers the news of a transaction, operation by operation."""

    def __init__(self) -> None:
        self._all = False
        self._topics: set[Topic] = set()
        self._speaks = False
        self._own: dict[Topic, int] = {}

    def speaks(self) -> None:
        """The operation says itself what it makes possible: trust it."""
        self._speaks = True

    def tell(self, topic: Topic) -> None:
        """The operation makes this possible."""
        self._own[topic] = self._own.get(topic, 0) + 1

    def withdraw(self, topic: Topic) -> None:
        """The operation has taken for itself what it told once."""
        if self._own.get(topic):
            self._own[topic] -= 1

    def keep(self, *, wrote: bool) -> None:
        """The operation succeeded: its news hold."""
        if not self._speaks:
            self._all = self._all or wrote
        self._topics.update(topic for topic, told in self._own.items() if told)
        self.drop()

    def drop(self) -> None:
        """The operation changed nothing, so it has no news."""
        self._speaks = False
        self._own.clear()

    @property
    def topics(self) -> frozenset[Topic] | None:
        """All that was told; None: everything."""
        return None if self._all else frozenset(self._topics)
