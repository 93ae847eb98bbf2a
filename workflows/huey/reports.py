"""What a running job says of itself to the store: each call is one fenced write."""

from collections.abc import Sequence
from typing import Any

from workflows.exceptions import LeaseLost
from workflows.job_type import JobType
from workflows.store import MAX_LOG_LINE, LeasedJob, Report, Store

_CUT = " [cut]"


class JobReports:
    """Writes for one run of a job. Its methods raise `LeaseLost` once it is fenced.

    They wait for the store: an `async def` job calls them through `asyncio.to_thread`.
    """

    def __init__(self, store: Store, job: LeasedJob, job_type: JobType) -> None:
        self._store = store
        self._job = job
        self._type = job_type

    def progress(self, value: Any) -> None:
        """Keep how far the job is."""
        self._write(Report(progress=self._type.converter.encode(value)))

    def checkpoint(self, cursor: Any) -> None:
        """Keep where the next attempt goes on."""
        self._write(Report(checkpoint=self._type.converter.encode(cursor)))

    def payload(self, payload: Any) -> None:
        """Keep another payload, valid by the type."""
        converter = self._type.converter
        self._write(Report(payload=converter.seal(self._type.encode(payload))))

    def log(self, lines: Sequence[str]) -> None:
        """Keep log lines; one that is too long is cut."""
        self._write(Report(lines=tuple(_kept(line) for line in lines)))

    def last_checkpoint(self, hint: Any) -> Any:
        """Return what was kept last, by any attempt; None: nothing."""
        record = self._store.get_job(self._job.id)
        if record is None or not record.checkpoint:
            return None
        return self._type.converter.decode(record.checkpoint, hint)

    def _write(self, report: Report) -> None:
        job = self._job
        if not self._store.report(job.id, job.token, report):
            msg = f"job {job.id} is leased to another run, or has ended"
            raise LeaseLost(msg)


def _kept(line: str) -> str:
    """Return a line as the store takes it."""
    data = line.replace("\0", "\ufffd").encode(errors="replace")
    if len(data) > MAX_LOG_LINE:
        cut = data[: MAX_LOG_LINE - len(_CUT)]
        return cut.decode(errors="ignore") + _CUT
    return data.decode()
