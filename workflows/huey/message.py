"""How a Huey task becomes a job record and comes back.

A job's payload is its business data as JSON; a plain task's is `{"args", "kwargs"}`.
What Huey keeps beside the arguments (pipelines, chords, per-call retries) is in the
headers, and only if it differs from what the task's class says. Nested tasks carry
the same two parts.
"""

from collections.abc import Mapping
from typing import Any

from huey.api import Task
from huey.utils import ChordConfig
from pydantic import BaseModel

from workflows.converter import Converter
from workflows.exceptions import PayloadError
from workflows.job_type import JobType
from workflows.store import JobRecord, LeasedJob

OPTIONS = ("retries", "retry_delay", "retry_backoff", "timeout")


def payload_of(task: Task, job_type: JobType) -> bytes:
    """Return the payload to store; a job's is validated. Raises PayloadError."""
    converter = job_type.converter
    if job_type.payload is None:
        return converter.encode_tagged(_data(task))
    args, kwargs = task.args, task.kwargs
    if len(args) > 1 or (args and kwargs):
        msg = f"{job_type.name} takes one payload: a model, a dict, or fields by name"
        raise PayloadError(msg)
    given = args[0] if len(args) == 1 and not kwargs else kwargs
    return converter.seal(job_type.encode(given))


def headers_of(task: Task, job_type: JobType) -> bytes:
    """Return what the message says beside its payload; empty if nothing."""
    options = _options(task)
    return job_type.converter.encode_tagged(options) if options else b""


def _data(task: Task) -> dict[str, Any]:
    args = [_plain(value) for value in task.args]
    kwargs = {k: _plain(v) for k, v in task.kwargs.items() if v is not task}
    return {"args": args, "kwargs": kwargs}


def _plain(value: Any) -> Any:
    return (
        value.model_dump(mode="json", by_alias=True)
        if isinstance(value, BaseModel)
        else value
    )


def _options(task: Task) -> dict[str, Any]:
    cls = type(task)
    options: dict[str, Any] = {}
    for name in OPTIONS:
        value = getattr(task, name)
        if value != getattr(cls, f"default_{name}"):
            options[name] = value
    if task.expires_resolved is not None:
        options["expires_resolved"] = task.expires_resolved
    if task.on_complete is not None:
        options["on_complete"] = _nested(task.on_complete)
    if task.on_error is not None:
        options["on_error"] = _nested(task.on_error)
    if task.chord_config is not None:
        chord = task.chord_config
        callback = _nested(chord.callback)
        options["chord"] = [chord.cid, chord.size, chord.idx, callback]
    if getattr(task, "joins", None):
        options["joins"] = list(task.joins)
    return options


def _nested(task: Task) -> dict[str, Any]:
    options = _options(task)
    for name in ("eta", "priority", "expires"):
        value = getattr(task, name)
        if value is not None and value != getattr(type(task), f"default_{name}", None):
            options[name] = value
    return {
        "id": task.id,
        "type": type(task).type_name,
        **_data(task),
        "options": options,
    }


def dump_task(task: Task, converter: Converter) -> bytes:
    """Return a whole task as bytes: Huey's own `serialize_task`."""
    return converter.encode_tagged(_nested(task))


def load_task(
    data: bytes, classes: Mapping[str, type[Task]], converter: Converter
) -> Task:
    """Undo `dump_task`. Raises PayloadError or KeyError (the type is not known)."""
    return _load_nested(converter.decode_tagged(data), classes)


def load_job(
    job: LeasedJob | JobRecord, job_type: JobType, classes: Mapping[str, type[Task]]
) -> Task:
    """Return the task of a stored job. Raises PayloadError, KeyError, TypeError."""
    converter = job_type.converter
    options = converter.decode_tagged(job.headers) if job.headers else {}
    args: tuple[Any, ...]
    if job_type.payload is None:
        data = converter.decode_tagged(job.payload)
        args, kwargs = tuple(data["args"]), dict(data["kwargs"])
    else:
        args, kwargs = (job_type.decode(converter.open(job.payload)),), {}
    return _build(classes[job.type], job.id, (args, kwargs), options, classes)


def resume(task: Task, spent: int, priority: float, *, plain: bool) -> None:
    """Tell a loaded task what its record knows better than its message."""
    task.initial_retries = task.retries
    task.retries = max(task.retries - spent, 0)
    if priority or not plain:
        task.priority = -priority if plain else priority


def _load_nested(raw: dict[str, Any], classes: Mapping[str, type[Task]]) -> Task:
    data = tuple(raw["args"]), dict(raw["kwargs"])
    return _build(classes[raw["type"]], raw["id"], data, raw["options"], classes)


def _build(
    cls: type[Task],
    task_id: str,
    data: tuple[tuple[Any, ...], dict[str, Any]],
    options: dict[str, Any],
    classes: Mapping[str, type[Task]],
) -> Task:
    options = dict(options)
    for name in ("on_complete", "on_error"):
        if name in options:
            options[name] = _load_nested(options[name], classes)
    joins = options.pop("joins", None)
    chord = options.pop("chord", None)
    if chord is not None:
        cid, size, index, callback = chord
        callback = _load_nested(callback, classes)
        options["chord_config"] = ChordConfig(cid, size, index, callback)
    task = cls(*data, id=task_id, **options)
    if joins:
        task.joins = tuple(joins)
    return task
