"""About the run: info, memo, search attributes, patches."""

from collections.abc import Mapping
from typing import Any

from workflows.engine.instance.context import current
from workflows.engine.instance.info import Info
from workflows.workflow.arguments import UNSET


def info() -> Info:
    """Return what is known of the run."""
    return current().info


def instance() -> Any:
    """Return the workflow's object."""
    return current().object


def payload_converter() -> Any:
    """Return the worker's payload converter."""
    return current().core.conversion.payload_converter


def cancellation_reason() -> str | None:
    """Return why the workflow was asked to cancel ("": no reason); None: it was not."""
    return current().core.cancel_reason


def is_failure_exception(err: BaseException) -> bool:
    """Return whether an error would fail the workflow; others fail its task."""
    return current().core.is_failure(err)


def patched(id: str) -> bool:
    """Return whether this run goes the way of a patch: yes, unless it began before.

    The answer is recorded, so each replay gets the same one.
    """
    return current().patches.takes(id, deprecated=False)


def deprecate_patch(id: str) -> None:
    """Say that no run from before a patch is left: its `patched` check is gone."""
    current().patches.takes(id, deprecated=True)


# -- memo and search attributes ------------------------------------------------------


def memo() -> Mapping[str, Any]:
    """Return the memo, decoded without hints."""
    attributes = current().attributes
    return {key: attributes.memo_value(key) for key in attributes.memo}


def memo_value(key: str, default: Any = UNSET, *, type_hint: Any = None) -> Any:
    """Return one field of the memo, decoded by hint.

    Raises:
        KeyError: there is none, and no default.
    """
    attributes = current().attributes
    if key not in attributes.memo and default is not UNSET:
        return default
    return attributes.memo_value(key, type_hint)


def upsert_memo(updates: Mapping[str, Any]) -> None:
    """Set fields of the memo; None removes one."""
    current().attributes.upsert_memo(updates)
    current().forget_info()


def upsert_search_attributes(attributes: Any) -> None:
    """Set search attributes: a mapping of name to a list of values, or updates."""
    current().attributes.upsert_search(attributes)
    current().forget_info()


def set_current_details(description: str) -> None:
    """Say what the workflow is doing, for people; not in the history."""
    current().core.require_writable("set current details")
    current().current_details = description


def get_current_details() -> str:
    """Return what `set_current_details` said last."""
    return current().current_details


# -- the run before this one ---------------------------------------------------------


def has_last_completion_result() -> bool:
    """Return whether an earlier run of the chain (cron, retry) left a result."""
    return bool(_last_results())


def get_last_completion_result(type_hint: Any = None) -> Any:
    """Return the result that an earlier run of the chain left, or None."""
    results = _last_results()
    if not results:
        return None
    return current().core.conversion.from_payloads(results, [type_hint])[0]


def get_last_failure() -> BaseException | None:
    """Return the failure of the run before this one in the chain, or None."""
    core = current().core
    failure = core.start.attributes.get("continuedFailure")
    return core.conversion.from_failure(failure) if failure else None


def _last_results() -> tuple[Any, ...]:
    form = current().core.start.attributes.get("lastCompletionResult") or {}
    return tuple(form.get("payloads") or ())
