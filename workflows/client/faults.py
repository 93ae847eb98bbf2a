"""What is wrong with what a caller passed, each fault with its place."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from workflows.exceptions import InvalidArgumentError


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: a JSON pointer to its place, a stable code, a sentence."""

    path: str
    code: str
    message: str


class InvalidJobsError(InvalidArgumentError):
    """Jobs that cannot be accepted; nothing was enqueued.

    `faults`: every fault. A path begins with the index of its job and then names the
    field of `JobRequest`, as in `/0/payload/orderId`.
    """

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        lines = (f"{fault.path}: {fault.message}" for fault in self.faults)
        super().__init__("; ".join(lines))


def payload_faults(model: type[BaseModel], payload: Any) -> list[Fault]:
    """Return every fault of a payload, none of them quoting the payload's values."""
    try:
        model.model_validate(payload)
    except ValidationError as error:
        return validation_faults(error)
    return []


def validation_faults(error: ValidationError) -> list[Fault]:
    """Return the faults that pydantic found, without the values that it found."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    return [Fault(pointer(item["loc"]), item["type"], item["msg"]) for item in found]


def pointer(parts: Sequence[str | int]) -> str:
    """Return the JSON pointer (RFC 6901) of a path."""
    escaped = (str(part).replace("~", "~0").replace("/", "~1") for part in parts)
    return "".join(f"/{part}" for part in escaped)
