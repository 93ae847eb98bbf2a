"""The house rules of CONTRIBUTING.md that a program can check and no linter does."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SHIPPED = [
    path for folder in ("workflows", "api") for path in (ROOT / folder).rglob("*.py")
]
LONGEST_FUNCTION = 60
LONGEST_MODULE = 500
VAGUE = {"utils", "util", "helpers", "helper", "misc", "manager", "base"}
Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions() -> Iterator[tuple[str, Function]]:
    for path in SHIPPED:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, Function):
                yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", node


def test_no_function_is_longer_than_a_screen() -> None:
    long = [
        where
        for where, node in functions()
        if (node.end_lineno or 0) - node.lineno >= LONGEST_FUNCTION
    ]
    assert long == []


def test_no_module_is_too_long_to_read() -> None:
    lines = {path: len(path.read_text().splitlines()) for path in SHIPPED}
    assert {path for path, count in lines.items() if count > LONGEST_MODULE} == set()


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert [path for path in SHIPPED if {*path.parts, path.stem} & VAGUE] == []


def test_nothing_shipped_is_left_for_later() -> None:
    marks = ("TO" + "DO", "FIX" + "ME")
    found = [
        path
        for path in [*SHIPPED, *(ROOT / "workflows").rglob("*.lua")]
        if any(mark in path.read_text() for mark in marks)
    ]
    assert found == []
