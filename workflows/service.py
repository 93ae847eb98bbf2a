"""Errors of a client's calls. Shaped like `temporalio.service`."""

from enum import IntEnum

from workflows.exceptions import WorkflowsError


class RPCStatusCode(IntEnum):
    """Why a call failed; names and numbers are gRPC's."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class RPCError(WorkflowsError):
    """A call of a client failed; `cause` is the error below it, if there is one.

    `raw_grpc_status` is always empty: no wire is in between.
    """

    def __init__(
        self, message: str, status: RPCStatusCode, raw_grpc_status: bytes = b""
    ) -> None:
        super().__init__(message)
        self._message = message
        self._status = status
        self._raw_grpc_status = raw_grpc_status

    @property
    def cause(self) -> BaseException | None:
        """The error below."""
        return self.__cause__

    @property
    def message(self) -> str:
        """The text alone."""
        return self._message

    @property
    def status(self) -> RPCStatusCode:
        """Why."""
        return self._status

    @property
    def raw_grpc_status(self) -> bytes:
        """Empty."""
        return self._raw_grpc_status
