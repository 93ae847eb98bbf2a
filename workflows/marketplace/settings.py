"""Settings of the marketplace: environment variables, or a `.env` file."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    BeforeValidator,
    Field,
    HttpUrl,
    SecretStr,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from workflows.exceptions import SettingsError
from workflows.marketplace.change import Timers
from workflows.marketplace.clock import REAL_TIME, MarketplaceClock
from workflows.marketplace.database import POOL_SIZE, database_url
from workflows.marketplace.fields import Phone
from workflows.marketplace.pair_limit import PairLimit
from workflows.marketplace.terms import Terms


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


def _one_or_a_class(*names: str) -> Any:
    """One of ours by its name, or a class of the user's as `my.module:MyClass`."""
    return Field(pattern=rf"^({'|'.join(names)}|[\w.]+:\w+)$")


Secret = Annotated[SecretStr, BeforeValidator(read_secret)]
MIN_SECRET = 16  # characters
Minutes = Annotated[int, Field(ge=1, le=100_000)]


class MarketplaceSettings(BaseSettings):
    """Every variable is its field's name in upper case; see `read_settings`."""

    model_config = SettingsConfigDict(
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    database_url: Secret = SecretStr("sqlite:///./var/marketplace.db")
    database_pool_size: Annotated[int, Field(ge=1, le=100)] = POOL_SIZE
    whatsapp_transport: Annotated[str, _one_or_a_class("console", "graph")] = "console"
    payments_adapter: Annotated[str, _one_or_a_class("none")] = "none"
    orders_adapter: Annotated[str, _one_or_a_class("native")] = "native"
    credit_adapter: Annotated[str, _one_or_a_class("native")] = "native"
    whatsapp_graph_base_url: HttpUrl = HttpUrl("https://graph.facebook.com")
    whatsapp_graph_version: Annotated[str, Field(pattern=r"^v\d{1,3}\.0$")] = "v25.0"
    whatsapp_phone_number_id: Annotated[str, Field(pattern=r"^\d{0,32}$")] = ""
    whatsapp_access_token: Secret = SecretStr("")
    whatsapp_verify_token: Secret = SecretStr("")
    whatsapp_app_secret: Secret = SecretStr("")
    whatsapp_old_app_secret: Secret = SecretStr("")
    whatsapp_pair_burst: Annotated[int, Field(ge=1, le=45)] = 3
    whatsapp_pair_period_s: Annotated[float, Field(gt=0, le=3600)] = 6
    whatsapp_max_mps: Annotated[int, Field(ge=1, le=60)] = 10
    whatsapp_connect_timeout_s: Annotated[float, Field(gt=0, le=10)] = 5
    whatsapp_read_timeout_s: Annotated[float, Field(gt=0, le=30)] = 15
    whatsapp_ambiguous_check_s: Annotated[float, Field(gt=0, le=900)] = 60
    order_timers: Timers = Timers.WORKFLOW
    marketplace_clock: MarketplaceClock | None = None
    token_secret: Secret = SecretStr("demo")
    payment_ttl_min: Minutes = 30
    fulfilment_ttl_min: Minutes = 240
    reinstate_min: Minutes = 15
    bidding_window_min: Minutes = 10
    bidding_min_bids: Annotated[int, Field(ge=1, le=100)] = 1
    confirm_window_min: Minutes = 15
    sweep_lag_s: Annotated[int, Field(ge=0, le=86_400)] = 30
    fallback_max_attempts: Annotated[int, Field(ge=1, le=20)] = 3
    max_supply_bps: Annotated[int, Field(ge=1, le=10_000)] = 9500
    outlet_code: Annotated[str, Field(pattern=r"^[A-Z0-9]{1,8}$")] = "KTM"
    reminder_min_paisa: Annotated[int, Field(ge=1)] = 10_000
    recon_rounding_paisa: Annotated[int, Field(ge=0, le=10_000)] = 100
    report_recipients: Annotated[tuple[Phone, ...], NoDecode] = ()

    @property
    def clock(self) -> MarketplaceClock:
        """The clock as configured."""
        return self.marketplace_clock or REAL_TIME

    @property
    def pair_limit(self) -> PairLimit:
        """The pair limiter as configured."""
        period = timedelta(seconds=self.whatsapp_pair_period_s)
        return PairLimit(period, self.whatsapp_pair_burst)

    @property
    def app_secrets(self) -> tuple[bytes, ...]:
        """What webhooks may be signed with; none: all are refused."""
        given = (self.whatsapp_app_secret, self.whatsapp_old_app_secret)
        texts = [secret.get_secret_value() for secret in given]
        return tuple(text.encode() for text in texts if text)

    @property
    def terms(self) -> Terms:
        """The terms of business as configured."""
        return Terms(
            token_secret=self.token_secret.get_secret_value().encode(),
            payment_ttl=timedelta(minutes=self.payment_ttl_min),
            fulfilment_ttl=timedelta(minutes=self.fulfilment_ttl_min),
            reinstate_within=timedelta(minutes=self.reinstate_min),
            bidding_window=timedelta(minutes=self.bidding_window_min),
            min_bids=self.bidding_min_bids,
            confirm_window=timedelta(minutes=self.confirm_window_min),
            sweep_lag=timedelta(seconds=self.sweep_lag_s),
            max_offers=self.fallback_max_attempts,
            max_supply_bps=self.max_supply_bps,
            outlet=self.outlet_code,
            reminder_min_paisa=self.reminder_min_paisa,
            rounding_paisa=self.recon_rounding_paisa,
        )

    @field_validator("report_recipients", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @model_validator(mode="after")
    def _windows_fit_the_deadline(self) -> Self:
        windows = self.bidding_window_min + self.confirm_window_min
        if windows > self.fulfilment_ttl_min:
            msg = (
                f"BIDDING_WINDOW_MIN and CONFIRM_WINDOW_MIN are {windows} minutes, "
                f"longer than FULFILMENT_TTL_MIN={self.fulfilment_ttl_min}"
            )
            raise ValueError(msg)
        return self

    @field_validator("database_url")
    @classmethod
    def _names_a_database(cls, value: SecretStr) -> SecretStr:
        try:
            database_url(value.get_secret_value())
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

    @model_validator(mode="after")
    def _buttons_need_a_secret(self) -> Self:
        secret = self.token_secret.get_secret_value()
        if self.whatsapp_transport != "console" and len(secret) < MIN_SECRET:
            msg = (
                "TOKEN_SECRET signs the buttons of messages: whoever knows it can "
                "answer for any supplier. Set one of 16 characters or more, such as "
                "openssl rand -hex 32 prints (only WHATSAPP_TRANSPORT=console may do "
                "without)"
            )
            raise ValueError(msg)
        return self
