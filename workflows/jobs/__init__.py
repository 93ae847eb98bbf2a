"""The job types that ship with the project; importing this registers them.

It is the default of WORKFLOWS_IMPORTS.
"""

from workflows.jobs.order_expiry.job import expire_order
from workflows.jobs.whatsapp_message_send.job import send_whatsapp_message

__all__ = ["expire_order", "send_whatsapp_message"]
