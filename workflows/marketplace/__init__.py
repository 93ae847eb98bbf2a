"""The reference application: a B2B ordering marketplace that talks over WhatsApp.

The row is the truth: every transition is one conditional update whose row count says
who won. No transition talks to WhatsApp: it writes a message row in its own
transaction, and the job `whatsapp-message-send` is the only sender.

Nothing in here knows Huey; `workflows.jobs` puts these rules on queues.
"""
