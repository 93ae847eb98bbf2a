"""The SQLite file: made, migrated, refused, full, damaged."""

import os
import stat
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import pysqlite3
import pytest

from tests.clock import ManualClock
from tests.contract.builders import add, job, new, put, take
from workflows.engine.states import JobState
from workflows.exceptions import (
    InvalidArgumentError,
    StoreFullError,
    StoreRefusedError,
    StoreUnavailableError,
)
from workflows.store import StoreOptions
from workflows.stores.sqlite import SqliteStore, opening
from workflows.stores.sqlite.location import Location
from workflows.stores.sqlite.opening import check_library


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "folder" / "store.db"


def opened(path: Path, **options: object) -> SqliteStore:
    return SqliteStore(f"sqlite:///{path}", StoreOptions(**options))  # type: ignore[arg-type]


def raw(path: Path) -> pysqlite3.Connection:
    return pysqlite3.connect(os.fspath(path), isolation_level=None)


def make(path: Path, *statements: str) -> bytes:
    """Make a database that is not ours; return its bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = raw(path)
    for statement in statements:
        connection.execute(statement)
    connection.close()
    return path.read_bytes()


# -- making ------------------------------------------------------------------------


def test_nothing_is_opened_before_the_first_use(path: Path) -> None:
    opened(path)
    assert not path.parent.exists()


def test_the_file_and_its_folder_are_made_for_their_owner_only(path: Path) -> None:
    store = opened(path)
    add(store, "a")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(Path(f"{path}-wal").stat().st_mode) == 0o600
    store.close()


def test_an_empty_file_becomes_a_store(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.touch()
    store = opened(path)
    add(store, "a")
    assert job(store, "a").state is JobState.WAITING
    store.close()


def test_a_store_is_found_again_after_it_was_closed(path: Path) -> None:
    store = opened(path)
    add(store, "a")
    store.close()
    assert job(store, "a").state is JobState.WAITING
    store.close()
    other = opened(path)
    assert job(other, "a").state is JobState.WAITING
    other.close()


@pytest.mark.parametrize(
    ("query", "durability", "synchronous"),
    [("", "full", 2), ("?durability=full", "full", 2), ("?durability=fast", "fast", 1)],
)
def test_the_url_says_how_durable_a_commit_is(
    path: Path, query: str, durability: str, synchronous: int
) -> None:
    store = SqliteStore(f"sqlite:///{path}{query}")
    assert store.info()["durability"] == durability
    connection = store._connections.write(lambda writer: writer)
    (value,) = connection.execute("PRAGMA synchronous").fetchone()
    (journal,) = connection.execute("PRAGMA journal_mode").fetchone()
    assert (value, journal) == (synchronous, "wal")
    store.close()


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://",
        "sqlite:///",
        "sqlite://host/path",
        "sqlite:///:memory:",
        "sqlite:///a.db?durability=none",
        "sqlite:///a.db?other=1",
        "sqlite:///a.db#x",
    ],
)
def test_a_url_that_names_no_file_is_refused(url: str) -> None:
    with pytest.raises(InvalidArgumentError):
        SqliteStore(url)


# -- migrations --------------------------------------------------------------------


def test_migrations_are_packaged_and_numbered_without_a_gap() -> None:
    folder = resources.files("workflows.stores.sqlite") / "migrations"
    names = sorted(e.name for e in folder.iterdir() if e.name.endswith(".sql"))
    assert [name[:5] for name in names] == [
        f"{n:04}_" for n in range(1, len(names) + 1)
    ]
    assert len(opening.migrations()) == len(names)


def test_an_older_file_is_migrated_and_keeps_its_jobs(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = opened(path)
    add(old, "a")
    old.close()
    first = opening.migrations()
    second = "CREATE TABLE extra (a TEXT) STRICT;\nINSERT INTO extra VALUES ('x;y');\n"
    monkeypatch.setattr(opening, "migrations", lambda: [*first, second])
    new_program = opened(path)
    assert job(new_program, "a").state is JobState.WAITING
    assert new_program.info()["schema"] == len(first) + 1
    new_program.close()
    monkeypatch.undo()
    with pytest.raises(StoreRefusedError, match="newer program"):
        opened(path).now()


def test_a_migration_that_fails_changes_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = opened(path)
    add(old, "a")
    old.close()
    first = opening.migrations()
    broken = "CREATE TABLE extra (a TEXT) STRICT;\nINSERT INTO missing VALUES (1);\n"
    monkeypatch.setattr(opening, "migrations", lambda: [*first, broken])
    with pytest.raises(StoreUnavailableError, match="missing"):
        opened(path).now()
    monkeypatch.undo()
    again = opened(path)
    assert again.info()["schema"] == len(first)
    assert again.fsck() == []
    again.close()


# -- refusals ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "statements",
    [
        ("CREATE TABLE task (id INTEGER)",),
        ("PRAGMA application_id = 252006674",),
        ("PRAGMA user_version = 3",),
    ],
)
def test_a_foreign_database_is_refused_and_not_changed(
    path: Path, statements: tuple[str, ...]
) -> None:
    before = make(path, *statements)
    with pytest.raises(StoreRefusedError, match="not a store of this project"):
        opened(path).now()
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_refused_and_not_changed(path: Path) -> None:
    path.parent.mkdir(parents=True)
    text = b"Dear diary, " * 500
    path.write_bytes(text)
    with pytest.raises(StoreRefusedError, match="not an SQLite database"):
        opened(path).now()
    assert path.read_bytes() == text


def test_a_newer_file_is_refused_and_not_changed(path: Path) -> None:
    store = opened(path)
    add(store, "a")
    store.close()
    newer = len(opening.migrations()) + 1
    before = make(path, f"PRAGMA user_version = {newer}")
    with pytest.raises(StoreRefusedError, match=f"schema {newer}"):
        opened(path).now()
    assert path.read_bytes() == before


def test_one_file_holds_one_namespace(path: Path) -> None:
    store = opened(path, namespace="a")
    store.now()
    with pytest.raises(StoreRefusedError, match="namespace 'a'"):
        opened(path, namespace="b").now()
    store.close()


def test_a_refused_store_is_refused_at_every_use(path: Path) -> None:
    opened(path, clock=ManualClock()).now()
    store = opened(path)
    for _ in range(2):
        with pytest.raises(StoreRefusedError):
            add(store, "a")


@pytest.mark.parametrize("version", [(3, 51, 3), (3, 53, 0), (3, 50, 7), (3, 44, 6)])
def test_a_library_without_the_wal_reset_bug_is_accepted(
    version: tuple[int, ...],
) -> None:
    check_library(version, frozenset())


@pytest.mark.parametrize("version", [(3, 40, 1), (3, 46, 1), (3, 50, 6), (3, 51, 2)])
def test_a_library_with_the_wal_reset_bug_needs_an_override(
    version: tuple[int, ...],
) -> None:
    with pytest.raises(StoreRefusedError, match="WAL-reset"):
        check_library(version, frozenset())
    check_library(version, frozenset({"sqlite-wal-reset"}))


# -- faults ------------------------------------------------------------------------


def test_a_full_disk_accepts_nothing_and_says_so(path: Path) -> None:
    store = opened(path)
    add(store, "a")
    connection = store._connections.write(lambda writer: writer)
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(StoreFullError, match="Free disk space"):
        put(store, new("b"), new("large", payload=b"x" * 100_000))
    assert store.get_job("b") is None
    (leased,) = take(store, "t")  # what does not grow goes on
    assert leased.id == "a"
    connection = store._connections.write(lambda writer: writer)
    connection.execute("PRAGMA max_page_count = 1000000")
    put(store, new("b"), new("large", payload=b"x" * 100_000))
    assert store.fsck() == []
    store.close()


def test_a_folder_that_cannot_be_is_reported_in_clear_words(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailableError, match="cannot be made"):
        opened(tmp_path / "file" / "store.db").now()


def test_a_damaged_file_is_reported_in_clear_words(path: Path) -> None:
    store = opened(path)
    for n in range(20):
        add(store, *(f"{n}-{m}" for m in range(100)), payload=b"x" * 200)
    store.close()
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(8 * 4096)
        file.write(b"\xff" * (size - 8 * 4096))
    with pytest.raises(StoreUnavailableError, match="restore a backup"):
        store.list_jobs("mail", JobState.WAITING, limit=1000)
    store.close()


def test_a_write_lock_held_too_long_is_reported_in_clear_words(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workflows.stores.sqlite.write_lock.WRITE_BUSY_MS", 50)
    store = opened(path)
    store.now()
    other = raw(path)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailableError, match="holds the write lock"):
        add(store, "a")
    assert store.get_job("a") is None  # reads go on
    other.execute("ROLLBACK")
    other.close()
    add(store, "a")
    assert job(store, "a").state is JobState.WAITING
    store.close()


class InterruptedReader:
    """A connection; something happens after the first statement that it reads with."""

    def __init__(self, connection: Any, between: Callable[[], object]) -> None:
        self._connection = connection
        self._between: list[Callable[[], object]] = [between]

    @property
    def in_transaction(self) -> bool:
        return bool(self._connection.in_transaction)

    def execute(self, sql: str) -> Any:
        cursor = self._connection.execute(sql)
        if sql.startswith("PRAGMA application_id") and self._between:
            row = cursor.fetchone()
            self._between.pop()()
            return self._connection.execute("SELECT ?", row)
        return cursor


def test_a_file_that_another_process_is_making_is_not_taken_for_foreign(
    tmp_path: Path,
) -> None:
    """One process looks at the empty file while another makes the schema in it."""
    path = tmp_path / "store.db"
    looking = pysqlite3.connect(os.fspath(path), isolation_level=None)
    looking.execute("PRAGMA journal_mode = WAL")
    made = SqliteStore(f"sqlite:///{path}")
    reader = InterruptedReader(looking, made.now)
    opening._check_ours(reader, Location(path))
    opening._check_ours(looking, Location(path))
    assert looking.execute("SELECT count(*) FROM store").fetchone() == (1,)
    looking.close()
    made.close()
