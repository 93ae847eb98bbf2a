"""The job types that ship with the project; importing this registers them.

It is the default of WORKFLOWS_IMPORTS.
"""

from workflows.jobs.bidding_timeout.job import close_bidding
from workflows.jobs.credit_reconciliation.job import reconcile_credit
from workflows.jobs.daily_reports.job import report_day
from workflows.jobs.order_expiry.job import expire_order
from workflows.jobs.order_lifecycle.job import OrderLifecycle
from workflows.jobs.payment_reminders.job import remind_debtors
from workflows.jobs.vendor_fallback.job import find_next_supplier
from workflows.jobs.whatsapp_message_send.job import send_whatsapp_message
from workflows.jobs.wholesaler_confirmation_timeout.job import end_unanswered_offers

__all__ = [
    "OrderLifecycle",
    "close_bidding",
    "end_unanswered_offers",
    "expire_order",
    "find_next_supplier",
    "reconcile_credit",
    "remind_debtors",
    "report_day",
    "send_whatsapp_message",
]
