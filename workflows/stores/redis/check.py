"""The start-up check: is this server safe for work that must not be lost?

Accepted risks (`StoreOptions.overrides`):
    redis-eviction   it may delete keys at its memory limit
    redis-no-aof     it does not log its writes
    redis-unchecked  its settings cannot be read; the operator vouches for them
"""

from dataclasses import dataclass

from redis import exceptions as redis_errors

from workflows.stores.redis.connection import Execute, refuse

OLDEST = (6, 2)

PROFILES = {
    "strict": "every answered write is on disk",
    "fast": "a power cut may lose the writes of the last two seconds",
    "logged": "it logs its writes; how often it syncs them cannot be read",
    "volatile": "a stop of the server may lose any write",
    "unchecked": "vouched for by the operator",
}


@dataclass(frozen=True, slots=True)
class Server:
    """What the check found. `profile` is a key of PROFILES."""

    engine: str
    version: str
    policy: str
    profile: str


def check_server(execute: Execute, overrides: frozenset[str], address: str) -> Server:
    """Return what the server is, or refuse it.

    Raises:
        StoreRefusedError: too old, a replica, or its settings would lose work.
    """
    info = _read_info(execute)
    engine = "valkey" if "valkey_version" in info else "redis"
    version = info.get("valkey_version") or info.get("redis_version", "0")
    compatible = tuple(
        int(part) for part in info.get("redis_version", "0").split(".")[:2]
    )
    if compatible < OLDEST:
        raise refuse(address, f"its version is {version}", "Use 6.2 or newer.")
    if info.get("role", "master") != "master":
        raise refuse(address, "it is a replica", "Name its primary.")
    settings = _read_settings(execute)
    policy = settings.get("maxmemory-policy") or info.get("maxmemory_policy", "")
    if policy and policy != "noeviction" and "redis-eviction" not in overrides:
        raise refuse(
            address,
            f"its maxmemory-policy is {policy}: it deletes jobs at its memory limit",
            "Set it to noeviction, or accept the risk with redis-eviction.",
        )
    profile = _profile(settings, info, overrides, address)
    return Server(engine, version, policy or "unknown", profile)


def _profile(
    settings: dict[str, str],
    info: dict[str, str],
    overrides: frozenset[str],
    address: str,
) -> str:
    fsync = settings.get("appendfsync")
    logs = settings.get("appendonly", info.get("aof_enabled"))
    if logs is None:
        if "redis-unchecked" in overrides:
            return "unchecked"
        raise refuse(
            address,
            "it does not let its settings be read",
            "Make sure of appendonly and noeviction, then say so with redis-unchecked.",
        )
    if logs in {"yes", "1"} and fsync != "no":
        return {"always": "strict", "everysec": "fast", None: "logged"}[fsync]
    if "redis-no-aof" in overrides:
        return "volatile"
    raise refuse(
        address,
        "it does not log its writes to disk (appendonly no, or appendfsync no)",
        "Set appendonly to yes, or accept the risk with redis-no-aof.",
    )


def _read_info(execute: Execute) -> dict[str, str]:
    try:
        text = execute("INFO").decode(errors="replace")
    except redis_errors.NoPermissionError:
        return {"redis_version": "6.2"}  # nothing else is known
    lines = (line.partition(":") for line in text.splitlines() if ":" in line)
    return {name: value for name, _, value in lines}


def _read_settings(execute: Execute) -> dict[str, str]:
    settings: dict[str, str] = {}
    for name in ("maxmemory-policy", "appendonly", "appendfsync"):
        try:
            reply = execute("CONFIG", "GET", name)
        except redis_errors.ResponseError:  # forbidden, renamed or unknown
            return {}
        flat = [part.decode() for part in reply]
        settings.update(zip(flat[::2], flat[1::2], strict=True))
    return settings
