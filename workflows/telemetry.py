"""Logs for people or for machines, without secrets."""

import json
import logging
import re
import sys
from typing import Final, Literal, TextIO

LogFormat = Literal["text", "json"]

_USERINFO: Final = re.compile(r"(://[^\s:/?#@]*:)\S*(?=@)")
_PARAMETER: Final = re.compile(r"([?&]\w*(?:password|token)=)[^\s&#]*", re.IGNORECASE)
_URL_USERINFO: Final = re.compile(r"(://[^:/?#@]*:).*(?=@)", re.DOTALL)
_URL_PARAMETER: Final = re.compile(r"([?&]\w*(?:password|token)=)[^&#]*", re.IGNORECASE)
_KNOWN: Final = frozenset(logging.LogRecord("", 0, "", 0, "", (), None).__dict__) | {
    "message",
    "asctime",
    "taskName",
}


def mask(text: str) -> str:
    """Return the text with every password inside a URL replaced by `***`."""
    return _USERINFO.sub(r"\1***", _PARAMETER.sub(r"\1***", text))


def mask_url(url: str) -> str:
    """Return a URL with its passwords replaced, whatever characters they hold."""
    return _URL_USERINFO.sub(r"\1***", _URL_PARAMETER.sub(r"\1***", url))


def configure_logging(
    level: str = "INFO", form: LogFormat = "text", *, stream: TextIO | None = None
) -> None:
    """Send every log record of this process to one stream, stderr by default.

    Handlers that were there before are taken away. Calling it again changes the
    settings.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_JsonFormatter() if form == "json" else _TextFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)


def adopt_huey_logs() -> None:
    """Take away the handler that `huey_consumer` gave the logger `huey`.

    It would write every line twice. Without a handler at the root it stays.
    """
    if logging.getLogger().handlers:
        logging.getLogger("huey").handlers.clear()


def _facts(record: logging.LogRecord) -> dict[str, object]:
    """Return what the caller passed as `extra`."""
    return {k: v for k, v in record.__dict__.items() if k not in _KNOWN}


class _TextFormatter(logging.Formatter):
    """`2026-01-31 12:00:00,123 INFO workflows.runtime settled count=3`."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's
        facts = "".join(f" {k}={_printable(v)}" for k, v in _facts(record).items())
        return super().formatMessage(record) + facts

    def format(self, record: logging.LogRecord) -> str:
        return mask(super().format(record))


class _JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, the facts, the error."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S")
            + f".{int(record.msecs):03d}{self.formatTime(record, '%z')}",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= _facts(record)
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return mask(json.dumps(line, default=str, ensure_ascii=False))


def _printable(value: object) -> str:
    """Quote what holds a space, so that a line can be cut at spaces."""
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if not text or " " in text else text
