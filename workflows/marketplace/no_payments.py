"""Payments without a provider that can be asked."""

from workflows.marketplace.ports import Lookup


class NoPayments:
    """A `PaymentsPort` that never knows: what is under way gets a little more time."""

    def lookup(self, provider: str, provider_ref: str) -> Lookup | None:  # noqa: ARG002
        """Return None."""
        return None
