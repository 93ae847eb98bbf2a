"""Which file a URL names, and how durable its commits are."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from workflows.exceptions import InvalidArgumentError

DURABILITIES = {"full": "FULL", "fast": "NORMAL"}


@dataclass(frozen=True, slots=True)
class Location:
    """A database file. `durability`: full (every commit survives power loss) or fast.

    With fast, the last commits before a power loss may be gone; a killed process
    loses nothing either way.
    """

    path: Path
    durability: str = "full"

    @property
    def synchronous(self) -> str:
        """The value of SQLite's pragma."""
        return DURABILITIES[self.durability]


def parse_url(url: str) -> Location:
    """Read `sqlite:///relative/path`, `sqlite:////absolute/path`, `?durability=fast`.

    Raises:
        InvalidArgumentError: it names no file, or an option that does not exist.
    """
    parts = urlsplit(url)
    path = unquote(parts.path).removeprefix("/")
    if parts.scheme != "sqlite" or parts.netloc or parts.fragment or not path:
        msg = f"store URL {url!r}: write sqlite:///path/to/file.db"
        raise InvalidArgumentError(msg)
    if ":memory:" in path:
        msg = f"store URL {url!r}: a store is a file; memory does not survive"
        raise InvalidArgumentError(msg)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    durability = options.pop("durability", "full")
    if options or durability not in DURABILITIES:
        msg = f"store URL {url!r}: the only option is durability=full|fast"
        raise InvalidArgumentError(msg)
    return Location(Path(path), durability)
