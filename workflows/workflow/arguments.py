"""The two ways to pass arguments: one `arg`, or several `args`."""

from collections.abc import Sequence
from typing import Any

from workflows.exceptions import InvalidArgumentError

UNSET: Any = ...  # no argument; None is one


def arguments_of(arg: Any, args: Sequence[Any]) -> Sequence[Any]:
    """Return the arguments. Raises InvalidArgumentError if both ways are used."""
    if arg is UNSET:
        return args
    if args:
        msg = "pass one argument as `arg` or several as `args`, not both"
        raise InvalidArgumentError(msg)
    return [arg]
