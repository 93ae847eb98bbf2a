"""Activities: order, retries, failures, the four timeouts, heartbeats."""

import asyncio
from typing import Any

from tests.parity.temporal import gates
from tests.parity.temporal.program import Case, program, seconds
from tests.parity.temporal.sdk import activity, common, exceptions, workflow

ONCE = {"start_to_close_timeout": seconds(5)}


def retry(attempts: int, **options: Any) -> Any:
    """Return a policy of quick retries."""
    return common.RetryPolicy(
        initial_interval=seconds(0.05), maximum_attempts=attempts, **options
    )


@activity.defn
async def greet(name: str) -> str:
    return f"Hello, {name}"


@activity.defn
async def after(name: str, delay: float) -> str:
    await asyncio.sleep(delay)
    return name


@activity.defn
async def third_time_lucky(name: str) -> str:
    attempt = activity.info().attempt
    if attempt < 3:
        raise ValueError(f"attempt {attempt} is not enough")
    return f"{name} at attempt {attempt}"


@activity.defn
async def always_fails(how: str) -> None:
    if how == "chain":
        try:
            try:
                raise KeyError("innermost")
            except KeyError as error:
                raise ValueError("inner") from error
        except ValueError as error:
            raise RuntimeError("outer") from error
    if how == "context":
        try:
            raise KeyError("in passing")
        except KeyError:
            raise RuntimeError("while handling")  # noqa: B904 - the context is the point
    if how == "final":
        raise exceptions.ApplicationError(
            "no more", {"code": 7}, "second", type="Final", non_retryable=True
        )
    if how == "typed":
        raise exceptions.ApplicationError("typed", type="Fatal")
    raise ValueError(how)


@workflow.defn
class OneActivity:
    @workflow.run
    async def run(self, name: str) -> str:
        return await workflow.execute_activity(greet, name, **ONCE)


@program(OneActivity, activities=[greet])
async def single_activity(case: Case) -> None:
    await case.outcome(await case.start(OneActivity, "World"))


@workflow.defn
class ThreeInOrder:
    @workflow.run
    async def run(self) -> list[str]:
        return [
            await workflow.execute_activity(greet, name, **ONCE)
            for name in ("a", "b", "c")
        ]


@program(ThreeInOrder, activities=[greet])
async def sequential_activities(case: Case) -> None:
    await case.outcome(await case.start(ThreeInOrder))


@workflow.defn
class ThreeAtOnce:
    @workflow.run
    async def run(self) -> list[str]:
        return list(
            await asyncio.gather(
                *(
                    workflow.execute_activity(after, args=[name, delay], **ONCE)
                    for name, delay in (("a", 0.5), ("b", 0.0), ("c", 0.25))
                )
            )
        )


@program(ThreeAtOnce, activities=[after])
async def parallel_activities(case: Case) -> None:
    await case.outcome(await case.start(ThreeAtOnce))


@workflow.defn
class Retried:
    @workflow.run
    async def run(self) -> str:
        return await workflow.execute_activity(
            third_time_lucky, "done", retry_policy=retry(5), **ONCE
        )


@program(Retried, activities=[third_time_lucky])
async def activity_retried_until_it_succeeds(case: Case) -> None:
    await case.outcome(await case.start(Retried))


@workflow.defn
class Fails:
    @workflow.run
    async def run(self, how: str, attempts: int, types: list[str]) -> None:
        await workflow.execute_activity(
            always_fails,
            how,
            retry_policy=retry(attempts, non_retryable_error_types=types or None),
            **ONCE,
        )


@program(Fails, activities=[always_fails])
async def activity_fails_with_cause_chain(case: Case) -> None:
    await case.outcome(await case.start(Fails, "chain", 2, []))


@program(Fails, activities=[always_fails])
async def activity_fails_with_context_as_cause(case: Case) -> None:
    await case.outcome(await case.start(Fails, "context", 1, []))


@program(Fails, activities=[always_fails])
async def activity_non_retryable_error(case: Case) -> None:
    await case.outcome(await case.start(Fails, "final", 5, []))


@program(Fails, activities=[always_fails])
async def activity_non_retryable_type_in_policy(case: Case) -> None:
    await case.outcome(await case.start(Fails, "typed", 5, ["Fatal"]), "typed")
    await case.outcome(
        await case.start(Fails, "plain", 5, ["ValueError"], suffix="plain"), "plain"
    )


@activity.defn
async def says_when() -> bool:
    info = activity.info()
    if info.attempt == 1:
        raise exceptions.ApplicationError("later", next_retry_delay=seconds(0.6))
    return bool(0.6 <= (info.started_time - info.scheduled_time).total_seconds() < 5)


@workflow.defn
class NextDelay:
    @workflow.run
    async def run(self) -> bool:
        return await workflow.execute_activity(says_when, retry_policy=retry(3), **ONCE)


@program(NextDelay, activities=[says_when])
async def activity_next_retry_delay(case: Case) -> None:
    await case.outcome(await case.start(NextDelay))


@activity.defn
async def delay_beyond_deadline() -> None:
    raise exceptions.ApplicationError("much later", next_retry_delay=seconds(60))


@workflow.defn
class DelayBeyondDeadline:
    @workflow.run
    async def run(self) -> None:
        await workflow.execute_activity(
            delay_beyond_deadline,
            schedule_to_close_timeout=seconds(2),
            retry_policy=retry(3),
        )


@program(DelayBeyondDeadline, activities=[delay_beyond_deadline])
async def activity_retry_beyond_its_deadline(case: Case) -> None:
    await case.outcome(await case.start(DelayBeyondDeadline))


@activity.defn
async def hangs(how: str) -> str:
    if how == "beat":
        activity.heartbeat("step", 1)
    if how == "first only" and activity.info().attempt > 1:
        return f"attempt {activity.info().attempt}"
    await gates.passed("end of hanging")
    return "too late"


@workflow.defn
class TimesOut:
    @workflow.run
    async def run(
        self, how: str, limits: dict[str, float], attempts: int, interval: float
    ) -> str:
        policy = common.RetryPolicy(
            initial_interval=seconds(interval), maximum_attempts=attempts
        )
        return await workflow.execute_activity(
            hangs,
            how,
            retry_policy=policy,
            task_queue="nobody serves it" if how == "queue" else None,
            **{name: seconds(value) for name, value in limits.items()},
        )


async def times_out(
    case: Case, how: str, attempts: int = 1, interval: float = 0.05, **limits: float
) -> None:
    try:
        await case.outcome(await case.start(TimesOut, how, limits, attempts, interval))
    finally:
        gates.open_gate("end of hanging")


@program(TimesOut, activities=[hangs])
async def activity_start_to_close_timeout(case: Case) -> None:
    await times_out(case, "plain", start_to_close_timeout=0.5)


@program(TimesOut, activities=[hangs])
async def activity_start_to_close_timeout_retried(case: Case) -> None:
    await times_out(case, "first only", 3, start_to_close_timeout=0.5)


@program(TimesOut, activities=[hangs])
async def activity_schedule_to_close_timeout(case: Case) -> None:
    await times_out(case, "plain", 0, schedule_to_close_timeout=0.6)


@program(TimesOut, activities=[hangs])
async def activity_schedule_to_close_timeout_one_attempt(case: Case) -> None:
    await times_out(
        case, "plain", 1, schedule_to_close_timeout=0.6, start_to_close_timeout=5
    )


@program(TimesOut, activities=[hangs])
async def activity_schedule_to_close_in_second_attempt(case: Case) -> None:
    await times_out(
        case, "plain", 0, schedule_to_close_timeout=1.3, start_to_close_timeout=0.8
    )


@program(TimesOut, activities=[hangs])
async def activity_schedule_to_close_before_second_attempt(case: Case) -> None:
    limits = {"schedule_to_close_timeout": 1.5, "start_to_close_timeout": 0.5}
    await times_out(case, "plain", 0, 60, **limits)


@program(TimesOut, activities=[hangs])
async def activity_schedule_to_start_timeout(case: Case) -> None:
    await times_out(
        case, "queue", 3, schedule_to_start_timeout=0.5, start_to_close_timeout=5
    )


@program(TimesOut, activities=[hangs])
async def activity_heartbeat_timeout(case: Case) -> None:
    await times_out(case, "beat", heartbeat_timeout=0.5, start_to_close_timeout=5)


@activity.defn
async def resumes() -> list[Any]:
    info = activity.info()
    if info.attempt == 1:
        activity.heartbeat("page", 41)
        raise ValueError("lost the connection")
    return [info.attempt, *info.heartbeat_details]


@workflow.defn
class Resumes:
    @workflow.run
    async def run(self) -> list[Any]:
        return list(
            await workflow.execute_activity(
                resumes, heartbeat_timeout=seconds(3), retry_policy=retry(3), **ONCE
            )
        )


@program(Resumes, activities=[resumes])
async def heartbeat_details_reach_the_next_attempt(case: Case) -> None:
    await case.outcome(await case.start(Resumes))
