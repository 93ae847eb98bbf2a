"""What holds for every request: its id, its host and origin, its line in the log."""

import ipaddress
import logging
import re
import time
from collections.abc import Callable, Iterable
from urllib.parse import quote, urlsplit

import falcon

from api.problems import Code, Problem

access_log = logging.getLogger("api.access")

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_QUIET = "/health/"
MAX_LOGGED_PATH = 1000


class RequestContext:
    """Gives each request an id, and writes one line about it when it ends.

    A caller's X-Request-ID is taken over if it looks like one.
    """

    def __init__(self, new_id: Callable[[], str]) -> None:
        self._new_id = new_id

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Set the id, before anything can fail."""
        given = req.get_header("X-Request-ID") or ""
        req.context.request_id = (
            given if _REQUEST_ID.fullmatch(given) else self._new_id()
        )
        req.context.began = time.monotonic()
        req.context.route = None
        resp.set_header("X-Request-ID", req.context.request_id)
        resp.set_header("Cache-Control", "no-store")
        resp.set_header("X-Content-Type-Options", "nosniff")

    def process_response(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        _resource: object,
        req_succeeded: bool,
    ) -> None:
        """Log the request; health checks are not worth a line."""
        if req.path.startswith(_QUIET) and req_succeeded:
            return
        route = req.context.route
        facts = {
            "method": req.method,
            "route": route.path if route else None,
            "path": _sent_path(req),
            "status": resp.status_code,
            "bytes": len(resp.data or b""),
            "ms": round((time.monotonic() - req.context.began) * 1000, 1),
            "remote": req.remote_addr,
            "request_id": req.context.request_id,
        }
        access_log.info("request", extra=facts)


def _sent_path(req: falcon.Request) -> str:
    """Return the path as it was sent: percent-encoded, so that it forges no line."""
    target: str = req.env.get("RAW_URI") or quote(req.path)
    return ascii(target.partition("?")[0][:MAX_LOGGED_PATH])[1:-1]


class HostCheck:
    """Serves only the hosts it is meant for, and writes only for their own pages.

    A web page can reach a server on loopback: by a name that it makes resolve there
    (so unknown names are refused; addresses cannot be re-bound), or by sending a
    request across origins (so writes from other origins are refused).
    """

    def __init__(self, hosts: Iterable[str] = ()) -> None:
        self._hosts = frozenset({"localhost", *(host.lower() for host in hosts)})

    def process_request(self, req: falcon.Request, _resp: falcon.Response) -> None:
        """Refuse what is not ours to answer."""
        authority = req.env.get("HTTP_HOST", "")
        target = req.env.get("RAW_URI", req.path)
        if not target.startswith("/") and target != "*":
            # An absolute target replaces the Host header.
            authority = re.split("[/?#]", target.partition("://")[2])[0]
        if not self._serves(authority):
            msg = "This server does not answer for the host in the request."
            raise Problem(Code.BAD_HOST, msg)
        if req.method not in _SAFE_METHODS and not _same_origin(req, authority):
            msg = "Only pages of this server may write."
            raise Problem(Code.CROSS_ORIGIN, msg)

    def _serves(self, authority: str) -> bool:
        try:
            name = urlsplit(f"//{authority}").hostname or ""
        except ValueError:
            return False
        if "@" in authority or not name:
            return False
        return name in self._hosts or _is_address(name)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _same_origin(req: falcon.Request, authority: str) -> bool:
    """Return whether the request comes from no page, or from one of this server."""
    site = req.get_header("Sec-Fetch-Site")
    if site is not None and site not in {"same-origin", "none"}:
        return False
    origin = req.get_header("Origin")
    own = {f"{scheme}://{authority.lower()}" for scheme in ("http", "https")}
    return origin is None or origin.lower() in own
