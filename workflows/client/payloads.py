"""Payloads on their way in: validated by their type, every fault named."""

from dataclasses import replace
from typing import Any

from workflows.client.faults import Fault, payload_faults
from workflows.converter import Converter
from workflows.exceptions import InvalidArgumentError, PayloadError
from workflows.job_type import JobType
from workflows.store import JobRecord, Schedule


def encode_payload(
    job_type: JobType, payload: Any, root: str
) -> tuple[bytes, list[Fault]]:
    """Return the payload's JSON, or its faults with paths that begin with `root`.

    The JSON is not sealed yet: what a repeated request is compared by.
    """
    try:
        return job_type.encode(payload), []
    except PayloadError as error:
        model = job_type.payload
        faults = payload_faults(model, payload) if model else []
        faults = faults or [Fault(error.path, "invalid", str(error))]
    except InvalidArgumentError as error:
        faults = [Fault("", "invalid", str(error))]
    return b"", [replace(fault, path=root + fault.path) for fault in faults]


def opened_job(converter: Converter, record: JobRecord) -> JobRecord:
    """Return a record with what its codec sealed as JSON, to be looked at."""
    if converter.codec is None:
        return record
    result = None if record.result is None else _opened(converter, record.result)
    return replace(
        record,
        payload=_opened(converter, record.payload),
        result=result,
        progress=_opened(converter, record.progress),
        checkpoint=_opened(converter, record.checkpoint),
    )


def opened_schedule(converter: Converter, schedule: Schedule) -> Schedule:
    """Return a schedule with its payload as JSON, to be looked at."""
    if converter.codec is None:
        return schedule
    return replace(schedule, payload=_opened(converter, schedule.payload))


def _opened(converter: Converter, data: bytes) -> bytes:
    if not data:  # nothing was said, nothing was sealed
        return data
    try:
        return converter.open(data)
    except PayloadError:  # sealed by another codec: shown as it is stored
        return data
