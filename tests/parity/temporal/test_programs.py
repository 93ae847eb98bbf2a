"""Every workflow program does on this engine what it did on Temporal's server."""

import asyncio
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.parity.temporal import sdk
from tests.parity.temporal.accepted import ACCEPTED, unexpected
from tests.parity.temporal.compare import differences
from tests.servers import ValkeyServer

HERE = Path(__file__).parent
GOLDEN = HERE / "golden"
NAMES = sorted(path.stem for path in GOLDEN.glob("*.json"))
DRIVER = re.compile(r"^async def (\w+)\(case: Case\) -> None:", re.MULTILINE)
MISSING = sdk.missing()
OTHER_IDS = frozenset({"child_with_default_id"})
"""Programs whose recorded ids come from Temporal's own random numbers."""


@pytest.fixture(scope="module")
def own_valkey() -> Iterator[ValkeyServer]:
    """A server of this module: the programs have fixed ids in the default namespace."""
    with ValkeyServer() as server:
        yield server


@pytest.mark.skipif(bool(MISSING), reason=f"no workflow engine yet: {MISSING}")
@pytest.mark.timeout(90)
@pytest.mark.parametrize("kind", ["sqlite", "redis"])
@pytest.mark.parametrize("name", NAMES)
def test_program_does_what_it_does_on_temporal(
    name: str, kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if kind == "redis" and not os.environ.get("PARITY_ON_EVERY_STORE"):
        pytest.skip("make parity runs the programs on Valkey too")
    url = f"sqlite:///{tmp_path / 'parity'}.db"
    if kind == "redis":
        url = request.getfixturevalue("own_valkey").unix_url
    seen = asyncio.run(_execute(url, name))
    golden = json.loads((GOLDEN / f"{name}.json").read_text())
    found = unexpected(name, differences(golden, seen))
    assert not found, "\n".join([f"{name} differs from Temporal:", *found])


async def _execute(url: str, name: str) -> Any:
    from tests.parity.temporal.execute import (  # noqa: PLC0415 - needs the engine
        execute,
        load_program,
    )

    client = await sdk.client.Client.connect(url)
    document, _ = await execute(client, load_program(name))
    return json.loads(json.dumps(document))


@pytest.mark.skipif(
    not hasattr(sdk.worker, "Replayer"), reason=f"{sdk.LIBRARY} has no Replayer yet"
)
@pytest.mark.parametrize("name", NAMES)
def test_history_of_temporals_server_is_replayed_here(name: str) -> None:
    from tests.parity.temporal import (  # noqa: PLC0415 - needs the engine
        execute,
        replay,
    )

    if name in replay.NEVER_RAN:
        pytest.skip("its workflow code never began")
    if name in OTHER_IDS:
        pytest.skip("a default child id is random, and not Temporal's")
    program = execute.load_program(name)
    assert asyncio.run(replay.replay(program)) == []


def test_every_program_has_its_golden_files_and_they_have_their_program() -> None:
    written: list[str] = []
    for path in (HERE / "programs").glob("*.py"):
        written += DRIVER.findall(path.read_text())
    assert len(written) == len(set(written))
    assert sorted(written) == NAMES
    assert sorted(path.stem for path in (GOLDEN / "raw").glob("*.json")) == NAMES


def test_at_most_three_differences_are_accepted_and_each_says_why() -> None:
    assert len(ACCEPTED) <= 3
    assert set(ACCEPTED) <= set(NAMES)
    assert all(len(one.reason) > 40 for one in ACCEPTED.values())


def test_users_are_told_each_accepted_difference_and_which_programs_hold_the_rest() -> (
    None
):
    page = (HERE.parents[2] / "docs" / "compatibility.md").read_text()
    same, _, differs = page.partition("\n## What differs\n")
    assert set(re.findall(r"^### `(\w+)`$", differs, re.M)) == set(ACCEPTED)
    rows = re.findall(r"^\| [A-Z].* \| (`.*`) \|$", same, re.M)
    named = {name.strip("`") for row in rows for name in row.split()}
    assert len(rows) > 10
    assert named <= set(NAMES) - set(ACCEPTED)
