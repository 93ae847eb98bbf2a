"""`BlockingClient`: Temporal's client for plain Python, with the same names."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Self

from workflows.client.blocking_handles import (
    NONE,
    BlockingAsyncActivityHandle,
    BlockingWorkflowHandle,
    Metadata,
    arguments_of,
)
from workflows.client.connecting import connect_service, settings_converter
from workflows.client.errors import rpc_errors
from workflows.client.executions import (
    UNSET,
    WorkflowExecution,
    WorkflowExecutionCount,
    WorkflowExecutionCountAggregationGroup,
    execution_of,
)
from workflows.client.service import (
    ActivityRef,
    StartRequest,
    StartSignal,
    WorkflowService,
)
from workflows.client.visibility import RunFilter, parse_filter, status_name
from workflows.common import (
    Priority,
    QueryRejectCondition,
    RetryPolicy,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from workflows.converter import DataConverter
from workflows.converter.conversion import WorkflowConversion
from workflows.engine.definition import workflow_name
from workflows.engine.instance.attributes import encode_search_attributes
from workflows.engine.starting import StartOptions
from workflows.exceptions import InvalidArgumentError, StoreError
from workflows.runtime.codec import SyncConverter
from workflows.settings import load_settings
from workflows.store import RunPage, StartStatus, Store

P = ParamSpec("P")
Handle = BlockingWorkflowHandle[Any, Any]


def _executing(
    start: Callable[Concatenate["BlockingClient", P], Handle],
) -> Callable[Concatenate["BlockingClient", P], Any]:
    @wraps(start)
    def execute(self: "BlockingClient", /, *args: P.args, **kwargs: P.kwargs) -> Any:
        return start(self, *args, **kwargs).result()

    execute.__name__ = execute.__qualname__ = "execute_workflow"
    execute.__doc__ = "Start a workflow and return its result; see `start_workflow`."
    return execute


class BlockingClient:
    """Starts workflows and talks to them, from any thread.

    `service_client`: the service that `connect` makes, or `WorkflowService(store)`.
    """

    def __init__(
        self,
        service_client: WorkflowService,
        *,
        namespace: str = "default",
        data_converter: DataConverter = DataConverter.default,
        plugins: Sequence[Any] = (),
        interceptors: Sequence[Any] = (),
        default_workflow_query_reject_condition: QueryRejectCondition | None = None,
        header_codec_behavior: Any = None,  # noqa: ARG002 - headers are never encoded
    ) -> None:
        if plugins or interceptors:
            msg = "plugins and interceptors are not supported yet"
            raise InvalidArgumentError(msg)
        self.service = service_client
        self.namespace = namespace
        self.data_converter = data_converter
        self.converter = SyncConverter(data_converter)
        self.default_workflow_query_reject_condition = (
            default_workflow_query_reject_condition
        )

    @classmethod
    def connect(
        cls,
        target_host: str | None = None,
        *,
        namespace: str = "default",
        api_key: str | None = None,  # noqa: ARG003
        data_converter: DataConverter = DataConverter.default,
        plugins: Sequence[Any] = (),
        interceptors: Sequence[Any] = (),
        default_workflow_query_reject_condition: QueryRejectCondition | None = None,
        tls: Any = None,  # noqa: ARG003
        retry_config: Any = None,  # noqa: ARG003
        keep_alive_config: Any = None,  # noqa: ARG003
        connect_timeout: timedelta | None = None,  # noqa: ARG003
        rpc_metadata: Metadata = NONE,  # noqa: ARG003
        identity: str | None = None,
        lazy: bool = False,
        runtime: Any = None,  # noqa: ARG003
        http_connect_proxy_config: Any = None,  # noqa: ARG003
        dns_load_balancing_config: Any = None,  # noqa: ARG003
        grpc_compression: Any = None,  # noqa: ARG003
        payload_limits: Any = None,  # noqa: ARG003
        header_codec_behavior: Any = None,
    ) -> Self:
        """Connect to a store; what is not named here is about networks and ignored.

        `target_host`: `redis://…` or `sqlite:///…`; `host:port` without a scheme, or
        nothing, is what the settings say (WORKFLOWS_STORE, REDIS_*). `namespace`:
        `default` is the one of the settings. Workers need the same `data_converter`;
        the default one means that of the settings (WORKFLOWS_DATA_CONVERTER).
        `identity` is who acts, in histories; default is process@host. `lazy`: open
        nothing until the first call.

        Raises:
            RuntimeError: the store does not answer, or the address means none.
            SettingsError: the settings are wrong.
        """
        try:
            service = connect_service(
                target_host, namespace=namespace, identity=identity, lazy=lazy
            )
        except (StoreError, InvalidArgumentError) as error:
            msg = f"Failed client connect: {error}"
            raise RuntimeError(msg) from error
        if data_converter is DataConverter.default:
            data_converter = settings_converter(load_settings())
        return cls(
            service,
            namespace=namespace,
            data_converter=data_converter,
            plugins=plugins,
            interceptors=interceptors,
            default_workflow_query_reject_condition=(
                default_workflow_query_reject_condition
            ),
            header_codec_behavior=header_codec_behavior,
        )

    @property
    def store(self) -> Store:
        """The store."""
        return self.service.store

    @property
    def service_client(self) -> WorkflowService:
        """The service."""
        return self.service

    @property
    def identity(self) -> str:
        """Who acts, in histories."""
        return self.service.identity

    def config(self, *, active_config: bool = False) -> dict[str, Any]:  # noqa: ARG002
        """Return the arguments that make such a client again."""
        return {
            "service_client": self.service,
            "namespace": self.namespace,
            "data_converter": self.data_converter,
            "plugins": (),
            "interceptors": (),
            "default_workflow_query_reject_condition": (
                self.default_workflow_query_reject_condition
            ),
            "header_codec_behavior": None,
        }

    # -- workflows ---------------------------------------------------------------------

    def start_workflow(
        self,
        workflow: str | Callable[..., Any],
        arg: Any = UNSET,
        *,
        args: Sequence[Any] = (),
        id: str,
        task_queue: str,
        result_type: type | None = None,
        execution_timeout: timedelta | None = None,
        run_timeout: timedelta | None = None,
        task_timeout: timedelta | None = None,
        id_reuse_policy: WorkflowIDReusePolicy = WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        id_conflict_policy: WorkflowIDConflictPolicy = (
            WorkflowIDConflictPolicy.UNSPECIFIED
        ),
        retry_policy: RetryPolicy | None = None,
        cron_schedule: str = "",
        memo: Mapping[str, Any] | None = None,
        search_attributes: Any = None,
        static_summary: str | None = None,
        static_details: str | None = None,
        start_delay: timedelta | None = None,
        start_signal: str | None = None,
        start_signal_args: Sequence[Any] = (),
        rpc_metadata: Metadata = NONE,  # noqa: ARG002
        rpc_timeout: timedelta | None = None,  # noqa: ARG002
        request_eager_start: bool = False,  # noqa: ARG002
        priority: Priority = Priority.default,
        versioning_override: Any = None,  # noqa: ARG002
    ) -> Handle:
        """Start a workflow; it is kept when this returns.

        `workflow` is its `@workflow.run` method, or the name of a type. Search
        attributes are lists of values by name, or pairs. Ignored: `rpc_metadata`,
        `rpc_timeout`, `request_eager_start`, `versioning_override`.

        Raises:
            WorkflowAlreadyStartedError: the policies forbid another run.
            RPCError: INVALID_ARGUMENT, RESOURCE_EXHAUSTED, UNAVAILABLE.
        """
        name, hint = workflow_name(workflow)
        options = StartOptions(
            workflow_type=name,
            task_queue=task_queue,
            arguments=self.converter.encode(arguments_of(arg, args)),
            retry_policy=retry_policy.to_json() if retry_policy else None,
            cron_schedule=cron_schedule,
            priority=priority.priority_key or 0,
            identity=self.identity,
            **_spans(execution_timeout, run_timeout, task_timeout, start_delay),
            **self._shown(memo, search_attributes, static_summary, static_details),
        )
        signal = self._signal(start_signal, start_signal_args)
        return self._start(
            StartRequest(id, options, id_reuse_policy, id_conflict_policy, signal),
            result_type or hint,
        )

    def _start(self, request: StartRequest, result_type: Any) -> Handle:
        with rpc_errors():
            started = self.service.start(request)
        known = started.status is StartStatus.EXISTING and request.signal is not None
        return BlockingWorkflowHandle(
            self,
            request.workflow_id,
            result_run_id=started.run_id,
            first_execution_run_id=None if known else started.first_run_id,
            result_type=result_type,
            start_workflow_response=started,
        )

    def _signal(self, name: str | None, arguments: Sequence[Any]) -> StartSignal | None:
        if name is None:
            return None
        return StartSignal(name=name, arguments=tuple(self.converter.encode(arguments)))

    def _shown(
        self,
        memo: Mapping[str, Any] | None,
        search_attributes: Any,
        summary: str | None,
        details: str | None,
    ) -> dict[str, Any]:
        """Return what people see. The store reads search attributes: no codec."""
        encode, memo = self.converter.encode, memo or {}
        conversion = WorkflowConversion(DataConverter.default)
        return {
            "memo": dict(zip(memo, encode([*memo.values()]), strict=True)),
            "search_attributes": encode_search_attributes(
                conversion, search_attributes
            ),
            "summary": encode([summary])[0] if summary else None,
            "details": encode([details])[0] if details else None,
        }

    execute_workflow = _executing(start_workflow)

    def get_workflow_handle(
        self,
        workflow_id: str,
        *,
        run_id: str | None = None,
        first_execution_run_id: str | None = None,
        result_type: type | None = None,
    ) -> Handle:
        """Return a handle of a workflow; nothing is looked up."""
        return BlockingWorkflowHandle(
            self,
            workflow_id,
            run_id=run_id,
            result_run_id=run_id,
            first_execution_run_id=first_execution_run_id,
            result_type=result_type,
        )

    def get_workflow_handle_for(
        self,
        workflow: Callable[..., Any],
        workflow_id: str,
        *,
        run_id: str | None = None,
        first_execution_run_id: str | None = None,
    ) -> Handle:
        """Return a handle whose result type is that of a `@workflow.run` method."""
        return self.get_workflow_handle(
            workflow_id,
            run_id=run_id,
            first_execution_run_id=first_execution_run_id,
            result_type=workflow_name(workflow)[1],
        )

    def get_async_activity_handle(
        self,
        *,
        workflow_id: str | None = None,
        run_id: str | None = None,
        activity_id: str | None = None,
        task_token: bytes | None = None,
    ) -> BlockingAsyncActivityHandle:
        """Return a handle of an activity, by its token, or by workflow and activity id.

        Raises:
            ValueError: both are given, or neither.
        """
        return BlockingAsyncActivityHandle(
            self, activity_ref(workflow_id, run_id, activity_id, task_token)
        )

    # -- lists -------------------------------------------------------------------------

    def list_workflows(
        self,
        query: str | None = None,
        *,
        limit: int | None = None,
        page_size: int = 1000,
        next_page_token: bytes | None = None,
        rpc_metadata: Metadata = NONE,  # noqa: ARG002
        rpc_timeout: timedelta | None = None,  # noqa: ARG002
    ) -> Iterator[WorkflowExecution]:
        """Give the runs that match, newest first; see `parse_filter` for queries.

        Raises:
            RPCError: INVALID_ARGUMENT: the query is not understood.
        """
        token, left = next_page_token, limit
        while left is None or left > 0:
            size = page_size if left is None else min(page_size, left)
            runs, token = self.list_page(query, size, token)
            yield from runs
            left = None if left is None else left - len(runs)
            if token is None:
                return

    def list_page(
        self, query: str | None, size: int, token: bytes | None
    ) -> tuple[list[WorkflowExecution], bytes | None]:
        """Return a page of runs, and the token of the next one."""
        with rpc_errors():
            page = self._page(
                parse_filter(query), size, token.decode() if token else None
            )
        runs = [
            execution_of(run, namespace=self.namespace, converter=self.converter)
            for run in page.runs
        ]
        return runs, page.cursor.encode() if page.cursor else None

    def count_workflows(
        self,
        query: str | None = None,
        rpc_metadata: Metadata = NONE,  # noqa: ARG002
        rpc_timeout: timedelta | None = None,  # noqa: ARG002
    ) -> WorkflowExecutionCount:
        """Count the runs that match; `GROUP BY ExecutionStatus` counts per status.

        Without a type or an id counters answer; else all runs are looked at.
        """
        with rpc_errors():
            wanted = parse_filter(query)
            counts = dict(self.service.count())
            if not wanted.status_only:
                counts = dict.fromkeys(counts, 0)
                cursor: str | None = None
                while True:
                    page = self._page(wanted, 1000, cursor)
                    for run in page.runs:
                        counts[run.status] = counts.get(run.status, 0) + 1
                    cursor = page.cursor
                    if cursor is None:
                        break
        kept = {
            status: number
            for status, number in counts.items()
            if number and wanted.status in {None, status}
        }
        groups = [
            WorkflowExecutionCountAggregationGroup(number, [status_name(status)])
            for status, number in kept.items()
        ]
        return WorkflowExecutionCount(
            sum(kept.values()), groups if wanted.by_status else []
        )

    def _page(self, wanted: RunFilter, limit: int, cursor: str | None) -> RunPage:
        return self.service.list(
            status=wanted.status,
            workflow_type=wanted.type,
            workflow_id=wanted.workflow_id,
            limit=limit,
            cursor=cursor,
        )


def activity_ref(
    workflow_id: str | None,
    run_id: str | None,
    activity_id: str | None,
    task_token: bytes | None,
) -> ActivityRef | bytes:
    """Return what names an activity.

    Raises:
        ValueError: token and ids are given, or too little.
    """
    if task_token is not None:
        if workflow_id is not None or run_id is not None or activity_id is not None:
            msg = "Task token cannot be present with other IDs"
            raise ValueError(msg)
        return task_token
    if workflow_id is None or activity_id is None:
        msg = "Workflow ID and activity ID, or a task token, must be given"
        raise ValueError(msg)
    return ActivityRef(workflow_id=workflow_id, run_id=run_id, activity_id=activity_id)


def _spans(
    execution: timedelta | None,
    run: timedelta | None,
    task: timedelta | None,
    delay: timedelta | None,
) -> dict[str, Any]:
    return {
        "execution_timeout_ms": _ms(execution),
        "run_timeout_ms": _ms(run),
        "task_timeout_ms": _ms(task),
        "delay_ms": _ms(delay) or 0,
    }


def _ms(span: timedelta | None) -> int | None:
    return None if span is None else round(span / timedelta(milliseconds=1))
