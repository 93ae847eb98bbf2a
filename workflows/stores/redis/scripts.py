"""The Lua scripts: put together from their files, sent by their digest."""

import hashlib
import re
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

import msgspec
from redis.exceptions import NoScriptError

from workflows.exceptions import InvalidArgumentError
from workflows.stores.redis.connection import Connections, Reply

_NEEDS = re.compile(r"^-- needs: (.+)$", re.MULTILINE)
_RUNS = re.compile(r"^-- runs: (.+)$", re.MULTILINE)
_encoder = msgspec.msgpack.Encoder()


@cache
def source(name: str) -> tuple[str, str]:
    """Return a script with the parts that it needs, and its SHA-1 digest.

    The parts that only runs need are made when they are first used: see lib/core.lua.
    """
    folder = files("workflows.stores.redis") / "scripts"
    body = (folder / f"{name}.lua").read_text(encoding="utf-8")
    texts = _parts(folder, body, _NEEDS)
    lazy = _parts(folder, body, _RUNS)
    if lazy:
        texts += ["load_runs = function()", "local runs = {}", *lazy]
        texts += ["return runs", "end"]
    text = "\n".join([*texts, body])
    return text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def _parts(folder: Traversable, body: str, named: re.Pattern[str]) -> list[str]:
    found = named.search(body)
    names = found.group(1).split() if found else []
    return [
        (folder / "lib" / f"{part}.lua").read_text(encoding="utf-8") for part in names
    ]


def glob(prefix: bytes) -> bytes:
    """Return the pattern of all keys with a prefix."""
    return re.sub(rb"([*?\[\]\\^])", rb"\\\1", prefix) + b"*"


def refuse_if_told(reply: Reply) -> Reply:
    """Return a reply, unless it is a text: then that says why all is refused.

    Raises:
        InvalidArgumentError: it is one; nothing was written.
    """
    if isinstance(reply, bytes):
        raise InvalidArgumentError(reply.decode())
    return reply


class Scripts:
    """Runs scripts of one namespace; in test mode it says what time it is."""

    def __init__(
        self,
        connections: Connections,
        namespace: str,
        clock: Callable[[], int] | None,
    ) -> None:
        if not namespace or "{" in namespace or "}" in namespace:
            msg = "a namespace has at least one character, and no brace"
            raise InvalidArgumentError(msg)
        self._connections = connections
        self._clock = clock
        self.prefix = f"{{{namespace}}}:".encode()

    def run(self, name: str, *args: Any) -> Reply:
        """Run a script as one atomic operation and return its reply.

        Raises:
            InvalidArgumentError: an argument cannot be encoded.
            StoreError: as in `Connections.execute`.
        """
        packed = _pack((self._clock() if self._clock else None, *args))
        text, digest = source(name)
        execute = self._connections.execute
        try:
            return execute("EVALSHA", digest, 1, self.prefix, packed)
        except NoScriptError:
            return execute("EVAL", text, 1, self.prefix, packed)


def _pack(args: tuple[Any, ...]) -> bytes:
    try:
        return _encoder.encode(args)
    except (UnicodeEncodeError, OverflowError) as error:
        msg = f"an argument cannot be stored: {error}"
        raise InvalidArgumentError(msg) from None
