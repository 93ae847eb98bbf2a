"""What a handler is given, and what it returns."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel

from workflows.client import JobClient

BodyModel = TypeVar("BodyModel", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One checked request: ids, parameters and body are of the declared shape."""

    client: JobClient
    ids: Mapping[str, str]
    query: Mapping[str, Any]
    body: BaseModel | None
    request_key: str | None  # the Idempotency-Key, scoped by method and path
    traceparent: str

    def read(self, model: type[BodyModel]) -> BodyModel:
        """Return the body, whose model the route declares."""
        if not isinstance(self.body, model):
            msg = f"the route declares another body than {model.__name__}"
            raise TypeError(msg)
        return self.body


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What to answer: the data of the envelope and what goes around it."""

    data: BaseModel
    status: int = 200
    next_cursor: str | None = None
    location: str | None = None
