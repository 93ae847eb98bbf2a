"""A job type: what is declared once about every job of a kind, and how to make one."""

import hashlib
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from pydantic import BaseModel, ValidationError

from workflows import converter
from workflows.converter import Converter, payload_error
from workflows.engine.retry import RetryRule
from workflows.exceptions import InvalidArgumentError, PayloadError
from workflows.store import Dedup, NewJob, QueueLimits

MAX_PRIORITY = 2**21 - 1  # BullMQ's range; 0 is the most urgent


@dataclass(frozen=True, slots=True)
class Retention:
    """How long terminal records are kept: by age and by count; None is no bound.

    `count=0` keeps nothing: the record goes in the same write that ends the job.
    """

    age: timedelta | None = None
    count: int | None = None


KEEP_COMPLETED = Retention(age=timedelta(hours=24), count=10_000)
KEEP_ALL = Retention()


@dataclass(frozen=True, slots=True, kw_only=True)
class JobType:
    """One kind of job. `payload` is None for a plain Huey task (args, kwargs)."""

    name: str
    queue: str
    payload: type[BaseModel] | None
    retry: RetryRule
    priority: int = 0
    timeout: timedelta | None = None
    expires: timedelta | None = None
    max_stalls: int = 3
    limits: QueueLimits = field(default_factory=QueueLimits)
    keep_completed: Retention = KEEP_COMPLETED
    keep_failed: Retention = KEEP_ALL
    is_async: bool = False
    converter: Converter = converter.DEFAULT

    def encode(self, payload: Any) -> bytes:
        """Validate a payload (a model, or the fields of one) and return its JSON.

        What is returned is known to decode, and not sealed yet (`converter.seal`).

        Raises:
            PayloadError: it does not validate, cannot be stored, or is over the
                limits of the converter; `path` names the first fault.
        """
        if self.payload is None:
            msg = f"job type {self.name!r} has no payload model; call its Huey task"
            raise InvalidArgumentError(msg)
        try:
            model = self.payload.model_validate(payload)
        except ValidationError as error:
            raise payload_error(error) from None
        data = self.converter.to_json(model)
        if b"null" in data:  # older code may not know a field that nobody set
            text = model.model_dump_json(by_alias=True, exclude_none=True)
            if self._is(model, text.encode()):
                return text.encode()
        self.decode(data)
        return data

    def _is(self, model: BaseModel, data: bytes) -> bool:
        try:
            return self.decode(data) == model
        except PayloadError:
            return False

    def decode(self, data: bytes) -> BaseModel:
        """Return the model of a payload's opened JSON. Raises PayloadError."""
        if self.payload is None:
            msg = f"job type {self.name!r} has no payload model"
            raise InvalidArgumentError(msg)
        try:
            return self.payload.model_validate_json(data)
        except ValidationError as error:
            raise payload_error(error) from None


def new_job(  # noqa: PLR0913 - keyword-only options of one call
    job_type: JobType,
    payload: bytes,
    *,
    job_id: str,
    priority: float | None = None,
    delay_ms: int = 0,
    run_at: int | None = None,
    expires_ms: int | None = None,
    dedup_id: str | None = None,
    dedup: Dedup | None = None,
    headers: bytes = b"",
    trace: str = "",
) -> NewJob:
    """Build the job to enqueue, with the type's defaults for what is not given."""
    if expires_ms is None and job_type.expires is not None:
        expires_ms = milliseconds(job_type.expires)
    return NewJob(
        id=job_id,
        queue=job_type.queue,
        type=job_type.name,
        payload=payload,
        headers=headers,
        priority=job_type.priority if priority is None else priority,
        delay_ms=delay_ms,
        run_at=run_at,
        expires_ms=expires_ms,
        max_stalls=job_type.max_stalls,
        dedup_id=dedup_id,
        dedup=dedup,
        trace=trace,
    )


def requested_id(request_id: str, index: int) -> str:
    """Return the id of the job at a place of a request: a repeat asks for the same."""
    return hashlib.sha256(f"{request_id}\0{index}".encode()).hexdigest()[:32]


def milliseconds(span: timedelta) -> int:
    """Return a span in whole ms, rounded up, so that nothing is early."""
    return -(-span // timedelta(milliseconds=1))


JobTypes = dict[str, JobType]
