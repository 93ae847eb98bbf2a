"""What a worker process does: claims, runs, settles, keeps leases, ticks.

Knows the store's protocol and nothing of Huey. A host (workflows.huey) brings the
threads, a `Handler` that runs one job, and calls `stop`.
"""
