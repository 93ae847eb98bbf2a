"""Readable differences between a golden document and what an engine did."""

import difflib
import json
from collections.abc import Iterator
from typing import Any

Json = Any


def differences(golden: Json, seen: Json) -> list[str]:
    """Return one line per difference, each with its place; empty if there is none."""
    return list(_compare(golden, seen, ""))


def _compare(golden: Json, seen: Json, place: str) -> Iterator[str]:
    if isinstance(golden, dict) and isinstance(seen, dict):
        for key in sorted({*golden, *seen}):
            here = f"{place}.{key}" if place else key
            if key not in seen:
                yield f"{here}: missing, Temporal has {_short(golden[key])}"
            elif key not in golden:
                yield f"{here}: {_short(seen[key])}, Temporal has none"
            elif key == "events":
                yield from _events(golden[key], seen[key], here)
            else:
                yield from _compare(golden[key], seen[key], here)
    elif isinstance(golden, list) and isinstance(seen, list):
        yield from _lists(golden, seen, place)
    elif golden != seen or type(golden) is not type(seen):
        yield f"{place}: {_short(seen)}, Temporal has {_short(golden)}"


def _lists(golden: list[Json], seen: list[Json], place: str) -> Iterator[str]:
    if len(golden) != len(seen):
        yield f"{place}: {len(seen)} items, Temporal has {len(golden)}"
    for i, (left, right) in enumerate(zip(golden, seen, strict=False), start=1):
        yield from _compare(left, right, f"{place}[{i}]")


def _events(golden: list[Json], seen: list[Json], place: str) -> Iterator[str]:
    """Compare the order first: attributes say nothing while the order differs."""
    left, right = _types(golden), _types(seen)
    if left == right:
        for number, (one, other) in enumerate(zip(golden, seen, strict=True), start=1):
            yield from _compare(one, other, f"{place}[{number} {right[number - 1]}]")
        return
    yield f"{place}: other events (- Temporal, + here)"
    for line in difflib.ndiff(left, right):
        if not line.startswith("?"):
            yield f"    {line}"


def _types(events: list[Json]) -> list[str]:
    return [str(event.get("eventType")).removeprefix("EVENT_TYPE_") for event in events]


def _short(value: Json) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return text if len(text) <= 200 else f"{text[:197]}..."
