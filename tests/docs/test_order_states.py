"""The diagrams of an order's states are what the code allows."""

import re

from tests.docs.state_diagram import PICTURE, draw
from tests.docs.test_snippets import ROOT
from workflows.marketplace.order import MOVES, OrderStatus

ARROW = re.compile(r"^ +(\w+) --> (\w+)", re.M)
TITLE = re.compile(r"<title>(\w+) to (\w+)</title>")
ALLOWED = {(str(old), str(new)) for old in MOVES for new in MOVES[old]}


def test_every_status_has_its_moves() -> None:
    assert set(MOVES) == set(OrderStatus)


def test_the_diagram_shows_the_moves_of_the_code_and_no_others() -> None:
    arrows = ARROW.findall((ROOT / "docs" / "marketplace.md").read_text())
    assert len(arrows) == len(set(arrows))
    assert set(arrows) == ALLOWED


def test_the_picture_is_drawn_from_the_code() -> None:
    assert PICTURE.read_text(encoding="utf-8") == draw(), (
        "draw it anew: python -m tests.docs.state_diagram"
    )
    assert set(TITLE.findall(draw())) == ALLOWED
