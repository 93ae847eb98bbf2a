"""Money: integers, half up, Nepali grouping; and no float anywhere near it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows.marketplace.rules.money import paisa, rupees, share
from workflows.marketplace.rules.pricing import Line, supply_ceiling, totals

ROOT = Path(__file__).parents[4]
MONEY = [
    path
    for folder in ("workflows", "api")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if "paisa" in path.read_text()
]


@pytest.mark.parametrize("value", [1.0, True, "1", None])
def test_only_an_integer_is_money(value: object) -> None:
    with pytest.raises(TypeError, match="integer paisa"):
        paisa(value)


@pytest.mark.parametrize(
    ("amount", "rate", "part"),
    [
        (4_300_000, 1300, 559_000),
        (4_300_000, 9500, 4_085_000),
        (4_859_000, 150, 72_885),
        (50, 100, 1),  # 0.5 rounds up
        (49, 100, 0),
        (-50, 100, -1),
    ],
)
def test_a_share_is_rounded_half_up(amount: int, rate: int, part: int) -> None:
    assert share(amount, rate) == part


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "Rs. 0.00"),
        (5, "Rs. 0.05"),
        (99_999, "Rs. 999.99"),
        (100_000, "Rs. 1,000.00"),
        (12_345_678, "Rs. 1,23,456.78"),
        (1_234_567_890, "Rs. 1,23,45,678.90"),
        (-4_859_000, "-Rs. 48,590.00"),
    ],
)
def test_rupees_are_grouped_as_in_nepal(amount: int, text: str) -> None:
    assert rupees(amount) == text


@given(st.integers(-(10**15), 10**15))
def test_written_rupees_lose_no_paisa(amount: int) -> None:
    assert int("".join(c for c in rupees(amount) if c in "-0123456789")) == amount


def test_the_fixture_order_costs_what_the_specification_says() -> None:
    noodles = Line(product_id="n", quantity=20, unit_price_paisa=90_000, vat_bps=1300)
    oil = Line(product_id="o", quantity=10, unit_price_paisa=250_000, vat_bps=1300)
    sums = totals([noodles, oil])
    assert (sums.subtotal_paisa, sums.vat_paisa, sums.total_paisa) == (
        4_300_000,
        559_000,
        4_859_000,
    )
    assert supply_ceiling(sums.subtotal_paisa, 9500) == 4_085_000


def test_tax_is_rounded_once_per_rate_and_exempt_goods_bear_none() -> None:
    line = Line(product_id="a", quantity=1, unit_price_paisa=4, vat_bps=1300)
    rice = Line(product_id="r", quantity=3, unit_price_paisa=100, vat_bps=0)
    sums = totals([line] * 3 + [rice])
    assert (sums.taxable_paisa, sums.exempt_paisa, sums.vat_paisa) == (12, 300, 2)


def test_a_float_price_is_refused_when_it_is_used() -> None:
    wrong = Line(product_id="a", quantity=1, unit_price_paisa=4.5, vat_bps=0)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        totals([wrong])


# -- the static check --


def floats(source: str) -> Iterator[str]:
    """Find what could make a float in a statement that speaks of money."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.stmt) or _has_statements(node):
            continue
        if "paisa" not in ast.unparse(node):
            continue
        for part in ast.walk(node):
            if _makes_a_float(part):
                yield f"line {node.lineno}: {ast.unparse(node)}"


def _has_statements(node: ast.stmt) -> bool:
    return any(isinstance(child, ast.stmt) for child in ast.iter_child_nodes(node))


def _makes_a_float(node: ast.AST) -> bool:
    return (
        (isinstance(node, ast.Constant) and isinstance(node.value, float))
        or (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div))
        or (isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Div))
        or (isinstance(node, ast.Name) and node.id in {"float", "round"})
    )


@pytest.mark.parametrize("path", MONEY, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_float_touches_money(path: Path) -> None:
    assert list(floats(path.read_text())) == []


@pytest.mark.parametrize(
    "wrong",
    [
        "half_paisa = total_paisa / 2",
        "fee_paisa = amount * 0.015",
        "paisa = float(text)",
        "total_paisa /= 2",
        "paisa: float",
        "paisa = round(x)",
    ],
)
def test_the_check_finds_floats(wrong: str) -> None:
    assert list(floats(wrong)) != []


def test_the_check_sees_the_modules_of_money() -> None:
    seen = {path.relative_to(ROOT).parts[:2] for path in MONEY}
    assert {("workflows", "marketplace"), ("workflows", "jobs")} <= seen
    assert len(MONEY) >= 8
