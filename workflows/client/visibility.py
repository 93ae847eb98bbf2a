"""List filters: the part of Temporal's query language that the store can answer."""

import re
from dataclasses import dataclass
from typing import NoReturn

from workflows.exceptions import InvalidArgumentError
from workflows.store import RunStatus

_TERM = re.compile(r"\s*`?(\w+)`?\s*=\s*(?:'([^']*)'|\"([^\"]*)\")\s*", re.ASCII)
_GROUP = re.compile(r"\s*GROUP\s+BY\s+ExecutionStatus\s*$", re.IGNORECASE)
_AND = re.compile(r"AND\b", re.IGNORECASE)
_NAMES = {"workflowtype": "type", "workflowid": "workflow_id"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """What a listed run must be; None: anything."""

    status: RunStatus | None = None
    type: str | None = None
    workflow_id: str | None = None
    by_status: bool = False

    @property
    def status_only(self) -> bool:
        """Whether counters can answer it."""
        return self.type is None and self.workflow_id is None


def parse_filter(query: str | None) -> RunFilter:
    """Read `WorkflowType = 'X' AND ExecutionStatus = "Running" AND WorkflowId = 'y'`.

    Each part may be missing; for counts it may end with `GROUP BY ExecutionStatus`.

    Raises:
        InvalidArgumentError: it is something else; the text says what is understood.
    """
    text = query or ""
    group = _GROUP.search(text)
    rest = text[: group.start()] if group else text
    found: dict[str, str] = {}
    while rest.strip():
        term = _TERM.match(rest)
        if term is None:
            _refuse(text)
        name, value = term[1].lower(), term[2] if term[2] is not None else term[3]
        if name in found or name not in {*_NAMES, "executionstatus"}:
            _refuse(text)
        found[name] = value
        rest = rest[term.end() :]
        if rest:
            joined = _AND.match(rest)
            if joined is None or not rest[joined.end() :].strip():
                _refuse(text)
            rest = rest[joined.end() :]
    status = found.pop("executionstatus", None)
    return RunFilter(
        status=None if status is None else read_status(status),
        type=found.get("workflowtype"),
        workflow_id=found.get("workflowid"),
        by_status=group is not None,
    )


def read_status(text: str) -> RunStatus:
    """Read `Running`, `ContinuedAsNew`, `TIMED_OUT`, `timed_out`.

    Raises:
        InvalidArgumentError: it is no status; the text lists them.
    """
    wanted = text.replace("_", "").lower()
    for status in RunStatus:
        if status.value.replace("_", "") == wanted:
            return status
    names = ", ".join(status.value for status in RunStatus)
    msg = f"{text[:40]!r} is no status; use one of {names}"
    raise InvalidArgumentError(msg)


def status_name(status: RunStatus) -> str:
    """Return a status as Temporal's queries write it."""
    return "".join(part.title() for part in status.value.split("_"))


def _refuse(text: str) -> NoReturn:
    msg = (
        f"the query {text[:80]!r} is not understood: write WorkflowType, WorkflowId or "
        "ExecutionStatus, =, a quoted value, and AND between them"
    )
    raise InvalidArgumentError(msg)
