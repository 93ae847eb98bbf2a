"""Draws the states of an order and its moves, from the code's table, as SVG.

`python -m tests.docs.state_diagram` writes the picture of docs/marketplace.md anew.
"""

from pathlib import Path

from workflows.marketplace.order import MOVES, OrderStatus

PICTURE = Path(__file__).parents[2] / "docs" / "order-states.svg"
PLACES = {  # column and row
    OrderStatus.PENDING_PAYMENT: (0, 1),
    OrderStatus.PLACED: (1, 1),
    OrderStatus.BIDDING: (2, 0),
    OrderStatus.FALLBACK: (2, 2),
    OrderStatus.AWAITING_CONFIRMATION: (3, 1),
    OrderStatus.CONFIRMED: (4, 1),
    OrderStatus.DELIVERED: (5, 1),
    OrderStatus.COMPLETED: (6, 1),
    OrderStatus.EXPIRED: (1, 3),
    OrderStatus.CANCELLED: (3, 3),
}
ENDS = frozenset(status for status, after in MOVES.items() if not after)
COLUMN, ROW, MARGIN = 190, 110, 20
WIDTH, HEIGHT = 160, 40
STYLE = (
    "text{font:13px sans-serif;text-anchor:middle;fill:#222}"
    "rect{fill:#eef3fb;stroke:#46679c}.end{fill:#f2f2f2;stroke:#777}"
    "path{fill:none;stroke:#666}"
)
ARROW = (
    '<defs><marker id="a" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" '
    'markerHeight="7" orient="auto"><path d="M0,0 L8,4 L0,8" /></marker></defs>'
)


def draw() -> str:
    """Return the picture."""
    columns = 1 + max(column for column, _ in PLACES.values())
    rows = 1 + max(row for _, row in PLACES.values())
    width, height = columns * COLUMN + MARGIN, rows * ROW + MARGIN
    moves = [(old, new) for old in MOVES for new in sorted(MOVES[old])]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">',
            f"<style>{STYLE}</style>",
            ARROW,
            *(_arrow(old, new) for old, new in moves),
            *(_box(status) for status in MOVES),
            "</svg>\n",
        ]
    )


def _corner(status: OrderStatus) -> tuple[int, int]:
    column, row = PLACES[status]
    return MARGIN + column * COLUMN, MARGIN + row * ROW


def _box(status: OrderStatus) -> str:
    x, y = _corner(status)
    kind = ' class="end"' if status in ENDS else ""
    middle = f'x="{x + WIDTH // 2}" y="{y + HEIGHT // 2 + 4}"'
    return (
        f'<rect{kind} x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="8" />'
        f"<text {middle}>{status}</text>"
    )


def _arrow(old: OrderStatus, new: OrderStatus) -> str:
    """Draw a bow from the one box's nearest side to the other's."""
    (x1, y1), (x2, y2) = _corner(old), _corner(new)
    if y1 == y2:
        start = (x1 + WIDTH * (x2 > x1), y1 + HEIGHT // 2)
        end = (x2 + WIDTH * (x2 < x1), y2 + HEIGHT // 2)
    else:
        lean = 18 if y2 > y1 else -18  # so that there and back are two lines
        start = (x1 + WIDTH // 2 + lean, y1 + HEIGHT * (y2 > y1))
        end = (x2 + WIDTH // 2 + lean, y2 + HEIGHT * (y2 < y1))
    middle = (start[1] + end[1]) // 2
    bend = "L" if y1 == y2 else f"C{start[0]},{middle} {end[0]},{middle} "
    bow = f"M{start[0]},{start[1]} {bend}"
    title = f"<title>{old} to {new}</title>"
    return f'<path d="{bow}{end[0]},{end[1]}" marker-end="url(#a)">{title}</path>'


if __name__ == "__main__":
    PICTURE.write_text(draw(), encoding="utf-8")
