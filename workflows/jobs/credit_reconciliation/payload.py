"""The payload of `credit-reconciliation`."""

from datetime import date

from workflows.marketplace.fields import EntityId, JobPayload


class CreditReconciliation(JobPayload):
    """Reconcile all accounts for a night, or one account now."""

    business_date: date | None = None
    credit_account_id: EntityId | None = None
