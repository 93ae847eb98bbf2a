"""One mutant: a small textual change of an adapter that makes it wrong."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

STORES = "workflows/stores"


class StaleMutantError(Exception):
    """The text that a mutant replaces is not there exactly once any more."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """`old` becomes `new` in `file`, a path below the adapter's folder.

    `module` is the module of the contract suite that should catch it: it runs first.
    """

    adapter: Literal["sqlite", "redis"]
    name: str
    module: str
    file: str
    old: str
    new: str

    @property
    def path(self) -> Path:
        """The file, relative to the root of the project."""
        return Path(STORES, self.adapter, self.file)

    def apply(self, root: Path) -> None:
        """Change the copy of the project below `root`.

        Raises:
            StaleMutantError: the adapter was changed; change the mutant too.
        """
        path = root / self.path
        text = path.read_text()
        found = text.count(self.old)
        if found != 1:
            msg = f"{self.adapter} {self.name}: found {found} times in {self.path}"
            raise StaleMutantError(msg)
        path.write_text(text.replace(self.old, self.new))
