"""Failures: what is kept of an exception, as bounded, printable JSON."""

from collections.abc import Iterator
from itertools import islice
from traceback import format_tb

import msgspec

from workflows.exceptions import NonRetryableError, PayloadError

MAX_MESSAGE = 4 * 1024  # UTF-8 bytes; a cause gets a quarter
MAX_STACK = 16 * 1024  # UTF-8 bytes; the innermost frames are kept
MAX_CAUSES = 20
MAX_FRAMES = 50
CUT = "[…]"

PRINTABLE = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}
PRINTABLE |= {ord("\n"): "\n", ord("\t"): "\t", 0x2028: "\\u2028", 0x2029: "\\u2029"}
UNSAFE = (*range(0x202A, 0x202F), *range(0x2066, 0x206A), *range(0xD800, 0xE000))
PRINTABLE |= {code: f"\\u{code:04x}" for code in UNSAFE}  # text direction, surrogates


class Failure(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An error as people read it and stores keep it; it never holds the exception.

    `type` is the class name. Control characters (ESC too) are spelled out, so that
    a terminal or a log shows the text and does not obey it.
    """

    type: str
    message: str = ""
    stack_trace: str = ""
    non_retryable: bool = False
    cause: "Failure | None" = None

    def to_json(self) -> bytes:
        """Return it as JSON: type, message, stackTrace, nonRetryable, cause."""
        return msgspec.json.encode(self)

    @staticmethod
    def from_json(data: bytes) -> "Failure":
        """Read what `to_json` wrote, ignoring keys it does not know.

        Raises:
            PayloadError: `data` is something else.
        """
        try:
            return msgspec.json.decode(data, type=Failure)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            msg = f"not a failure: {error}"
            raise PayloadError(msg) from None


def failure_of(error: BaseException) -> Failure:
    """Return the failure of an exception, with its chain of causes. Never raises."""
    chain = list(islice(_chain(error), MAX_CAUSES + 1))
    failure: Failure | None = None
    for depth in range(len(chain) - 1, -1, -1):
        one, share = chain[depth], 4 if depth else 1
        failure = Failure(
            type=_clean(type(one).__name__, 200),
            message=_clean(text_of(one), MAX_MESSAGE // share),
            stack_trace=_stack(one, MAX_STACK // share),
            non_retryable=isinstance(one, NonRetryableError),
            cause=failure,
        )
    assert failure is not None  # noqa: S101 - the chain begins with `error`
    return failure


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and its causes, as a traceback would show them."""
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield one
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)


def text_of(error: BaseException) -> str:
    """Return what an exception says of itself. Never raises."""
    try:
        return str(error)
    except Exception as fault:  # noqa: BLE001 - user code may raise anything here
        return f"[str() of it raised {type(fault).__name__}]"


def encodable(text: str) -> str:
    """Return a text that UTF-8 can hold: lone surrogates (of names of files) go."""
    return text.encode(errors="backslashreplace").decode()


def stack_of(error: BaseException, limit: int = MAX_STACK) -> str:
    """Return the traceback of an exception as printable text; "" if it has none."""
    return _stack(error, limit)


def _stack(error: BaseException, limit: int) -> str:
    lines = format_tb(error.__traceback__, limit=-MAX_FRAMES)
    if isinstance(error, BaseExceptionGroup):
        lines += [f"  + {_line(part)}\n" for part in error.exceptions[:MAX_FRAMES]]
    notes = getattr(error, "__notes__", ())
    if isinstance(notes, (list, tuple)):
        lines += [f"{note}\n" for note in notes if isinstance(note, str)]
    return _clean("".join(lines), limit, keep_end=True)


def _line(error: BaseException) -> str:
    return f"{type(error).__name__}: {text_of(error)[:200]}"


def _clean(text: str, limit: int, *, keep_end: bool = False) -> str:
    """Return printable text of at most `limit` bytes of UTF-8."""
    kept = text[-limit:] if keep_end else text[:limit]
    data = kept.translate(PRINTABLE).encode()
    if len(data) <= limit and len(kept) == len(text):
        return data.decode()
    room = limit - len(CUT.encode())
    data = data[-room:] if keep_end else data[:room]
    part = data.decode(errors="ignore")  # a character cut in two goes
    return CUT + part if keep_end else part + CUT
