"""The timeouts of a run as they are recorded: none is longer than the one around it."""

TASK_TIMEOUT_MS = 10_000
MAX_TASK_TIMEOUT_MS = 120_000


def fitted(
    whole_ms: int | None, run_ms: int | None, task_ms: int | None
) -> tuple[int | None, int]:
    """Return the run timeout (None: there is none) and the task timeout.

    `whole_ms` is the execution timeout: of all runs of the chain together.
    """
    if whole_ms is not None:
        run_ms = min(run_ms or whole_ms, whole_ms)
    task_ms = min(task_ms or TASK_TIMEOUT_MS, MAX_TASK_TIMEOUT_MS)
    return run_ms, min(task_ms, run_ms) if run_ms else task_ms
