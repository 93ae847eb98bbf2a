"""How `vendor-fallback` retries: once, after 5 seconds.

If that fails too, the sweep of `bidding-timeout` asks again a minute later.
"""

from datetime import timedelta

QUEUE = "vendor-fallback"
RETRY = {"attempts": 2, "backoff": {"type": "fixed", "delay": 5000}}
TIMEOUT = timedelta(seconds=30)
