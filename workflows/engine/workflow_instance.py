"""The seam between history and code: what a live workflow is to the engine."""

from collections.abc import Callable, Sequence
from typing import Protocol

from workflows.engine.activation import Activation, Initialize
from workflows.engine.commands import Command


class WorkflowInstance(Protocol):
    """One run of workflow code, kept alive between its workflow tasks.

    Deterministic: the same activations give the same commands. Used by one thread at a
    time, any thread.
    """

    def activate(self, activation: Activation) -> Sequence[Command]:
        """Run the workflow until nothing can go on; return its commands in call order.

        Any exception means that the workflow *task* failed: nothing of this activation
        holds, and the instance must not be used again but for `evict`.
        """

    def await_site(self) -> str:
        """Return `file:line in function` of the innermost await of the main run."""

    def evict(self) -> None:
        """Tear the instance down: its tasks are cancelled and can have no effects."""


NewInstance = Callable[[Initialize], WorkflowInstance]
