"""How the job retries: twice, 5 seconds apart; and when it sweeps."""

from datetime import timedelta

QUEUE = "wholesaler-confirmation-timeout"
RETRY = {"attempts": 3, "backoff": {"type": "fixed", "delay": 5000}}
TIMEOUT = timedelta(seconds=90)
CRON = "*/2 * * * *"
