"""A route: one operation of the API, as the table of routes states it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel

from api.call import Call, RawReply, Reply
from api.parameters import QueryParameter

Role = Literal["public", "viewer", "operator", "admin"]
Method = Literal["GET", "PUT", "POST", "PATCH", "DELETE"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One operation. `errors`: the codes that are special to it, per status.

    `body_optional`: without a body, the model's defaults hold. `idempotent_by_key`:
    the route takes an Idempotency-Key. `signed`: the handler checks and decodes the
    body's bytes itself.
    """

    method: Method
    path: str
    role: Role
    handler: Callable[[Call], Reply | RawReply]
    tag: str
    data: type[BaseModel] | None = None  # None: a RawReply of `media_type`
    media_type: str = "application/json"
    uses_store: bool = True
    body: type[BaseModel] | None = None
    body_optional: bool = False
    query: tuple[QueryParameter, ...] = ()
    success: tuple[int, ...] = (200,)
    errors: tuple[int, ...] = ()
    idempotent_by_key: bool = False
    signed: bool = False
    max_body: int | None = None  # bytes; None: WORKFLOWS_API_MAX_BODY

    @property
    def name(self) -> str:
        """The operation's id, as in `queues_pause`."""
        return f"{self.tag}_{self.handler.__name__}"

    @property
    def summary(self) -> str:
        """The first line of what the handler says of itself."""
        return (self.handler.__doc__ or "").partition("\n")[0].rstrip(".")
