"""What a worker hosts, and the worker made of it; both hosts use this."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from workflows.activity import ActivityDefinition, Flag
from workflows.converter import DataConverter
from workflows.converter.conversion import WorkflowConversion
from workflows.engine.activation import Initialize
from workflows.engine.definition import Definition
from workflows.engine.instance.instance import Instance
from workflows.engine.instance.options import InstanceOptions
from workflows.engine.limits import Limits
from workflows.engine.workflow_instance import WorkflowInstance
from workflows.exceptions import InvalidArgumentError
from workflows.runtime.activity_run import ActivityHost
from workflows.runtime.codec import SyncConverter
from workflows.runtime.codec_instance import with_codec
from workflows.runtime.heartbeats import Hearts, Throttle
from workflows.runtime.run_cache import RunCache
from workflows.runtime.workflow_tasks import WorkflowHost
from workflows.runtime.workflow_worker import WorkerOptions, WorkflowWorker
from workflows.runtime.yielding import LIMIT_MS, Watch, WatchedInstance
from workflows.store import Store


class Registry:
    """The workflows and activities of a worker, by type name.

    Raises:
        InvalidArgumentError: two of one name, or something that is neither.
    """

    def __init__(
        self,
        workflows: Sequence[type[Any]],
        activities: Sequence[Callable[..., Any]],
        failure_types: Sequence[type[BaseException]] = (),
    ) -> None:
        if not workflows and not activities:
            msg = "At least one workflow or activity is needed"
            raise InvalidArgumentError(msg)
        self.workflows: dict[str, Definition] = {}
        self.dynamic_workflow: Definition | None = None
        self.activities: dict[str, ActivityDefinition] = {}
        self.dynamic_activity: ActivityDefinition | None = None
        self._failure_types = tuple(failure_types)
        for cls in workflows:
            self._add_workflow(Definition.of(cls))
        for fn in activities:
            self._add_activity(ActivityDefinition.of(fn))

    def _add_workflow(self, found: Definition) -> None:
        if found.name is None:
            if self.dynamic_workflow is not None:
                msg = "More than one dynamic workflow"
                raise InvalidArgumentError(msg)
            self.dynamic_workflow = found
        elif found.name in self.workflows:
            msg = f"More than one workflow named {found.name}"
            raise InvalidArgumentError(msg)
        else:
            self.workflows[found.name] = found

    def _add_activity(self, found: ActivityDefinition) -> None:
        if found.name is None:
            if self.dynamic_activity is not None:
                msg = "More than one dynamic activity"
                raise InvalidArgumentError(msg)
            self.dynamic_activity = found
        elif found.name in self.activities:
            msg = f"More than one activity named {found.name}"
            raise InvalidArgumentError(msg)
        else:
            self.activities[found.name] = found

    def make_instance(
        self, converter: SyncConverter, namespace: str, watch: Watch | None = None
    ) -> Callable[[Initialize], WorkflowInstance]:
        """Return what makes live workflows of this registry.

        `watch` interrupts those that do not yield.
        """
        options = InstanceOptions(
            conversion=WorkflowConversion(converter.data_converter),
            namespace=namespace,
            failure_exception_types=self._failure_types,
        )

        def make(start: Initialize) -> WorkflowInstance:
            definition = self.workflows.get(start.workflow_type, self.dynamic_workflow)
            if definition is None:
                known = ", ".join(sorted(self.workflows))
                msg = (
                    f"Workflow class {start.workflow_type} is not registered on this "
                    f"worker, available workflows: {known}"
                )
                raise InvalidArgumentError(msg)
            made = Instance(definition, start, options)
            return made if watch is None else WatchedInstance(made, watch)

        return with_codec(make, converter)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerParts:
    """What a worker is made of. `loop` runs async activities; `client` is theirs."""

    store: Store
    namespace: str
    data_converter: DataConverter
    registry: Registry
    options: WorkerOptions
    identity: str
    cached: int = 1000
    limits: Limits = field(default_factory=Limits)
    throttle: Throttle = field(default_factory=Throttle)
    loop: asyncio.AbstractEventLoop | None = None
    client: Any = None
    yield_ms: int | None = LIMIT_MS  # workflow code must yield that soon; None: never


def make_worker(parts: WorkerParts) -> WorkflowWorker:
    """Put the parts of a worker together; after any fork."""
    converter = SyncConverter(parts.data_converter)
    activities = ActivityHost(
        store=parts.store,
        converter=converter,
        definitions=parts.registry.activities,
        dynamic=parts.registry.dynamic_activity,
        hearts=Hearts(parts.throttle),
        shutdown=Flag(),
        namespace=parts.namespace,
        task_queue=parts.options.task_queue,
        loop=parts.loop,
        client=parts.client,
    )

    watch = Watch(parts.yield_ms)

    def make_host(
        owner: str, host: ActivityHost, inline: Callable[[str, str], bool]
    ) -> WorkflowHost:
        return WorkflowHost(
            store=parts.store,
            converter=converter,
            make_instance=parts.registry.make_instance(
                converter, parts.namespace, watch
            ),
            watch=watch,
            cache=RunCache(parts.cached),
            activities=host,
            owner=owner,
            identity=parts.identity,
            namespace=parts.namespace,
            limits=parts.limits,
            inline=inline,
            lease_ms=parts.options.lease_ms,
        )

    return WorkflowWorker(
        parts.store,
        parts.options,
        activity_host=activities,
        make_host=make_host,
        identity=parts.identity,
        retention_ms=parts.limits.retention_ms,
    )
