"""How `daily-reports` retries, and when it runs."""

from datetime import timedelta

QUEUE = "daily-reports"
ATTEMPTS = 3
RETRY = {"attempts": ATTEMPTS, "backoff": {"type": "exponential", "delay": 60_000}}
TIMEOUT = timedelta(minutes=10)
CRON = "0 0 * * *"
CAUGHT_UP = 7  # days; older ones are built by hand
