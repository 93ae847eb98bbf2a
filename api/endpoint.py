"""From an HTTP request to a handler's call, and from its reply to the envelope."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import falcon
import msgspec
from pydantic import BaseModel, ValidationError

from api.body import NO_BODY, BodyLimits, read_json, read_raw
from api.call import Call, RawReply, Reply, Shared
from api.market import OpenMarket
from api.parameters import CURSOR, path_ids, query_values
from api.problems import Code, Problem, invalid_body
from api.route import Route
from workflows.client import BlockingClient, JobClient
from workflows.client.faults import validation_faults

_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


class Endpoint:
    """The resource of one path: each of its routes answers to one method."""

    def __init__(
        self,
        routes: tuple[Route, ...],
        client: JobClient,
        workflows: BlockingClient,
        limits: BodyLimits,
        *,
        shared: Shared,
        open_market: OpenMarket | None = None,
    ) -> None:
        self._client = client
        self._workflows = workflows
        self._shared = shared
        self._limits = limits
        self._open_market = open_market
        for route in routes:
            setattr(self, f"on_{route.method.lower()}", self._responder(route))

    def _responder(self, route: Route) -> Any:
        def respond(req: falcon.Request, resp: falcon.Response, **ids: str) -> None:
            req.context.route = route
            reply = route.handler(self._call(route, req, ids))
            if isinstance(reply, RawReply):
                resp.content_type, resp.data = reply.content_type, reply.content
                return
            meta: dict[str, str | None] = {"requestId": req.context.request_id}
            if CURSOR in route.query:
                meta["nextCursor"] = reply.next_cursor
            _write(resp, reply, meta)

        return respond

    def _call(self, route: Route, req: falcon.Request, ids: dict[str, str]) -> Call:
        """Check everything of a request before anything is done."""
        if req.path.startswith("//"):  # Falcon takes it for one slash
            raise Problem(Code.NOT_FOUND, "There is nothing at this path.")
        checked = path_ids(ids)
        query = query_values(req.query_string, route.query)
        limits = self._limits
        if route.max_body is not None:
            limits = replace(limits, max_bytes=route.max_body)
        raw = read_raw(req.env, limits) if route.signed else b""
        value = NO_BODY if route.signed else read_json(req.env, limits)
        return Call(
            client=self._client,
            workflows=self._workflows,
            shared=self._shared,
            ids=checked,
            query=query,
            body=_body(route, value),
            request_key=_request_key(route, req),
            traceparent=_traceparent(req),
            open_market=self._open_market,
            raw=raw,
            signature=req.get_header("X-Hub-Signature-256") or "",
        )


def _body(route: Route, value: Any) -> BaseModel | None:
    """Validate the body against the model that the route declares."""
    if route.body is None:
        if value is not NO_BODY and value != {}:
            raise Problem(Code.INVALID_BODY, "This route takes no body.")
        return None
    if value is NO_BODY:
        if not route.body_optional:
            raise Problem(Code.BAD_JSON, "The body is empty.")
        value = {}
    try:
        return route.body.model_validate(value)
    except ValidationError as error:
        raise invalid_body(validation_faults(error)) from None


def _request_key(route: Route, req: falcon.Request) -> str | None:
    """Return the Idempotency-Key, scoped by method and path."""
    key = req.get_header("Idempotency-Key")
    if key is None:
        return None
    if not route.idempotent_by_key:
        raise Problem(Code.BAD_HEADER, "This route takes no Idempotency-Key.")
    if not _KEY.fullmatch(key):
        msg = "Idempotency-Key has 1 to 255 printable ASCII characters, no space."
        raise Problem(Code.BAD_HEADER, msg)
    return f"{route.method} {req.path} {key}"


def _traceparent(req: falcon.Request) -> str:
    """Return the W3C trace context; a malformed one is ignored, as the norm says."""
    text = req.get_header("traceparent") or ""
    return text if _TRACEPARENT.fullmatch(text) else ""


def _write(resp: falcon.Response, reply: Reply, meta: Mapping[str, str | None]) -> None:
    """Put a reply into its envelope."""
    data = reply.data.model_dump(mode="json", by_alias=True)
    resp.status = falcon.code_to_http_status(reply.status)
    resp.content_type = falcon.MEDIA_JSON
    resp.data = msgspec.json.encode({"success": True, "data": data, "meta": meta})
    if reply.location:
        resp.location = reply.location
