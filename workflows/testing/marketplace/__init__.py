"""Contracts of the marketplace's ports, to be run against a class of one's own.

    class TestMyOrders(OrdersContract):
        def make(self, connection):
            return MyOrders(connection)

The tests are pytest's by their names; they need nothing but a folder to write in.
"""

from workflows.testing.marketplace.credit_contract import CreditContract
from workflows.testing.marketplace.orders_contract import OrdersContract
from workflows.testing.marketplace.payments_contract import PaymentsContract
from workflows.testing.marketplace.transport_contract import TransportContract

__all__ = [
    "CreditContract",
    "OrdersContract",
    "PaymentsContract",
    "TransportContract",
]
