"""The marketplace's settings: named problems, hidden secrets."""

from pathlib import Path

import pytest

from workflows.exceptions import SettingsError
from workflows.marketplace import database
from workflows.marketplace.settings import MarketplaceSettings
from workflows.settings import read_settings

TOKEN = "EAAG-secret"


@pytest.fixture(autouse=True)
def clean_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)  # no .env of the developer's
    for name in MarketplaceSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def problems() -> list[str]:
    with pytest.raises(SettingsError) as caught:
        read_settings(MarketplaceSettings)
    return str(caught.value).splitlines()


def test_nothing_need_be_set() -> None:
    settings = read_settings(MarketplaceSettings)
    assert settings.whatsapp_transport == "console"
    assert settings.database_url.get_secret_value() == "sqlite:///./var/marketplace.db"


def test_graph_needs_its_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHATSAPP_TRANSPORT", "graph")
    monkeypatch.setenv("WHATSAPP_PHONE_NUMBER_ID", "123")
    assert problems() == ["WHATSAPP_TRANSPORT=graph needs WHATSAPP_ACCESS_TOKEN"]


@pytest.mark.parametrize("secret", [None, "demo", "fifteen letters"])
@pytest.mark.parametrize("transport", ["graph", "my.module:MyTransport"])
def test_only_the_console_does_without_a_secret_for_the_buttons(
    transport: str, secret: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHATSAPP_TRANSPORT", transport)
    monkeypatch.setenv("WHATSAPP_PHONE_NUMBER_ID", "123")
    monkeypatch.setenv("WHATSAPP_ACCESS_TOKEN", TOKEN)
    if secret is not None:
        monkeypatch.setenv("TOKEN_SECRET", secret)
    [line] = problems()
    assert line.startswith("TOKEN_SECRET signs the buttons")
    assert "fifteen" not in line
    monkeypatch.setenv("TOKEN_SECRET", "sixteen letters!")
    read_settings(MarketplaceSettings)


def test_a_database_needs_its_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "find_spec", lambda _: None)
    monkeypatch.setenv("DATABASE_URL", "postgresql://user:pw@host/db")
    [line] = problems()
    assert line == "DATABASE_URL: needs psycopg; install huey-workflows[postgresql]"


def test_the_password_of_the_database_is_never_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(database, "find_spec", lambda _: True)
    monkeypatch.setenv("DATABASE_URL", "postgresql://user:pw@host/db")
    settings = read_settings(MarketplaceSettings)
    assert settings.database_url.get_secret_value().endswith("pw@host/db")
    assert "pw@" not in repr(settings) + settings.model_dump_json()


def test_the_token_may_be_in_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    secret = tmp_path / "token"
    secret.write_text(f"{TOKEN}\n")
    monkeypatch.setenv("WHATSAPP_ACCESS_TOKEN", f"file:{secret}")
    settings = read_settings(MarketplaceSettings)
    assert settings.whatsapp_access_token.get_secret_value() == TOKEN


def test_a_missing_secret_file_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHATSAPP_ACCESS_TOKEN", "file:/nowhere/token")
    [line] = problems()
    assert line.startswith("WHATSAPP_ACCESS_TOKEN: cannot read /nowhere/token")


def test_the_token_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHATSAPP_ACCESS_TOKEN", TOKEN)
    settings = read_settings(MarketplaceSettings)
    assert TOKEN not in repr(settings)
    assert TOKEN not in str(settings.model_dump())
    assert TOKEN not in settings.model_dump_json()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://user:pw@host/db"),
        ("DATABASE_URL", "postgresql+asyncpg://user:pw@host/db"),
        ("DATABASE_URL", "postgresql://user:pw@host"),
        ("DATABASE_URL", "postgresql://user:pw@host:port/db"),
        ("DATABASE_URL", "sqlite://"),
        ("DATABASE_URL", "sqlite:///:memory:"),
        ("DATABASE_URL", "nonsense"),
        ("WHATSAPP_TRANSPORT", "pigeon"),
        ("WHATSAPP_GRAPH_VERSION", "25"),
        ("WHATSAPP_GRAPH_BASE_URL", "ftp://graph"),
        ("WHATSAPP_MAX_MPS", "61"),
        ("WHATSAPP_PAIR_BURST", "0"),
        ("WHATSAPP_PHONE_NUMBER_ID", "../me"),
    ],
)
def test_a_wrong_value_is_one_line_without_the_value(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    [line] = problems()
    assert line.startswith(f"{name}: ")
    assert "pw@" not in line
