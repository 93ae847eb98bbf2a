"""Local activities: what goes wrong around one fails its workflow task."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from workflows.engine.commands import ScheduleLocalActivity
from workflows.runtime.local_activities import LocalRunner


def test_a_fault_around_a_local_activity_is_raised_to_who_waits_for_it() -> None:
    replay: Any = SimpleNamespace(started={}, workflow_id="w", run_id="r")
    nobody = cast("Any", SimpleNamespace())  # a host that has nothing
    runner = LocalRunner(nobody, replay, namespace="default")
    runner.start(
        ScheduleLocalActivity(
            seq=1, activity_id="1", activity_type="sum", arguments=()
        ),
        at=0,
    )
    with pytest.raises(RuntimeError, match="a local activity could not be run"):
        runner.wait()
