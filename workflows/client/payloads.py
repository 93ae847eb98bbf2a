"""Payloads on their way in: validated by their type, every fault named."""

from dataclasses import replace
from typing import Any

from workflows.client.faults import Fault, payload_faults
from workflows.exceptions import InvalidArgumentError, PayloadError
from workflows.job_type import JobType


def encode_payload(
    job_type: JobType, payload: Any, root: str
) -> tuple[bytes, list[Fault]]:
    """Return the payload's JSON, or its faults with paths that begin with `root`."""
    try:
        return job_type.encode(payload), []
    except PayloadError as error:
        model = job_type.payload
        faults = payload_faults(model, payload) if model else []
        faults = faults or [Fault(error.path, "invalid", str(error))]
    except InvalidArgumentError as error:
        faults = [Fault("", "invalid", str(error))]
    return b"", [replace(fault, path=root + fault.path) for fault in faults]
