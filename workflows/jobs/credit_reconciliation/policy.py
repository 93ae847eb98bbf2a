"""How `credit-reconciliation` retries, and when it runs."""

from datetime import timedelta

QUEUE = "credit-reconciliation"
RETRY = {"attempts": 2, "backoff": {"type": "fixed", "delay": 300_000}}
TIMEOUT = timedelta(minutes=30)
CRON = "0 2 * * *"
