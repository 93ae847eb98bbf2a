"""What the way to providers of payments must do."""

from workflows.marketplace.billing import PaymentState
from workflows.marketplace.ports import PaymentsPort


class PaymentsContract:
    """Subclass it, and name payments that your provider (or its sandbox) knows."""

    provider = "esewa"
    captured: tuple[str, int] | None = None  # its reference, its amount in paisa
    unknown = "no-such-payment"

    def make(self) -> PaymentsPort:
        """Return the adapter."""
        raise NotImplementedError

    def test_a_captured_payment_is_told_in_paisa(self) -> None:
        """Whatever the provider counts in: rupees times a hundred is the usual bug."""
        if self.captured is None:
            return
        reference, amount = self.captured
        found = self.make().lookup(self.provider, reference)
        assert found is not None
        assert found.state is PaymentState.CAPTURED
        assert type(found.amount_paisa) is int
        assert found.amount_paisa == amount
        assert found.paid_at.tzinfo is not None

    def test_an_unknown_payment_is_no_capture(self) -> None:
        """None (ask again later) or failed; and nobody raises."""
        found = self.make().lookup(self.provider, self.unknown)
        assert found is None or found.state is not PaymentState.CAPTURED
