"""The job types that the API's tests register; loaded by name, as a user's would be."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from workflows.app import huey


class Note(BaseModel):
    """A strict payload: no conversion, no other fields, names as in JSON."""

    model_config = ConfigDict(strict=True, extra="forbid")

    text: str = ""
    number: int = 0
    tags: Annotated[dict[str, object], Field(max_length=20_000)] = {}


@huey.job(queue="notes", payload=Note)
def take_note(note: Note) -> None:
    """Do nothing: the API's tests run no consumer."""


@huey.job(queue="metrics", payload=Note, concurrency=3)
def count_note(note: Note) -> None:
    """Live in a queue whose name is also a word in the API's paths."""


@huey.task()  # type: ignore[untyped-decorator]
def plain() -> None:
    """Be a plain Huey task, which has no payload model."""
