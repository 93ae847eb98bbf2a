"""The clock of every test that uses a store: it moves only when it is told to."""

START = 1_700_000_000_000  # a whole second, near nothing special


class ManualClock:
    """Milliseconds since the epoch; call it to read it."""

    def __init__(self, now: int = START) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now

    def advance(self, ms: int) -> int:
        """Move by `ms` (negative: the wall clock was set back); return the time."""
        self.now += ms
        return self.now
