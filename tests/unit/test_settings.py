"""Settings: which source wins, what is refused, and that nothing secret is shown."""

from pathlib import Path

import pytest

from workflows import settings
from workflows.engine.limits import Limits
from workflows.exceptions import SettingsError
from workflows.settings import DEFAULT_STORE, exit_on_wrong_settings, load_settings

Environment = pytest.MonkeyPatch


@pytest.fixture(autouse=True)
def environment(monkeypatch: Environment, tmp_path: Path) -> Environment:
    """An environment without any setting, in an empty directory."""
    for name in ("STORE", "NAMESPACE", "IMPORTS", "ALLOW", "LEASE"):
        monkeypatch.delenv(f"WORKFLOWS_{name}", raising=False)
    for name in ("HOST", "PORT", "PASSWORD", "DB"):
        monkeypatch.delenv(f"REDIS_{name}", raising=False)
    monkeypatch.chdir(tmp_path)
    return monkeypatch


def problems() -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load_settings()
    return str(caught.value).splitlines()


def test_the_default_store_is_a_sqlite_file_under_var() -> None:
    assert load_settings().store_url == DEFAULT_STORE


def test_redis_host_selects_redis_as_in_the_guide(environment: Environment) -> None:
    environment.setenv("REDIS_HOST", "localhost")
    environment.setenv("REDIS_PORT", "6380")
    environment.setenv("REDIS_PASSWORD", "")
    assert load_settings().store_url == "redis://localhost:6380/0"


def test_a_redis_password_is_quoted_into_the_url(environment: Environment) -> None:
    environment.setenv("REDIS_HOST", "::1")
    environment.setenv("REDIS_PASSWORD", "p@ss/w:rd")
    assert load_settings().store_url == "redis://:p%40ss%2Fw%3Ard@[::1]:6379/0"


def test_the_store_url_wins_over_redis_host(environment: Environment) -> None:
    environment.setenv("REDIS_HOST", "localhost")
    environment.setenv("WORKFLOWS_STORE", "sqlite:////srv/jobs.db")
    assert load_settings().store_url == "sqlite:////srv/jobs.db"


def test_the_dotenv_file_is_read_and_the_environment_wins(
    environment: Environment, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text(
        "REDIS_HOST=from-file\n"
        "REDIS_PASSWORD=  # Optional, leave empty if no password\n"
        "WORKFLOWS_LEASE=5\n"
        "OTHER_PROGRAM=1\n"
    )
    environment.setenv("WORKFLOWS_LEASE", "7.5")
    found = load_settings()
    assert found.store_url == "redis://from-file:6379/0"
    assert found.lease_ms == 7500


def test_lists_are_separated_by_commas(environment: Environment) -> None:
    environment.setenv("WORKFLOWS_IMPORTS", "my.jobs, my.tasks,")
    assert load_settings().imports == ("my.jobs", "my.tasks")


def test_every_problem_has_one_line_that_names_its_variable(
    environment: Environment,
) -> None:
    environment.setenv("WORKFLOWS_STORE", "mysql://user:geheim@host/db")
    environment.setenv("WORKFLOWS_LEASE", "soon")
    environment.setenv("WORKFLOWS_IMPORTS", "my jobs")
    environment.setenv("REDIS_PORT", "70000")
    lines = problems()
    assert [line.split(":")[0] for line in lines] == [
        "WORKFLOWS_STORE",
        "REDIS_PORT",
        "WORKFLOWS_IMPORTS",
        "WORKFLOWS_LEASE",
    ]
    assert "geheim" not in "".join(lines)


def test_only_risks_that_something_checks_can_be_accepted(
    environment: Environment,
) -> None:
    environment.setenv("WORKFLOWS_ALLOW", "open-api,redis-eviktion")
    assert problems()[0].startswith("WORKFLOWS_ALLOW: 'redis-eviktion' is none of ")
    root = Path(settings.__file__).parents[1]
    files = [*root.glob("workflows/stores/*/*.py"), root / "deploy/gunicorn.conf.py"]
    checked = "".join(file.read_text() for file in files)
    assert {risk for risk in settings.RISKS if f'"{risk}"' not in checked} == set()


def test_payloads_have_a_limit_and_a_codec(environment: Environment) -> None:
    assert load_settings().max_payload == 256 * 1024
    environment.setenv("WORKFLOWS_MAX_PAYLOAD", "1000000")
    environment.setenv("WORKFLOWS_PAYLOAD_CODEC", "my.codecs:vault")
    assert load_settings().max_payload == 1_000_000
    assert load_settings().payload_codec == "my.codecs:vault"


@pytest.mark.parametrize("name", ["vault", "my.codecs", "my.codecs:", ":v", "a:b.c"])
def test_a_codec_is_named_by_module_and_name(
    name: str, environment: Environment
) -> None:
    environment.setenv("WORKFLOWS_PAYLOAD_CODEC", name)
    environment.setenv("WORKFLOWS_MAX_PAYLOAD", "100")
    assert problems() == [
        "WORKFLOWS_MAX_PAYLOAD: Input should be greater than or equal to 1024",
        f"WORKFLOWS_PAYLOAD_CODEC: {name!r} is not module:name (as in my.codecs:vault)",
    ]


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///", "sqlite://jobs.db", "redis:///0", "jobs.db"]
)
def test_a_url_that_names_no_store_is_refused(
    url: str, environment: Environment
) -> None:
    environment.setenv("WORKFLOWS_STORE", url)
    assert problems()[0].startswith("WORKFLOWS_STORE: ")


def test_a_wrong_port_is_refused_without_repeating_it(environment: Environment) -> None:
    environment.setenv("WORKFLOWS_STORE", "redis://me:unquoted/geheim@host/0")
    assert problems()[0].startswith("WORKFLOWS_STORE: has a port that is no number")
    assert "unquoted" not in problems()[0]


@pytest.mark.parametrize(
    "address", ["127.0.0.1:0", "api.internal:8000", "[::1]:8000", "unix:/run/api.sock"]
)
def test_the_api_binds_to_a_port_or_a_socket(
    address: str, environment: Environment
) -> None:
    environment.setenv("WORKFLOWS_API_BIND", address)
    assert load_settings().api_bind == address


@pytest.mark.parametrize(
    "address", ["localhost", "127.0.0.1:65536", ":8000", "::1:8000", "unix:"]
)
def test_what_the_api_cannot_bind_to_is_refused(
    address: str, environment: Environment
) -> None:
    environment.setenv("WORKFLOWS_API_BIND", address)
    assert problems() == [
        "WORKFLOWS_API_BIND: is neither host:port (port 0 to 65535) nor unix:/path"
    ]


def test_a_misspelt_variable_is_a_problem_with_a_hint(environment: Environment) -> None:
    environment.setenv("WORKFLOWS_STOER", "redis://localhost")
    assert problems() == [
        "WORKFLOWS_STOER: there is no such setting; did you mean WORKFLOWS_STORE?"
    ]


def test_an_entry_point_ends_with_78_and_the_problems_on_stderr(
    environment: Environment, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.setenv("WORKFLOWS_LEASE", "0")
    with pytest.raises(SystemExit) as ended, exit_on_wrong_settings():
        load_settings()
    assert ended.value.code == 78
    assert capsys.readouterr().err.splitlines()[1].startswith("WORKFLOWS_LEASE: ")


def test_no_rendering_shows_a_password(environment: Environment) -> None:
    environment.setenv("WORKFLOWS_STORE", "redis://me:geheim@host/0?password=geheim")
    environment.setenv("REDIS_PASSWORD", "geheim")
    found = load_settings()
    shown = found.masked()
    assert shown["WORKFLOWS_STORE"] == "redis://me:***@host/0?password=***"
    assert shown["REDIS_PASSWORD"] == "***"
    assert "geheim" not in f"{found!r} {found} {shown}"


@pytest.mark.parametrize(
    "word", ["ge heim", "ge'heim", 'ge"heim', "ge@heim", "ge:heim"]
)
def test_no_character_of_a_password_unmasks_it(
    word: str, environment: Environment
) -> None:
    url = f"redis://me:{word}@host/0?ssl_password={word}"
    environment.setenv("WORKFLOWS_STORE", url)
    shown = load_settings().masked()
    assert shown["WORKFLOWS_STORE"] == shown["store (in use)"]
    assert "heim" not in shown["WORKFLOWS_STORE"]
    assert shown["WORKFLOWS_STORE"].startswith("redis://me:***@")


def test_limits_of_runs_are_temporals_until_they_are_set(
    environment: Environment,
) -> None:
    month_ms = 30 * 86_400_000
    assert load_settings().limits == Limits(retention_ms=month_ms)
    environment.setenv("WORKFLOWS_MAX_HISTORY_EVENTS", "1000")
    environment.setenv("WORKFLOWS_MAX_PENDING", "7")
    environment.setenv("WORKFLOWS_RETENTION_DAYS", "0")
    found = load_settings().limits
    assert (found.suggest_events, found.warn_events, found.max_events) == (
        80,
        200,
        1000,
    )
    assert (found.max_pending, found.retention_ms) == (7, None)
