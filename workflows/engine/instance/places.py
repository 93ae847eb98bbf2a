"""Telling the author's code from ours and from the standard library."""

import sysconfig
from pathlib import PurePath

PACKAGE = PurePath(__file__).parents[2]
OURS = tuple(f"{PACKAGE / part}/" for part in ("engine", "workflow", "converter"))
STDLIB = sysconfig.get_paths()["stdlib"] + "/"
INSTALLED = ("/site-packages/", "/dist-packages/")


def is_ours(filename: str) -> bool:
    """Return whether a source file belongs to the machinery of workflows."""
    return filename.startswith(OURS)


def is_library(filename: str) -> bool:
    """Return whether a source file is of the standard library."""
    if filename.startswith("<frozen"):
        return True
    installed = any(part in filename for part in INSTALLED)
    return filename.startswith(STDLIB) and not installed
