"""Record the golden files on the real server: `python -m tests.parity.temporal.record`.

Arguments name programs (default: all). `--check` records nothing and compares with what
was recorded: a program that differs from itself on the same server is a bad program.
"""

import argparse
import asyncio
import importlib
import json
import logging
import os
import sys
import sysconfig
import time
from pathlib import Path
from typing import Any

os.environ["PARITY_SDK"] = "temporalio"

from tests.parity.temporal import sdk
from tests.parity.temporal.compare import differences
from tests.parity.temporal.execute import execute, load_programs
from tests.parity.temporal.server import dev_server

ROOT = Path(__file__).parents[3]
GOLDEN = Path(__file__).with_name("golden")


def main() -> int:
    """Run the named programs on a server of their own; count what went wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("programs", nargs="*")
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    logging.disable(logging.CRITICAL)  # the programs fail on purpose
    with dev_server() as address:
        return asyncio.run(record(address, given.programs, check=given.check))


async def record(address: str, chosen: list[str], *, check: bool) -> int:
    """Run programs on the server at `address`; return the number of failures."""
    client = await _connect(address)
    programs = load_programs()
    failed = 0
    for name in chosen or programs:
        started = time.monotonic()
        try:
            document, raw = await execute(client, programs[name])
            said = (
                check_one(name, document) if check else write_one(name, document, raw)
            )
        except Exception as error:  # noqa: BLE001 - one bad program stops no other
            said = f"FAILED {type(error).__name__}: {error}"
        failed += said != "ok"
        print(f"{name:44} {time.monotonic() - started:5.2f} s  {said}", flush=True)
    return failed


async def _connect(address: str) -> Any:
    runtime = importlib.import_module("temporalio.runtime")
    quiet = runtime.Runtime(telemetry=runtime.TelemetryConfig(logging=None))
    for attempt in range(50):
        try:
            client = await sdk.client.Client.connect(address, runtime=quiet)
            await client.count_workflows()
            return client
        except Exception:
            if attempt == 49:
                raise
            await asyncio.sleep(0.2)
    raise AssertionError


def write_one(name: str, document: Any, raw: Any) -> str:
    """Write both files of one program."""
    for path, value in (
        (GOLDEN / f"{name}.json", document),
        (GOLDEN / "raw" / f"{name}.json", raw),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(value, indent=1, sort_keys=True)
        path.write_text(_without_folders(text) + "\n")
    return "ok"


def _without_folders(text: str) -> str:
    """Take this machine's folders out of the stack traces."""
    for folder in (sysconfig.get_path("purelib"), sysconfig.get_path("stdlib"), ROOT):
        text = text.replace(f"{folder}/", "")
    return text


def check_one(name: str, document: Any) -> str:
    """Compare with the file of the last recording."""
    golden = json.loads((GOLDEN / f"{name}.json").read_text())
    found = differences(golden, json.loads(json.dumps(document)))
    return "\n".join(["DIFFERS", *found]) if found else "ok"


if __name__ == "__main__":
    sys.exit(main())
