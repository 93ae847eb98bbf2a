"""WORKFLOWS_DATA_CONVERTER: one name, and every face seals and opens workflows."""

import asyncio
import base64
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from workflows import workflow
from workflows.cli import main
from workflows.client import BlockingClient, Client
from workflows.client.connecting import settings_converter
from workflows.converter import DataConverter, Payload
from workflows.exceptions import SettingsError
from workflows.huey import WorkflowHuey
from workflows.settings import load_settings
from workflows.worker import Worker

pytestmark = pytest.mark.integration
SECRET = "hunter2"


class Reversed:
    """A codec for tests: what it stores is not what it got."""

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [Payload({"encoding": b"back"}, each.data[::-1]) for each in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        plain = {"encoding": b"json/plain"}
        return [Payload(plain, each.data[::-1]) for each in payloads]


converter = DataConverter(payload_codec=Reversed())


@workflow.defn
class Repeats:
    @workflow.run
    async def run(self, word: str) -> str:
        return word * 2


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WORKFLOWS_STORE", f"sqlite:///{tmp_path}/runs.db")
    monkeypatch.setitem(sys.modules, "sealing", sys.modules[__name__])
    monkeypatch.setenv("WORKFLOWS_DATA_CONVERTER", "sealing:converter")
    return tmp_path / "runs.db"


def test_what_the_command_starts_is_sealed_and_every_client_opens_it(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start = ("start", "Repeats", "--task-queue", "words", "--id", "r")
    assert main((*start, "--arg", f'"{SECRET}"')) == 0

    async def work() -> None:
        client = await Client.connect()
        async with Worker(client, task_queue="words", workflows=[Repeats]):
            assert await client.get_workflow_handle("r").result() == SECRET * 2

    asyncio.run(work())
    capsys.readouterr()
    assert main(("export", "r")) == 0
    exported = capsys.readouterr().out
    assert base64.b64encode(f'"{SECRET}"'.encode()[::-1]).decode() in exported
    for part in (file, file.with_name("runs.db-wal")):
        assert SECRET.encode() not in part.read_bytes()


def test_the_instance_gives_its_converter_to_what_registers(file: Path) -> None:
    huey = WorkflowHuey(
        "w", url=f"sqlite:///{file}", data_converter=settings_converter(load_settings())
    )
    huey.register_workflows("words", workflows=[Repeats])
    [registered] = huey.workflows
    assert registered.data_converter is converter


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("nowhere:converter", "No module named 'nowhere'"),
        ("sealing:nothing", "has no attribute 'nothing'"),
        ("sealing:SECRET", "is no workflows.converter.DataConverter"),
    ],
)
def test_a_converter_that_is_none_is_refused_by_name(
    file: Path, monkeypatch: pytest.MonkeyPatch, name: str, problem: str
) -> None:
    monkeypatch.setenv("WORKFLOWS_DATA_CONVERTER", name)
    refused: Callable[[], object] = BlockingClient.connect
    with pytest.raises(SettingsError, match="WORKFLOWS_DATA_CONVERTER: ") as caught:
        refused()
    assert problem in str(caught.value)
