"""What goes wrong, as RFC 9457 problem bodies that also say `"success": false`."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

import falcon
import msgspec

from workflows.client import Fault, InvalidJobsError
from workflows.client.service import (
    BusyError,
    DeadlineError,
    QueryFailedError,
    QueryRejectedError,
)
from workflows.exceptions import (
    ConflictError,
    InboxFullError,
    InvalidArgumentError,
    NotFoundError,
    PayloadError,
    StoreError,
    StoreFullError,
    StoreRefusedError,
    StoreUnavailableError,
    WorkflowAlreadyStartedError,
    WorkflowsError,
)

PROBLEM_JSON = "application/problem+json"
RETRY_AFTER_SECONDS = 2


class Code(StrEnum):
    """What went wrong. Programs may depend on a code, so none changes its meaning."""

    BAD_REQUEST = "bad_request"
    BAD_HOST = "bad_host"
    BAD_ID = "bad_id"
    BAD_PARAMETER = "bad_parameter"
    BAD_BODY = "bad_body"
    BAD_JSON = "bad_json"
    BAD_HEADER = "bad_header"
    CROSS_ORIGIN = "cross_origin"
    BAD_SIGNATURE = "bad_signature"
    NOT_AUTHENTIC = "not_authentic"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    REQUEST_TIMEOUT = "request_timeout"
    CONFLICT = "conflict"
    BODY_TOO_LARGE = "body_too_large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    QUERY_REJECTED = "query_rejected"
    ALREADY_STARTED = "already_started"
    INVALID_BODY = "invalid_body"
    INVALID_ARGUMENT = "invalid_argument"
    QUERY_FAILED = "query_failed"
    INTERNAL_ERROR = "internal_error"
    BUSY = "busy"
    STORE_UNAVAILABLE = "store_unavailable"
    STORE_FULL = "store_full"
    STORE_REFUSED = "store_refused"
    NOT_CONFIGURED = "not_configured"
    QUERY_TIMEOUT = "query_timeout"


STATUS: Mapping[Code, tuple[int, str]] = {
    Code.BAD_REQUEST: (400, "Bad request"),
    Code.BAD_HOST: (400, "Host not served here"),
    Code.BAD_ID: (400, "Malformed id"),
    Code.BAD_PARAMETER: (400, "Bad query parameter"),
    Code.BAD_BODY: (400, "Body incomplete or malformed"),
    Code.BAD_JSON: (400, "Body is not acceptable JSON"),
    Code.BAD_HEADER: (400, "Bad header"),
    Code.CROSS_ORIGIN: (403, "Cross-origin request refused"),
    Code.BAD_SIGNATURE: (401, "The signature does not fit"),
    Code.NOT_AUTHENTIC: (403, "Not authentic"),
    Code.NOT_FOUND: (404, "Not found"),
    Code.METHOD_NOT_ALLOWED: (405, "Method not allowed"),
    Code.REQUEST_TIMEOUT: (408, "Request body took too long"),
    Code.CONFLICT: (409, "State conflict"),
    Code.QUERY_REJECTED: (409, "Query rejected"),
    Code.ALREADY_STARTED: (409, "Workflow already started"),
    Code.BODY_TOO_LARGE: (413, "Body too large"),
    Code.UNSUPPORTED_MEDIA_TYPE: (415, "Unsupported media type"),
    Code.INVALID_BODY: (422, "Invalid body"),
    Code.INVALID_ARGUMENT: (422, "Invalid argument"),
    Code.QUERY_FAILED: (422, "Query failed"),
    Code.INTERNAL_ERROR: (500, "Internal error"),
    Code.BUSY: (503, "Too many open waits"),
    Code.STORE_UNAVAILABLE: (503, "Store unavailable"),
    Code.STORE_FULL: (503, "Store full"),
    Code.STORE_REFUSED: (503, "Store refused"),
    Code.NOT_CONFIGURED: (503, "Not configured"),
    Code.QUERY_TIMEOUT: (504, "Query not answered"),
}
RETRYABLE = frozenset(
    {
        Code.REQUEST_TIMEOUT,
        Code.BUSY,
        Code.STORE_UNAVAILABLE,
        Code.STORE_FULL,
        Code.QUERY_TIMEOUT,
    }
)


class Problem(Exception):  # noqa: N818 - RFC 9457's word
    """A request that is refused, and how to say so."""

    def __init__(
        self,
        code: Code,
        detail: str,
        *,
        errors: Sequence[Fault] = (),
        headers: Mapping[str, str] | None = None,
        current: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        self.current = dict(current or {})  # what is the case instead
        self.status, self.title = STATUS[code]

    def body(self, *, instance: str, request_id: str) -> bytes:
        """Return the problem's JSON."""
        fields: dict[str, Any] = {
            "success": False,
            "type": f"urn:workflows:error:{self.code.replace('_', '-')}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "instance": instance,
            "code": self.code,
            "requestId": request_id,
            "retryable": self.code in RETRYABLE,
            "errors": [
                {"path": fault.path, "code": fault.code, "message": fault.message}
                for fault in self.errors
            ],
        }
        if self.current:
            fields["current"] = self.current
        return msgspec.json.encode(fields)


def invalid_body(faults: Sequence[Fault]) -> Problem:
    """Return the 422 that names each fault of a body."""
    first = faults[0]
    detail = f"{first.path or 'The body'}: {first.message}"
    if len(faults) > 1:
        detail += f" (and {len(faults) - 1} more)"
    return Problem(Code.INVALID_BODY, detail, errors=faults)


def problem_of(error: Exception) -> Problem:
    """Return what an exception means to the caller; unknown ones are a 500."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, falcon.HTTPError):
        return _from_falcon(error)
    if isinstance(error, StoreError):
        return _from_store(error)
    if isinstance(error, WorkflowsError) and type(error) in _OF_WORKFLOWS:
        return _of_workflows(error)
    if isinstance(error, NotFoundError):
        return Problem(Code.NOT_FOUND, str(error))
    if isinstance(error, ConflictError):
        return Problem(Code.CONFLICT, str(error))
    if isinstance(error, InvalidJobsError):
        return invalid_body(error.faults)
    if isinstance(error, PayloadError):
        return invalid_body([Fault(error.path, "invalid", str(error))])
    if isinstance(error, InvalidArgumentError):
        return Problem(Code.INVALID_ARGUMENT, str(error))
    return Problem(Code.INTERNAL_ERROR, "The request id names the error in the log.")


_OF_WORKFLOWS: Mapping[type[WorkflowsError], Code] = {
    WorkflowAlreadyStartedError: Code.ALREADY_STARTED,
    QueryRejectedError: Code.QUERY_REJECTED,
    QueryFailedError: Code.QUERY_FAILED,
    DeadlineError: Code.QUERY_TIMEOUT,
    BusyError: Code.BUSY,
}


def _of_workflows(error: WorkflowsError) -> Problem:
    """Map what only calls of workflows raise."""
    code = _OF_WORKFLOWS[type(error)]
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if code is Code.BUSY else {}
    return Problem(code, str(error), headers=headers)


def _from_falcon(error: falcon.HTTPError) -> Problem:
    """Map what Falcon itself raises: routing, methods."""
    status = error.status_code
    if status == 404:
        return Problem(Code.NOT_FOUND, "There is nothing at this path.")
    if status == 405:
        headers = dict(error.headers or {})
        return Problem(
            Code.METHOD_NOT_ALLOWED, "This path knows other methods.", headers=headers
        )
    if status == 415:
        return Problem(Code.UNSUPPORTED_MEDIA_TYPE, "Send application/json.")
    if 400 <= status < 500:
        return Problem(Code.BAD_REQUEST, error.title or "The request is malformed.")
    return Problem(Code.INTERNAL_ERROR, "The request id names the error in the log.")


def _from_store(error: StoreError) -> Problem:
    """Map what the store raises. Its text may name hosts: it is for the log only."""
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
    if isinstance(error, InboxFullError):
        return Problem(Code.STORE_FULL, str(error), headers=headers)
    if isinstance(error, StoreFullError):
        text = "The store is full; nothing was accepted. Try again later."
        return Problem(Code.STORE_FULL, text, headers=headers)
    if isinstance(error, StoreRefusedError):
        text = "The store must not be used as it is; see the log."
        return Problem(Code.STORE_REFUSED, text, headers=headers)
    if isinstance(error, StoreUnavailableError):
        text = (
            "The store does not answer; whether a write happened is unknown. "
            "Send the same request with the same ids again."
        )
        return Problem(Code.STORE_UNAVAILABLE, text, headers=headers)
    text = "The store failed; see the log."
    return Problem(Code.STORE_UNAVAILABLE, text, headers=headers)
