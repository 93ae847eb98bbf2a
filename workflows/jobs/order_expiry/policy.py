"""How `order-expiry` retries: not at all.

Nothing in it depends on the outside; a busy database only puts it off.
"""

from datetime import timedelta

QUEUE = "order-expiry"
RETRY = {"attempts": 1}
TIMEOUT = timedelta(seconds=30)
