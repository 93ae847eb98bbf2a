"""Continue-as-new: the same workflow, a new run, a short history."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, NoReturn

from workflows.common import RetryPolicy
from workflows.engine.commands import ContinueAsNew
from workflows.engine.definition import workflow_name
from workflows.engine.instance.attributes import encode_search_attributes
from workflows.engine.instance.context import current
from workflows.engine.instance.errors import ContinueAsNewError
from workflows.engine.instance.spans import to_ms
from workflows.workflow.arguments import UNSET, arguments_of


def continue_as_new(
    arg: Any = UNSET,
    *,
    args: Sequence[Any] = (),
    workflow: Callable[..., Any] | str | None = None,
    task_queue: str | None = None,
    run_timeout: timedelta | None = None,
    task_timeout: timedelta | None = None,
    backoff_start_interval: timedelta | None = None,
    retry_policy: RetryPolicy | None = None,
    memo: Mapping[str, Any] | None = None,
    search_attributes: Any = None,
) -> NoReturn:
    """End this run and start the next one of the same workflow id.

    What is not given is as in this run; signals that were not handled move on.

    Args:
        arg: the one argument of the next run.
        args: its arguments, if they are several.
        workflow: another workflow type, or its run method.
        task_queue: whose workers run it.
        run_timeout: for the next run.
        task_timeout: for one workflow task of it.
        backoff_start_interval: how long it waits before it begins.
        retry_policy: of the next run.
        memo: instead of this run's.
        search_attributes: instead of this run's.

    Raises:
        ContinueAsNewError: always; let it pass.
    """
    core = current().core
    core.require_writable("continue as new")
    conversion = core.conversion
    fields = None
    if memo is not None:
        payloads = conversion.to_payloads([*memo.values()])
        fields = dict(zip(memo, payloads, strict=True))
    raise ContinueAsNewError(
        ContinueAsNew(
            arguments=conversion.to_payloads(arguments_of(arg, args)),
            workflow_type=workflow_name(workflow)[0] if workflow is not None else "",
            task_queue=task_queue or "",
            run_timeout_ms=to_ms(run_timeout),
            task_timeout_ms=to_ms(task_timeout),
            retry_policy=retry_policy.to_json() if retry_policy else None,
            memo=fields,
            search_attributes=(
                None
                if search_attributes is None
                else encode_search_attributes(conversion, search_attributes)
            ),
            backoff_ms=to_ms(backoff_start_interval) or 0,
        )
    )
