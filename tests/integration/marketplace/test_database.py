"""The marketplace's file: only its own, one writer at a time, whole transactions."""

import multiprocessing
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pysqlite3
import pytest

from tests.unit.marketplace.rows import NOW, message, order
from workflows.exceptions import StoreRefusedError, StoreUnavailableError
from workflows.marketplace import on_sqlite
from workflows.marketplace.content import TemplateContent
from workflows.marketplace.database import Database
from workflows.marketplace.message import Channel, Recipient


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "marketplace.db"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{path}")
    yield database
    database.close()


def test_the_file_is_made_with_its_folder_for_its_owner_only(
    database: Database, path: Path
) -> None:
    assert path.stat().st_mode & 0o777 == 0o600


def test_rows_come_back_as_they_were(database: Database) -> None:
    from_template = message().leased(NOW)
    with database.begin() as work:
        row = work.messages.add(message())
        saved = work.messages.save(row, from_template)
        work.recipients.put(Recipient(key="x", last_inbound_at=NOW, opted_out=True))
        work.channel.put(Channel().opened("190", NOW))
        work.orders.add(order(NOW))
    with database.begin() as work:
        assert work.messages.get("msg_1") == saved
        assert work.recipients.get("x").opted_out
        assert work.channel.get().probe_at == NOW + timedelta(seconds=60)
        assert work.orders.get("ord_1001") == order(NOW)


def test_a_content_comes_back_with_its_type(database: Database) -> None:
    template = TemplateContent(name="t", body_params=("नमस्ते",))
    row = replace(message(), content=template, fallback=template)
    with database.begin() as work:
        work.messages.add(row)
    with database.begin() as work:
        assert work.messages.get("msg_1") == row


def test_only_one_of_two_savers_of_a_row_wins(database: Database) -> None:
    with database.begin() as work:
        row = work.messages.add(message())
        assert work.messages.save(row, row.leased(NOW)) is not None
        assert work.messages.save(row, row.leased(NOW)) is None


def test_only_one_of_two_transitions_of_an_order_wins(database: Database) -> None:
    first = order(NOW)
    with database.begin() as work:
        work.orders.add(first)
        assert not work.orders.add(first)
        assert work.orders.save(first, first.paid(4_859_000, deadline=NOW))
        assert not work.orders.save(first, first.expired())


def test_an_order_whose_deadline_moved_is_not_closed(database: Database) -> None:
    read = order(NOW)
    extended = replace(read, expires_at=NOW + timedelta(hours=1), expiry_epoch=2)
    with database.begin() as work:
        work.orders.add(read)
        assert work.orders.save(read, extended)
        assert not work.orders.save(read, read.expired())
        assert work.orders.get("ord_1001") == extended


def test_an_exception_leaves_nothing_behind(database: Database) -> None:
    def fail_half_way() -> None:
        with database.begin() as work:
            work.orders.add(order(NOW))
            raise KeyError

    with pytest.raises(KeyError):
        fail_half_way()
    with database.begin() as work:
        assert work.orders.get("ord_1001") is None


def test_a_time_without_a_zone_is_refused(database: Database) -> None:
    naive = datetime(2026, 11, 24)  # noqa: DTZ001 - what is refused
    with pytest.raises(Exception, match="zone"), database.begin() as work:
        work.orders.add(order(naive))


def test_a_foreign_file_is_refused(path: Path) -> None:
    path.parent.mkdir()
    foreign = pysqlite3.connect(str(path))
    foreign.execute("CREATE TABLE theirs (x)")
    foreign.close()
    with pytest.raises(StoreRefusedError, match="another program"):
        Database(f"sqlite:///{path}")


def test_a_newer_file_is_refused(database: Database, path: Path) -> None:
    database.close()
    newer = pysqlite3.connect(str(path))
    newer.execute("PRAGMA user_version = 99")
    newer.close()
    with pytest.raises(StoreRefusedError, match="schema 99"):
        Database(f"sqlite:///{path}")


@pytest.mark.parametrize("same", [True, False], ids=["by a thread", "by a process"])
def test_a_busy_database_is_unavailable_not_an_error_of_the_job(
    same: bool, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_sqlite, "BUSY_TIMEOUT_MS", 50)
    database = Database(f"sqlite:///{path}")
    other = database if same else Database(f"sqlite:///{path}")

    def second_writer() -> None:
        with other.begin():
            caught.append(None)

    caught: list[None] = []
    with database.begin(), pytest.raises(StoreUnavailableError):
        second_writer()
    assert caught == []
    with other.begin():  # who gave up keeps nobody from writing
        pass
    database.close()
    other.close()


def test_threads_of_one_process_take_turns_and_do_not_race_for_the_file(
    database: Database,
) -> None:
    waiting = threading.Event()

    def write() -> None:
        waiting.set()
        with database.begin():
            held.append(database._engine.pool.checkedout())

    held: list[int] = []
    threads = [threading.Thread(target=write) for _ in range(4)]
    with database.begin():
        for thread in threads:
            thread.start()
        waiting.wait()
        held.append(database._engine.pool.checkedout())
    for thread in threads:
        thread.join()
    assert held == [1] * 5


def test_writers_wait_for_each_other(database: Database) -> None:
    def raise_total() -> None:
        for _ in range(10):
            with database.begin() as work:
                before = work.orders.get("ord_1001")
                assert before is not None
                assert work.orders.save(before, before.paid(1, deadline=NOW))

    with database.begin() as work:
        work.orders.add(order(NOW))
    threads = [threading.Thread(target=raise_total) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.begin() as work:
        after = work.orders.get("ord_1001")
    assert after is not None
    assert after.paid_paisa == 80


def open_and_add(url: str, name: str) -> None:
    database = Database(url)
    with database.begin() as work:
        work.recipients.put(Recipient(key=name))
    database.close()


def test_many_processes_may_make_the_file_at_once(path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    url = f"sqlite:///{path}"
    processes = [
        context.Process(target=open_and_add, args=(url, str(n))) for n in range(6)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=60)
    assert [process.exitcode for process in processes] == [0] * 6
