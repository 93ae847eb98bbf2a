"""Patches: changes of code that old histories do not know."""

from workflows.engine.commands import SetPatchMarker
from workflows.engine.instance.core import Core


class Patches:
    """Which patches this run takes; an answer never changes."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._in_history: set[str] = set()
        self._answers: dict[str, bool] = {}

    def notify(self, patch_id: str) -> None:
        """A marker of this patch is in the history."""
        self._in_history.add(patch_id)

    def takes(self, patch_id: str, *, deprecated: bool) -> bool:
        """Return whether to take the patched way, and record that it was asked for."""
        self._core.require_writable("patch")
        known = self._answers.get(patch_id)
        if known is not None:
            return known
        replaying = self._core.activation.replaying
        taken = not replaying or patch_id in self._in_history
        self._answers[patch_id] = taken
        if taken:
            self._core.emit(SetPatchMarker(patch_id=patch_id, deprecated=deprecated))
        return taken
