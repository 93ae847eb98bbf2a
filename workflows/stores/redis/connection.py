"""Connections to one server: kept open, fork-safe, with bounded waits.

redis-py's connections are used without its client and pool: half the processor time
per call, and one place that decides about repeats and time limits.
"""

import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from hiredis import pack_command
from redis import exceptions as redis_errors
from redis.backoff import NoBackoff
from redis.connection import Connection, UnixDomainSocketConnection, parse_url
from redis.retry import Retry

from workflows.exceptions import (
    InvalidArgumentError,
    StoreError,
    StoreRefusedError,
)
from workflows.stores.redis.errors import explain

CONNECT_SECONDS = 0.5
ANSWER_SECONDS = 1.4  # with connecting, a call takes less than two seconds
BLOCK_SECONDS = 1.0  # of one blocking command: no wait outlives a stop by more

Command = tuple[Any, ...]  # bytes, str, int, float
Reply = Any  # what the server sends: bytes, int, None or a list of these
Execute = Callable[..., Reply]


class Connections:
    """The connections of one store, per process.

    `check` is called once per process with a function that executes commands, before
    anything else is sent; what it raises, the caller gets.
    """

    _checked: bool
    _refusal: StoreError | None  # of the newest check that failed

    def __init__(self, url: str, check: Callable[[Execute], None]) -> None:
        self._class, self._options = _options(url)
        self.address = _address(url, self._options)
        self._check = check
        self._begin_process()

    def execute(self, *command: bytes | str | float) -> Reply:
        """Send a command and return its reply.

        Repeats it once, on a new connection, when the old one turns out to be broken:
        every write of the store is safe to repeat, as it knows the ids of its caller or
        of its call (lib/once.lua). Time-outs are not repeated.

        Raises:
            StoreUnavailableError, StoreRefusedError, StoreFullError: see `errors`.
            redis.exceptions.NoScriptError: as it is, for `scripts`.
        """
        self._ensure_checked()
        return self._repeat(self._idle, lambda one: _ask(one, command))

    def pipeline(self, commands: Sequence[Command]) -> list[Reply]:
        """Send commands in one go; not atomic. The first error is raised."""
        self._ensure_checked()
        replies: list[Reply] = self._repeat(
            self._idle, lambda one: _ask_all(one, commands)
        )
        return replies

    def block(self, *command: bytes | str | float) -> Reply:
        """Send a command that may block for BLOCK_SECONDS, on a connection apart."""
        self._ensure_process()
        return self._repeat(self._blocking, lambda one: _ask(one, command))

    def close(self) -> None:
        """Close what is idle; the next call connects anew."""
        for pool in (self._idle, self._blocking):
            pool.close()

    def _repeat(self, pool: "_Pool", send: Callable[[Connection], Reply]) -> Reply:
        try:
            return _send(pool, send)
        except redis_errors.NoScriptError:
            raise
        except (redis_errors.RedisError, OSError) as error:
            raise explain(error, self.address) from None

    def _ensure_checked(self) -> None:
        self._ensure_process()
        if not self._checked:
            before = self._refusal
            with self._checking:
                self._check_unless_others_did(before)

    def _check_unless_others_did(self, before: StoreError | None) -> None:
        """Check; if a check failed while this call waited for it, fail with it."""
        refusal = self._refusal
        if self._checked:
            return
        if refusal is not None and refusal is not before:
            raise type(refusal)(*refusal.args)
        try:
            self._check_once()
        except StoreError as error:
            self._refusal = type(error)(*error.args)  # without its traceback
            raise

    def _check_once(self) -> None:
        connection = self._idle.take()
        try:
            self._check(lambda *command: _ask(connection, command))
        except (redis_errors.RedisError, OSError) as error:
            connection.disconnect()
            raise explain(error, self.address) from None
        except BaseException:
            connection.disconnect()
            raise
        self._idle.give_back(connection)
        self._checked = True

    def _ensure_process(self) -> None:
        if self._pid != os.getpid():
            self._begin_process()

    def _begin_process(self) -> None:
        """Forget what a parent process had: its sockets are not ours to use."""
        self._idle = _Pool(self._class, self._options, ANSWER_SECONDS)
        longest = BLOCK_SECONDS + ANSWER_SECONDS
        self._blocking = _Pool(self._class, self._options, longest)
        self._checking = threading.Lock()
        self._refusal = None
        self._checked = False
        self._pid = os.getpid()


class _Pool:
    """Idle connections, the one used last on top; makes one when there is none."""

    def __init__(
        self, kind: type[Connection], options: dict[str, Any], answer_seconds: float
    ) -> None:
        self._kind = kind
        self._options = {
            **options,
            "socket_timeout": answer_seconds,
            "socket_connect_timeout": CONNECT_SECONDS,
            "retry": Retry(NoBackoff(), 0),
            "protocol": 2,
            "driver_info": None,
        }
        self._idle: deque[Connection] = deque()  # its ends are safe without a lock

    def take(self) -> Connection:
        try:
            return self._idle.pop()
        except IndexError:
            return self._kind(**self._options)

    def give_back(self, connection: Connection) -> None:
        self._idle.append(connection)

    def close(self) -> None:
        while self._idle:
            self.take().disconnect()


def _send(pool: _Pool, send: Callable[[Connection], Reply]) -> Reply:
    """Send on an idle connection; once more on a new one, if that one was broken."""
    connection = pool.take()
    try:
        reply = send(connection)
    except redis_errors.TimeoutError:
        connection.disconnect()
        raise
    except redis_errors.ConnectionError as error:
        connection.disconnect()
        if isinstance(error, redis_errors.AuthenticationError):
            raise
        pool.close()  # whatever is idle broke with it
        connection = pool.take()
        reply = send(connection)
    except redis_errors.ResponseError:
        pool.give_back(connection)  # it answered: the connection is fine
        raise
    except BaseException:
        connection.disconnect()  # a reply may be under way
        raise
    pool.give_back(connection)
    return reply


def _ask(connection: Connection, command: Command) -> Reply:
    connection.send_packed_command([pack_command(command)], check_health=False)
    reply: Reply = connection.read_response(disable_decoding=True)
    return reply


def _ask_all(connection: Connection, commands: Sequence[Command]) -> list[Reply]:
    packed = b"".join([pack_command(command) for command in commands])
    connection.send_packed_command([packed], check_health=False)
    replies: list[Reply] = []
    failed: redis_errors.ResponseError | None = None
    for _ in commands:
        try:
            replies.append(connection.read_response(disable_decoding=True))
        except redis_errors.ResponseError as error:
            failed = failed or error
    if failed:
        raise failed
    return replies


def _options(url: str) -> tuple[type[Connection], dict[str, Any]]:
    try:
        options: dict[str, Any] = dict(parse_url(url))
    except ValueError:
        msg = "the store URL cannot be read; its form is redis://[user:password@]host:port/db"
        raise InvalidArgumentError(msg) from None
    scheme = urlsplit(url).scheme
    kind = options.pop("connection_class", None)
    if kind is None:
        kind = UnixDomainSocketConnection if scheme == "unix" else Connection
    if scheme != "unix":
        options.setdefault("host", "localhost")
        options.setdefault("port", 6379)
        options["socket_keepalive"] = True
    try:
        kind(**options)
    except (TypeError, redis_errors.RedisError):
        known = ", ".join(sorted(options.keys() - {"password", "username"}))
        msg = f"the store URL has an option that is not known, among: {known}"
        raise InvalidArgumentError(msg) from None
    return kind, options


def _address(url: str, options: dict[str, Any]) -> str:
    """Return where it is, for people; never with a password."""
    database = options.get("db", 0)
    if "path" in options:
        return f"unix://{options['path']}?db={database}"
    scheme = urlsplit(url).scheme
    return f"{scheme}://{options['host']}:{options['port']}/{database}"


def refuse(address: str, problem: str, remedy: str) -> StoreRefusedError:
    """Return the error for a server whose settings would lose accepted work."""
    return StoreRefusedError(f"{address} must not be used: {problem}. {remedy}")
