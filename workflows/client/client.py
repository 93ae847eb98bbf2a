"""`Client`: starts workflows and talks to them. Shaped like `temporalio.client`."""

from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from datetime import timedelta
from functools import partial, wraps
from typing import Any, Concatenate, ParamSpec, Self

from workflows.client.blocking import BlockingClient, Handle, activity_ref
from workflows.client.blocking_handles import NONE, Metadata
from workflows.client.executions import WorkflowExecution, WorkflowHistory
from workflows.client.handles import AsyncActivityHandle, WorkflowHandle
from workflows.client.service import WorkflowService
from workflows.client.threads import Threads, on_thread
from workflows.common import QueryRejectCondition
from workflows.converter import DataConverter
from workflows.store import Store

P = ParamSpec("P")
AnyHandle = WorkflowHandle[Any, Any]


def _starting(
    start: Callable[Concatenate[BlockingClient, P], Handle],
) -> Callable[Concatenate["Client", P], Coroutine[Any, Any, AnyHandle]]:
    @wraps(start)
    async def call(self: "Client", /, *args: P.args, **kwargs: P.kwargs) -> AnyHandle:
        work = partial(start, self.blocking, *args, **kwargs)
        return WorkflowHandle.of(self, await self.threads.call(work))

    return call


def _executing(
    start: Callable[Concatenate["Client", P], Coroutine[Any, Any, AnyHandle]],
) -> Callable[Concatenate["Client", P], Coroutine[Any, Any, Any]]:
    @wraps(start)
    async def call(self: "Client", /, *args: P.args, **kwargs: P.kwargs) -> Any:
        return await (await start(self, *args, **kwargs)).result()

    call.__name__ = call.__qualname__ = "execute_workflow"
    call.__doc__ = "Start a workflow and return its result; see `start_workflow`."
    return call


def _connecting(
    connect: Callable[..., BlockingClient],
) -> Callable[..., Coroutine[Any, Any, "Client"]]:
    @wraps(connect)
    async def call(cls: type["Client"], /, *args: Any, **kwargs: Any) -> "Client":
        threads = Threads()
        work = partial(BlockingClient.connect, *args, **kwargs)
        return cls.of(await threads.call(work), threads)

    return call


class WorkflowExecutionAsyncIterator:
    """Runs, page by page; made by `Client.list_workflows`."""

    def __init__(
        self,
        client: "Client",
        query: str | None,
        *,
        limit: int | None,
        page_size: int,
        next_page_token: bytes | None,
    ) -> None:
        self._client = client
        self._query = query
        self._left = limit
        self._page_size = page_size
        self._token = next_page_token
        self._ended = False
        self._page: list[WorkflowExecution] | None = None
        self._index = 0

    @property
    def current_page(self) -> Sequence[WorkflowExecution] | None:
        """The page that was fetched last."""
        return self._page

    @property
    def current_page_index(self) -> int:
        """Which of its runs comes next."""
        return self._index

    @property
    def next_page_token(self) -> bytes | None:
        """Where the next page begins; None: at the end, or before the first one."""
        return self._token

    async def fetch_next_page(self, *, page_size: int | None = None) -> None:
        """Fetch the next page."""
        size = page_size or self._page_size
        if self._left is not None:
            size = max(1, min(size, self._left))
        work = partial(self._client.blocking.list_page, self._query, size, self._token)
        self._page, self._token = await self._client.threads.call(work)
        self._index, self._ended = 0, self._token is None

    def __aiter__(self) -> Self:
        """Return itself."""
        return self

    async def __anext__(self) -> WorkflowExecution:
        """Return the next run, fetching pages as needed."""
        if self._left == 0:
            raise StopAsyncIteration
        while self._page is None or self._index >= len(self._page):
            if self._ended:
                raise StopAsyncIteration
            await self.fetch_next_page()
        self._index += 1
        if self._left is not None:
            self._left -= 1
        return self._page[self._index - 1]

    async def map_histories(self, **options: Any) -> AsyncIterator[WorkflowHistory]:
        """Give the history of each run; options as in `fetch_history`."""
        async for run in self:
            handle = self._client.get_workflow_handle(run.id, run_id=run.run_id)
            yield await handle.fetch_history(**options)


class Client:
    """Starts workflows and talks to them; workers are made with it.

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
        header_codec_behavior: Any = None,
    ) -> None:
        self.blocking = BlockingClient(
            service_client,
            namespace=namespace,
            data_converter=data_converter,
            plugins=plugins,
            interceptors=interceptors,
            default_workflow_query_reject_condition=(
                default_workflow_query_reject_condition
            ),
            header_codec_behavior=header_codec_behavior,
        )
        self.threads = Threads()

    @classmethod
    def of(cls, blocking: BlockingClient, threads: Threads | None = None) -> "Client":
        """Return the async twin of a client, on the same service."""
        made = cls.__new__(cls)
        made.blocking, made.threads = blocking, threads or Threads()
        return made

    connect = classmethod(_connecting(vars(BlockingClient)["connect"].__func__))

    @property
    def _blocking(self) -> BlockingClient:
        return self.blocking

    @property
    def _threads(self) -> Threads:
        return self.threads

    @property
    def store(self) -> Store:
        """The store."""
        return self.blocking.store

    @property
    def service_client(self) -> WorkflowService:
        """The service below."""
        return self.blocking.service

    @property
    def namespace(self) -> str:
        """The namespace."""
        return self.blocking.namespace

    @property
    def identity(self) -> str:
        """Who acts, in histories."""
        return self.blocking.identity

    @property
    def data_converter(self) -> DataConverter:
        """How values become payloads."""
        return self.blocking.data_converter

    def config(self, *, active_config: bool = False) -> dict[str, Any]:
        """Return the arguments that make such a client again."""
        return self.blocking.config(active_config=active_config)

    start_workflow = _starting(BlockingClient.start_workflow)
    execute_workflow = _executing(start_workflow)

    def get_workflow_handle(
        self,
        workflow_id: str,
        *,
        run_id: str | None = None,
        first_execution_run_id: str | None = None,
        result_type: type | None = None,
    ) -> AnyHandle:
        """Return a handle of a workflow; nothing is looked up."""
        found = self.blocking.get_workflow_handle(
            workflow_id,
            run_id=run_id,
            first_execution_run_id=first_execution_run_id,
            result_type=result_type,
        )
        return WorkflowHandle.of(self, found)

    def get_workflow_handle_for(
        self,
        workflow: Callable[..., Any],
        workflow_id: str,
        *,
        run_id: str | None = None,
        first_execution_run_id: str | None = None,
    ) -> AnyHandle:
        """Return a handle whose result type is that of a `@workflow.run` method."""
        found = self.blocking.get_workflow_handle_for(
            workflow,
            workflow_id,
            run_id=run_id,
            first_execution_run_id=first_execution_run_id,
        )
        return WorkflowHandle.of(self, found)

    def get_async_activity_handle(
        self,
        *,
        workflow_id: str | None = None,
        run_id: str | None = None,
        activity_id: str | None = None,
        task_token: bytes | None = None,
    ) -> AsyncActivityHandle:
        """Return a handle of an activity, by its token, or by workflow and activity id.

        Raises:
            ValueError: both are given, or neither.
        """
        return AsyncActivityHandle(
            self, activity_ref(workflow_id, run_id, activity_id, task_token)
        )

    def list_workflows(
        self,
        query: str | None = None,
        *,
        limit: int | None = None,
        page_size: int = 1000,
        next_page_token: bytes | None = None,
        rpc_metadata: Metadata = NONE,  # noqa: ARG002
        rpc_timeout: timedelta | None = None,  # noqa: ARG002
    ) -> WorkflowExecutionAsyncIterator:
        """Give the runs that match, newest first; see `parse_filter` for queries."""
        return WorkflowExecutionAsyncIterator(
            self,
            query,
            limit=limit,
            page_size=page_size,
            next_page_token=next_page_token,
        )

    count_workflows = on_thread(BlockingClient.count_workflows)
