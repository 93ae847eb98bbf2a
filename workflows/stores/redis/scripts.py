"""The Lua scripts: put together from their files, sent by their digest."""

import hashlib
import re
import uuid
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


# Where a new function begins around the rest of a script. A script makes all its
# functions anew whenever it runs. For each local of the same function that one of them
# uses, the server then searches a list of all such locals; those of an outer function
# are at hand.
_LEVELS = frozenset({"job", "lease"})


@cache
def source(name: str) -> tuple[str, str]:
    """Return a script with the parts that it needs, and its SHA-1 digest.

    The parts that only runs need are made when they are first used: see lib/core.lua.
    """
    folder = files("workflows.stores.redis") / "scripts"
    body = _read(folder, name)
    texts, ends = [], []
    for part in _named(body, _NEEDS):
        if part in _LEVELS:
            texts.append("return (function()")
            ends.append("end)()")
        texts.append(_read(folder, f"lib/{part}"))
    lazy = [_read(folder, f"lib/{part}") for part in _named(body, _RUNS)]
    if lazy:
        texts += ["load_runs = function()", "local runs = {}", *lazy]
        texts += ["return runs", "end"]
    text = "\n".join([*texts, body, *ends])
    return text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def _named(body: str, line: re.Pattern[str]) -> list[str]:
    found = line.search(body)
    return found.group(1).split() if found else []


def _read(folder: Traversable, name: str) -> str:
    return folder.joinpath(*f"{name}.lua".split("/")).read_text(encoding="utf-8")


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

    def run_once(self, name: str, *args: Any) -> Reply:
        """Run a script that must not act twice if the connection sends it again.

        Its last argument is the id of this call: see lib/once.lua.
        """
        return self.run(name, *args, new_call())


def new_call() -> str:
    """Return the id of one call of a script that acts once."""
    return uuid.uuid4().hex


def _pack(args: tuple[Any, ...]) -> bytes:
    try:
        return _encoder.encode(args)
    except (UnicodeEncodeError, OverflowError) as error:
        msg = f"an argument cannot be stored: {error}"
        raise InvalidArgumentError(msg) from None
