"""Settings of the marketplace: environment variables, or a `.env` file."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    HttpUrl,
    SecretStr,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from workflows.exceptions import SettingsError
from workflows.marketplace.database import sqlite_url
from workflows.marketplace.pair_limit import PairLimit


def read_secret(value: object) -> object:
    """Return a secret; `file:/run/secrets/token` names the file that holds it."""
    if isinstance(value, str) and value.startswith("file:"):
        path = Path(value.removeprefix("file:"))
        try:
            return path.read_text(encoding="utf-8").strip()
        except OSError as error:
            msg = f"cannot read {path}: {error.strerror}"
            raise ValueError(msg) from None
    return value


Secret = Annotated[SecretStr, BeforeValidator(read_secret)]


class MarketplaceSettings(BaseSettings):
    """Every variable is its field's name in upper case; see `read_settings`."""

    model_config = SettingsConfigDict(
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    database_url: str = "sqlite:///./var/marketplace.db"
    whatsapp_transport: Literal["console", "graph"] = "console"
    whatsapp_graph_base_url: HttpUrl = HttpUrl("https://graph.facebook.com")
    whatsapp_graph_version: Annotated[str, Field(pattern=r"^v\d{1,3}\.0$")] = "v25.0"
    whatsapp_phone_number_id: Annotated[str, Field(pattern=r"^\d{0,32}$")] = ""
    whatsapp_access_token: Secret = SecretStr("")
    whatsapp_pair_burst: Annotated[int, Field(ge=1, le=45)] = 3
    whatsapp_pair_period_s: Annotated[float, Field(gt=0, le=3600)] = 6
    whatsapp_max_mps: Annotated[int, Field(ge=1, le=60)] = 10
    whatsapp_connect_timeout_s: Annotated[float, Field(gt=0, le=10)] = 5
    whatsapp_read_timeout_s: Annotated[float, Field(gt=0, le=30)] = 15
    whatsapp_ambiguous_check_s: Annotated[float, Field(gt=0, le=900)] = 60

    @property
    def pair_limit(self) -> PairLimit:
        """The pair limiter as configured."""
        period = timedelta(seconds=self.whatsapp_pair_period_s)
        return PairLimit(period, self.whatsapp_pair_burst)

    @field_validator("database_url")
    @classmethod
    def _names_a_file(cls, value: str) -> str:
        try:
            sqlite_url(value)
        except SettingsError as error:
            raise ValueError(str(error)) from None
        return value

    @model_validator(mode="after")
    def _graph_needs_an_account(self) -> Self:
        if self.whatsapp_transport == "graph":
            needed = {
                "WHATSAPP_PHONE_NUMBER_ID": self.whatsapp_phone_number_id,
                "WHATSAPP_ACCESS_TOKEN": self.whatsapp_access_token.get_secret_value(),
            }
            missing = [name for name, value in needed.items() if not value]
            if missing:
                msg = f"WHATSAPP_TRANSPORT=graph needs {' and '.join(missing)}"
                raise ValueError(msg)
        return self
