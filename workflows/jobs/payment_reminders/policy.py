"""How `payment-reminders` retries, and when it runs."""

from datetime import time, timedelta

QUEUE = "payment-reminders"
RETRY = {"attempts": 3, "backoff": {"type": "exponential", "delay": 30_000}}
TIMEOUT = timedelta(minutes=10)
CRON = "0 9 * * *"
HOURS = (time(8), time(19))  # local; outside of them nobody is reminded
