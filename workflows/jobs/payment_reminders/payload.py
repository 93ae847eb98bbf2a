"""The payload of `payment-reminders`."""

from datetime import date

from workflows.marketplace.fields import EntityId, JobPayload


class PaymentReminders(JobPayload):
    """Remind all customers, or one; `dryRun` only says what would be sent."""

    business_date: date | None = None
    customer_id: EntityId | None = None
    dry_run: bool = False
