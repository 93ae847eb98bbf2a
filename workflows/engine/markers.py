"""Markers: how patches and local activities stand in the history (core's form)."""

from collections.abc import Mapping
from typing import Any

from workflows.engine.activation import Backoff, Cancelled, Completed, Failed
from workflows.engine.commands import ScheduleLocalActivity
from workflows.engine.events import EventType
from workflows.engine.history import Event
from workflows.engine.local_activities import LocalOutcome
from workflows.engine.proto_json import json_payload, json_value, payload_list, payloads

PATCH, LOCAL_ACTIVITY = "core_patch", "core_local_activity"
CHANGE_VERSION = "TemporalChangeVersion"


def marker_name(event: Event) -> str:
    """Return the name of a marker; empty for any other event."""
    if event.type is not EventType.MARKER_RECORDED:
        return ""
    return str(event.attributes.get("markerName", ""))


# -- patches ---------------------------------------------------------------------------


def patch_attributes(patch_id: str, *, deprecated: bool) -> dict[str, Any]:
    """Return the attributes of a patch marker."""
    data = json_payload({"id": patch_id, "deprecated": deprecated})
    return {"markerName": PATCH, "details": {"patch-data": payloads([data])}}


def patch_of(event: Event) -> tuple[str, bool] | None:
    """Return the id of a patch marker and whether it is deprecated; else None."""
    if marker_name(event) != PATCH:
        return None
    data = json_value(_detail(event, "patch-data"))
    return data["id"], data["deprecated"]


def change_versions(patch_ids: list[str]) -> dict[str, Any]:
    """Return the search attributes that name the patches of a run."""
    return {CHANGE_VERSION: json_payload(sorted(patch_ids), type="KeywordList")}


def is_change_version(event: Event) -> bool:
    """Return whether an event only says which patches the run has."""
    if event.type is not EventType.UPSERT_WORKFLOW_SEARCH_ATTRIBUTES:
        return False
    fields = event.attributes.get("searchAttributes", {}).get("indexedFields", {})
    return CHANGE_VERSION in fields


# -- local activities ------------------------------------------------------------------


def local_attributes(
    command: ScheduleLocalActivity, outcome: LocalOutcome
) -> dict[str, Any]:
    """Return the attributes of the marker of a local activity that ended."""
    resolution = outcome.resolution
    backoff, scheduled_at = None, command.scheduled_at
    if isinstance(resolution, Backoff):
        backoff, scheduled_at = _parts(resolution.delay_ms), resolution.scheduled_at
    data = {
        "seq": outcome.seq,
        "attempt": outcome.attempt,
        "activity_id": command.activity_id,
        "activity_type": command.activity_type,
        "complete_time": _parts(outcome.at),
        "backoff": backoff,
        "original_schedule_time": _parts(scheduled_at),
    }
    details = {"data": payloads([json_payload(data)])}
    attributes: dict[str, Any] = {"markerName": LOCAL_ACTIVITY, "details": details}
    if isinstance(resolution, Completed):
        details["result"] = payloads([resolution.result] if resolution.result else [])
    elif isinstance(resolution, Failed | Cancelled):
        attributes["failure"] = resolution.failure
    return attributes


def local_outcome(event: Event) -> tuple[LocalOutcome, str] | None:
    """Read the marker of a local activity: how it ended, its type; else None."""
    if marker_name(event) != LOCAL_ACTIVITY:
        return None
    data = json_value(_detail(event, "data"))
    outcome = LocalOutcome(
        seq=data["seq"],
        at=_ms(data.get("complete_time")) or 0,
        attempt=data.get("attempt", 1),
        resolution=_resolution(event, data),
    )
    return outcome, data.get("activity_type", "")


def _resolution(
    event: Event, data: Mapping[str, Any]
) -> Backoff | Completed | Failed | Cancelled:
    delay, failure = _ms(data.get("backoff")), event.attributes.get("failure")
    if delay is not None:
        at = _ms(data.get("original_schedule_time")) or 0
        return Backoff(attempt=data["attempt"] + 1, delay_ms=delay, scheduled_at=at)
    if failure is None:
        result = payload_list(event.attributes["details"].get("result"))
        return Completed(result=result[0] if result else None)
    cause = failure.get("cause", {})
    if "canceledFailureInfo" in failure or "canceledFailureInfo" in cause:
        return Cancelled(failure=failure)
    return Failed(failure=failure)


def _detail(event: Event, name: str) -> Mapping[str, Any]:
    return payload_list(event.attributes["details"][name])[0]


def _parts(ms: int | None) -> dict[str, int] | None:
    if ms is None:
        return None
    return {"seconds": ms // 1000, "nanos": ms % 1000 * 1_000_000}


def _ms(parts: Mapping[str, int] | None) -> int | None:
    if parts is None:
        return None
    return parts["seconds"] * 1000 + parts["nanos"] // 1_000_000
