"""A producer process: sends jobs as told and prints what it took, as one JSON line.

    python -m benchmarks.produce <app module> single|bulk|paced|timers <count>

The Node twin, `bullmq.mjs`, takes the same commands and prints the same.
"""

import importlib
import json
import random
import sys
import time
from typing import Any

TEXT = "+9779800000000 your order is on its way"  # a payload of an everyday size
CHUNK = 1_000
WARM = 20


def single(app: Any, count: int) -> float:
    """Send one by one; return the seconds it took after a short warm-up."""
    for n in range(WARM):
        app.send(n, 0, TEXT)
    begin = time.perf_counter()
    for n in range(count):
        app.send(n, time.monotonic_ns(), TEXT)
    return time.perf_counter() - begin


def bulk(app: Any, count: int) -> float:
    """Send in chunks; return the seconds it took."""
    app.send_many(0, 1, 0, TEXT)
    begin = time.perf_counter()
    for first in range(0, count, CHUNK):
        app.send_many(first, min(CHUNK, count - first), time.monotonic_ns(), TEXT)
    return time.perf_counter() - begin


def paced(app: Any, count: int) -> float:
    """Send to idle workers, one every 10 to 40 ms."""
    begin = time.perf_counter()
    for n in range(count):
        time.sleep(random.uniform(0.010, 0.040))
        app.send(n, time.monotonic_ns(), TEXT)
    return time.perf_counter() - begin


def timers(app: Any, count: int) -> float:
    """Send delayed jobs, due 0.5 to 4 s from now, one every 2 ms."""
    begin = time.perf_counter()
    for n in range(count):
        delay_ms = random.randint(500, 4_000)
        due = time.monotonic_ns() + delay_ms * 1_000_000
        app.send_later(n, due, TEXT, delay_ms / 1000)
        time.sleep(0.002)
    return time.perf_counter() - begin


COMMANDS = {"single": single, "bulk": bulk, "paced": paced, "timers": timers}


def main() -> None:
    """Run one command."""
    module, command, count = sys.argv[1:4]
    app = importlib.import_module(module)
    seconds = COMMANDS[command](app, int(count))
    print(json.dumps({"seconds": seconds, "count": int(count)}))


if __name__ == "__main__":
    main()
