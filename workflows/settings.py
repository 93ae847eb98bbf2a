"""What can be set from outside: environment variables, and `.env` beside them."""

import difflib
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Annotated, Literal, TypeVar
from urllib.parse import quote, urlsplit

from dotenv import dotenv_values
from pydantic import BeforeValidator, Field, SecretStr, ValidationError, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from workflows.engine.limits import MB, Limits
from workflows.engine.payload import DEFAULT_MAX_BYTES, LARGEST_MAX_BYTES
from workflows.exceptions import SettingsError
from workflows.store import StoreOptions
from workflows.telemetry import LogFormat, mask_url

PREFIX = "WORKFLOWS_"
DEFAULT_STORE = "sqlite:///./var/workflows.db"
EXIT_CONFIG = 78  # EX_CONFIG of sysexits.h: restarting does not help

# Risks that can be accepted by name; who checks each says what it means.
RISKS = frozenset(
    {
        "open-api",
        "redis-eviction",
        "redis-no-aof",
        "redis-unchecked",
        "sqlite-wal-reset",
    }
)

_SCHEMES = ("sqlite", "redis", "rediss", "unix")
_SOCKET = re.compile(r"unix:.+|(?:[^\s:/\[\]]+|\[[0-9A-Fa-f:.]+\]):(?P<port>\d{1,5})")
_MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")


def _split(value: object) -> object:
    """Read `a, b` as a list; empty parts do not count."""
    if isinstance(value, str):
        return [part for piece in value.split(",") if (part := piece.strip())]
    return value


AnySettings = TypeVar("AnySettings", bound=BaseSettings)
CommaList = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]


class Settings(BaseSettings):
    """All settings. `load_settings` reads them; each field is one variable."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        populate_by_name=True,
    )

    store: SecretStr | None = None
    redis_host: str | None = Field(None, alias="REDIS_HOST")
    redis_port: int = Field(6379, alias="REDIS_PORT", ge=1, le=65535)
    redis_password: SecretStr | None = Field(None, alias="REDIS_PASSWORD")
    redis_db: int = Field(0, alias="REDIS_DB", ge=0)
    namespace: str = Field("workflows", pattern=r"^[A-Za-z0-9._-]{1,64}$")
    imports: CommaList = ("workflows.jobs",)
    allow: CommaList = ()
    max_payload: int = Field(DEFAULT_MAX_BYTES, ge=1024, le=LARGEST_MAX_BYTES)
    payload_codec: str | None = None
    data_converter: str | None = None
    max_history_events: int = Field(51_200, ge=100, le=1_000_000)
    max_history_bytes: int = Field(50 * MB, ge=64 * 1024, le=1024 * MB)
    max_signals: int = Field(10_000, ge=1, le=1_000_000)
    max_pending: int = Field(2000, ge=1, le=100_000)
    retention_days: float = Field(30.0, ge=0, le=36_500)
    lease: float = Field(30.0, ge=1, le=3600)
    api_bind: str = "127.0.0.1:8000"
    api_workers: int = Field(2, ge=1, le=64)
    api_threads: int = Field(16, ge=2, le=256)
    api_hosts: CommaList = ()
    api_max_body: int = Field(2 * 1024 * 1024, ge=1024, le=64 * 1024 * 1024)
    api_read_timeout: float = Field(10.0, gt=0, le=300)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: LogFormat = "text"

    @field_validator("store")
    @classmethod
    def _store_is_known(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            _check_url(value.get_secret_value())
        return value

    @field_validator("imports")
    @classmethod
    def _imports_are_modules(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            msg = "names no module"
            raise ValueError(msg)
        for name in value:
            if not _MODULE.fullmatch(name):
                msg = f"{name!r} is not the name of a module (as in my.jobs,my.tasks)"
                raise ValueError(msg)
        return value

    @field_validator("payload_codec", "data_converter")
    @classmethod
    def _object_is_named(cls, value: str | None) -> str | None:
        module, _, name = (value or "").partition(":")
        if value and not (_MODULE.fullmatch(module) and name.isidentifier()):
            msg = f"{value!r} is not module:name (as in my.codecs:vault)"
            raise ValueError(msg)
        return value

    @field_validator("api_bind")
    @classmethod
    def _bind_is_an_address(cls, value: str) -> str:
        found = _SOCKET.fullmatch(value)
        if not found or int(found["port"] or 0) > 65535:
            msg = "is neither host:port (port 0 to 65535) nor unix:/path"
            raise ValueError(msg)
        return value

    @field_validator("allow")
    @classmethod
    def _risks_are_known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        unknown = sorted(set(value) - RISKS)
        if unknown:
            msg = f"{unknown[0]!r} is none of {', '.join(sorted(RISKS))}"
            raise ValueError(msg)
        return value

    @field_validator("log_level", mode="before")
    @classmethod
    def _any_case(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

    @cached_property
    def store_url(self) -> str:
        """The store, password included: WORKFLOWS_STORE, else REDIS_*, else SQLite."""
        if self.store is not None:
            return self.store.get_secret_value()
        if self.redis_host is None:
            return DEFAULT_STORE
        host = f"[{self.redis_host}]" if ":" in self.redis_host else self.redis_host
        word = self.redis_password and quote(
            self.redis_password.get_secret_value(), safe=""
        )
        login = f":{word}@" if word else ""
        return f"redis://{login}{host}:{self.redis_port}/{self.redis_db}"

    @property
    def store_options(self) -> StoreOptions:
        """What the store is opened with."""
        return StoreOptions(namespace=self.namespace, overrides=frozenset(self.allow))

    @property
    def lease_ms(self) -> int:
        """How long a claimed job is leased."""
        return round(self.lease * 1000)

    @property
    def limits(self) -> Limits:
        """Limits and retention of the namespace's runs."""
        days = self.retention_days
        return Limits.ending_at(
            self.max_history_events,
            self.max_history_bytes,
            max_signals=self.max_signals,
            max_pending=self.max_pending,
            retention_ms=round(days * 86_400_000) if days else None,
        )

    def masked(self) -> dict[str, str]:
        """Return every setting by its variable's name, passwords replaced by `***`."""
        shown = {"store (in use)": mask_url(self.store_url)}
        for name in type(self).model_fields:
            value = getattr(self, name)
            if name == "store":
                value = value and mask_url(value.get_secret_value())
            elif isinstance(value, SecretStr):
                value = "***"
            elif isinstance(value, tuple):
                value = ",".join(value)
            shown[variable(type(self), name)] = "" if value is None else str(value)
        return shown


def load_settings() -> Settings:
    """Read the settings from the environment and `.env` (the environment wins).

    Raises:
        SettingsError: one line per problem, naming the variable, never a secret.
    """
    problems = list(_misspelt())
    try:
        settings = read_settings(Settings)
    except SettingsError as error:
        problems.append(str(error))
    else:
        if not problems:
            return settings
    raise SettingsError("\n".join(problems))


def read_settings(model: type[AnySettings]) -> AnySettings:
    """Read the settings of one part, such as the marketplace's.

    Raises:
        SettingsError: one line per problem, naming the variable, never a value.
    """
    try:
        return model()
    except ValidationError as error:
        lines = [_problem(model, details) for details in error.errors()]
        raise SettingsError("\n".join(lines)) from None


@contextmanager
def exit_on_wrong_settings() -> Iterator[None]:
    """End the process with 78 and the problems on stderr if a setting is wrong.

    For what programs import to start (`workflows.main`): they would show a traceback.
    """
    try:
        yield
    except SettingsError as error:
        sys.stderr.write(f"Wrong settings:\n{error}\n")
        raise SystemExit(EXIT_CONFIG) from None


def _check_url(url: str) -> None:
    """Refuse what no store understands. Messages never repeat the URL."""
    parts = urlsplit(url)
    if parts.scheme not in _SCHEMES or "://" not in url:
        msg = f"begins with none of {', '.join(f'{s}://' for s in _SCHEMES)}"
        raise ValueError(msg)
    if parts.scheme == "sqlite" and (parts.netloc or len(parts.path) < 2):
        msg = "names no file; write sqlite:///relative.db or sqlite:////absolute.db"
        raise ValueError(msg)
    if parts.scheme in ("redis", "rediss"):
        if not parts.hostname:
            msg = "names no host; write redis://host:6379/0"
            raise ValueError(msg)
        try:
            _ = parts.port
        except ValueError:  # its text repeats what may be part of a password
            msg = "has a port that is no number (quote /, @ and : in a password)"
            raise ValueError(msg) from None


def variable(model: type[BaseSettings], field: str) -> str:
    """Return the environment variable that sets a field."""
    prefix = model.model_config.get("env_prefix", "")
    return model.model_fields[field].alias or (prefix + field).upper()


def _problem(model: type[BaseSettings], details: ErrorDetails) -> str:
    """Say in one line what is wrong with which variable."""
    name = str(details["loc"][0]) if details["loc"] else ""
    if name in model.model_fields:
        name = variable(model, name)
    problem = details["msg"].removeprefix("Value error, ")
    return f"{name}: {problem}" if name else problem


def _misspelt() -> Iterator[str]:
    """Name the variables with our prefix that set nothing."""
    known = [variable(Settings, field) for field in Settings.model_fields]
    given = {name.upper() for name in (*os.environ, *dotenv_values(".env"))}
    for name in sorted(given - set(known)):
        if name.startswith(PREFIX):
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            yield f"{name}: there is no such setting{hint}"
