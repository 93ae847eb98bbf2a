"""What credit must do."""

from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection

from workflows.marketplace.database import Database
from workflows.marketplace.repositories import CreditPort

NOW = datetime(2026, 11, 24, 4, 15, tzinfo=UTC)


class CreditContract:
    """Subclass it; return your adapter from `make`, give credit in `grant`."""

    def make(self, connection: Connection) -> CreditPort:
        """Return the adapter, on the connection of a transaction."""
        raise NotImplementedError

    def grant(self, database: Database, customer_id: str, limit_paisa: int) -> None:
        """Let a customer owe so much; he owes nothing yet."""
        raise NotImplementedError

    def _granted(self, folder: Path) -> Database:
        database = Database(f"sqlite:///{folder}/contract.db", credit=self.make)
        self.grant(database, "customer-1", 1000)
        return database

    def test_what_costs_exactly_what_is_available_passes(self, tmp_path: Path) -> None:
        """And one paisa more does not."""
        with self._granted(tmp_path).begin() as work:
            assert not work.credit.hold("customer-1", "order-1", 1001, NOW)
            assert work.credit.hold("customer-1", "order-2", 1000, NOW)
            assert not work.credit.hold("customer-1", "order-3", 1, NOW)

    def test_an_order_holds_once(self, tmp_path: Path) -> None:
        """Asking again says yes and takes nothing more."""
        with self._granted(tmp_path).begin() as work:
            assert work.credit.hold("customer-1", "order-1", 600, NOW)
            assert work.credit.hold("customer-1", "order-1", 600, NOW)
            assert work.credit.hold("customer-1", "order-2", 400, NOW)

    def test_what_is_released_can_be_held_again(self, tmp_path: Path) -> None:
        """Releasing again gives nothing back."""
        with self._granted(tmp_path).begin() as work:
            work.credit.hold("customer-1", "order-1", 1000, NOW)
            assert work.credit.release("order-1", NOW) == 1000
            assert work.credit.release("order-1", NOW) == 0
            assert work.credit.hold("customer-1", "order-2", 1000, NOW)

    def test_what_is_consumed_is_not_released(self, tmp_path: Path) -> None:
        """The invoice has taken its place."""
        with self._granted(tmp_path).begin() as work:
            work.credit.hold("customer-1", "order-1", 1000, NOW)
            assert work.credit.consume("order-1", NOW) == 1000
            assert work.credit.consume("order-1", NOW) == 0
            assert work.credit.release("order-1", NOW) == 0

    def test_an_unknown_customer_has_no_credit(self, tmp_path: Path) -> None:
        """Nobody raises for him, nor for an unknown order."""
        with self._granted(tmp_path).begin() as work:
            assert not work.credit.hold("nobody", "order-1", 1, NOW)
            assert work.credit.release("nobody's", NOW) == 0

    def test_a_rollback_leaves_nothing_held(self, tmp_path: Path) -> None:
        """The adapter writes in the transaction it was given, and nowhere else."""
        database = self._granted(tmp_path)
        try:
            with database.begin() as work:
                work.credit.hold("customer-1", "order-1", 1000, NOW)
                raise KeyError
        except KeyError:
            pass
        with database.begin() as work:
            assert work.credit.hold("customer-1", "order-2", 1000, NOW)
