"""Builds the WSGI application from its parts."""

import logging
from collections.abc import Callable, Iterable
from typing import Any

import falcon

from api.body import BodyLimits
from api.call import Shared
from api.endpoint import Endpoint
from api.market import OpenMarket
from api.middleware import HostCheck, RequestContext
from api.problems import PROBLEM_JSON, Code, problem_of
from api.routes import by_path, served
from api.waits import DEFAULT_WAITS, Waits
from workflows.client import BlockingClient, JobClient, WorkflowService
from workflows.exceptions import StoreError

log = logging.getLogger(__name__)

Application = falcon.App[falcon.Request, falcon.Response]


def create_app(
    client: JobClient,
    *,
    new_id: Callable[[], str],
    hosts: Iterable[str] = (),
    body_limits: BodyLimits | None = None,
    workflows: BlockingClient | None = None,
    waits: int = DEFAULT_WAITS,
    market: OpenMarket | None = None,
) -> Application:
    """Return the API over a client.

    `new_id` makes request ids. `hosts`: names, besides localhost and any IP address,
    under which the API may be called. `waits`: how many requests may wait at once.
    `market`: opens the marketplace; without it, its routes are not served.
    """
    app: Application = falcon.App(
        middleware=[RequestContext(new_id), HostCheck(hosts)],
        independent_middleware=True,
    )
    app.req_options.media_handlers = falcon.media.Handlers({})  # `api.body` reads
    app.add_error_handler(Exception, _answer)
    app.add_error_handler(falcon.HTTPError, _answer)
    limits, shared = body_limits or BodyLimits(), Shared(waits=Waits(waits))
    workflows = workflows or BlockingClient(WorkflowService(client.store))
    for path, routes in by_path(served(market=market is not None)).items():
        endpoint = Endpoint(
            routes, client, workflows, limits, shared=shared, open_market=market
        )
        app.add_route(path, endpoint)
    return app


def _answer(
    req: falcon.Request,
    resp: falcon.Response,
    error: Exception,
    _params: dict[str, Any],
) -> None:
    """Answer with the problem that an exception means."""
    problem = problem_of(error)
    request_id = req.context.request_id
    if isinstance(error, StoreError):
        facts = {"error": str(error), "request_id": request_id}
        log.warning("store error in a request", extra=facts)
    elif problem.code == Code.INTERNAL_ERROR:
        facts = {"request_id": request_id}
        log.error("unexpected error in a request", exc_info=error, extra=facts)
    resp.status = falcon.code_to_http_status(problem.status)
    resp.content_type = PROBLEM_JSON
    resp.data = problem.body(instance=req.path, request_id=request_id)
    for name, value in problem.headers.items():
        resp.set_header(name, value)
