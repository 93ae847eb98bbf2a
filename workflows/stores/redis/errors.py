"""What the server or the connection reports, as the errors of the store contract."""

from redis import exceptions as redis_errors

from workflows.exceptions import (
    StoreError,
    StoreFullError,
    StoreRefusedError,
    StoreUnavailableError,
)

# Looked for in the text: inside a script the code is not at the start of it.
_REFUSED = {
    "WRONGTYPE": "a key of the namespace holds what this store did not write",
    "NOAUTH": "it wants a password",
    "WRONGPASS": "the user name or password is wrong",
    "NOPERM": "this user may not do what the store needs",
    "MOVED": "it is a cluster and the namespace lives on another node",
    "CROSSSLOT": "the keys of the namespace are not in one slot",
}
_UNAVAILABLE = {
    "READONLY": "it is a replica and takes no writes",
    "LOADING": "it is loading its data",
    "MASTERDOWN": "it is a replica that lost its primary",
    "MISCONF": "it cannot persist and takes no writes",
    "NOREPLICAS": "too few replicas follow it",
    "CLUSTERDOWN": "its cluster is down",
    "TRYAGAIN": "its cluster is moving the namespace",
    "BUSY ": "a script of somebody else keeps it busy",
    "max number of clients": "it has too many clients",
}
_REFUSAL = "REFUSED: "  # how scripts/lib/core.lua begins


def explain(error: Exception, address: str) -> StoreError:
    """Return what the caller gets for an error of redis-py; no secret is in it."""
    text = str(error)
    if isinstance(error, redis_errors.OutOfMemoryError) or "OOM command" in text:
        return StoreFullError(f"{address} is at its memory limit; nothing was accepted")
    if _REFUSAL in text:
        reason = text.split(_REFUSAL, 1)[1].split(" script: ", 1)[0]
        return StoreRefusedError(f"the namespace at {address} is refused: {reason}")
    if isinstance(error, redis_errors.AuthenticationError):
        text = "NOAUTH" if "required" in text.lower() else "WRONGPASS"
    known = _known(error, text, _REFUSED)
    if known:
        return StoreRefusedError(f"{address} must not be used: {known}")
    known = _known(error, text, _UNAVAILABLE)
    if known:
        return StoreUnavailableError(f"{address} is not available: {known}")
    if isinstance(error, redis_errors.TimeoutError):
        return StoreUnavailableError(f"{address} did not answer in time")
    if isinstance(error, redis_errors.ResponseError):
        return StoreUnavailableError(f"{address} answered with an error: {text}")
    return StoreUnavailableError(f"{address} cannot be reached: {text}")


_CLASSES = {  # redis-py cuts the code off for these
    redis_errors.ReadOnlyError: "READONLY",
    redis_errors.BusyLoadingError: "LOADING",
    redis_errors.MasterDownError: "MASTERDOWN",
    redis_errors.ClusterDownError: "CLUSTERDOWN",
    redis_errors.TryAgainError: "TRYAGAIN",
    redis_errors.NoPermissionError: "NOPERM",
    redis_errors.MovedError: "MOVED",
    redis_errors.ClusterCrossSlotError: "CROSSSLOT",
}


def _known(error: Exception, text: str, table: dict[str, str]) -> str | None:
    code = _CLASSES.get(type(error), "")
    for key, reason in table.items():
        if key == code or key in text:
            return reason
    return None
