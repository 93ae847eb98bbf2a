"""Orders in our own table."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import Connection, select

from workflows.marketplace import tables
from workflows.marketplace.order import EXPIRABLE, Order, OrderStatus
from workflows.marketplace.rules.pricing import Line
from workflows.marketplace.sql.rows import Rows, insert


class SqlOrders(Rows[Order]):
    """See `OrderRepository`."""

    def __init__(self, connection: Connection) -> None:
        fence = ("status", "expiry_epoch", "paid_paisa")
        super().__init__(connection, tables.orders, Order, fence)

    def add_lines(self, order_id: str, lines: Iterable[Line]) -> None:
        """See the port."""
        rows = [
            {
                "order_id": order_id,
                "line_no": number,
                "product_id": line.product_id,
                "quantity": line.quantity,
                "unit_price_paisa": line.unit_price_paisa,
                "vat_bps": line.vat_bps,
            }
            for number, line in enumerate(lines, start=1)
        ]
        if rows:
            statement = insert(self._connection, tables.order_items).values(rows)
            self._connection.execute(statement.on_conflict_do_nothing())

    def lines(self, order_id: str) -> Sequence[Line]:
        """See the port."""
        table = tables.order_items
        columns = (
            table.c.product_id,
            table.c.quantity,
            table.c.unit_price_paisa,
            table.c.vat_bps,
        )
        query = select(*columns).where(table.c.order_id == order_id)
        rows = self._connection.execute(query.order_by(table.c.line_no)).mappings()
        return [Line(**row) for row in rows]

    def overdue(self, before: datetime, limit: int) -> Sequence[Order]:
        """See the port."""
        table = tables.orders
        return self.where(
            table.c.status.in_(EXPIRABLE),
            table.c.expires_at <= before,
            order_by=(table.c.expires_at, table.c.id),
            limit=limit,
        )

    def in_status(self, status: OrderStatus, limit: int) -> Sequence[Order]:
        """See the port."""
        table = tables.orders
        return self.where(
            table.c.status == status, order_by=(table.c.placed_at,), limit=limit
        )
