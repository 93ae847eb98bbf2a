"""Does replayed code ask for what the history records? Pure comparison.

Compared is what Temporal compares: the kind of command, an activity's id and type, a
child's id and type, a patch's id, a local activity's number and type; the rest may
change from one version of the code to the next. A command may come in an earlier task
than it did: it then waits for its event. Only the end of the run may not.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from workflows.engine import commands as c
from workflows.engine.events import CLOSE_COMMANDS
from workflows.engine.events import EventType as E
from workflows.engine.history import Event
from workflows.engine.markers import is_change_version, local_outcome, patch_of
from workflows.engine.outgoing import LocalEnd, Outgoing
from workflows.engine.workflow_tasks import Numbered


@dataclass(frozen=True, slots=True)
class Matched:
    """Each command with the id of its event, and the commands that have none yet."""

    pairs: list[tuple[Outgoing, int]]
    left: list[Outgoing]


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Where the two part; `event` None: the code ends where the history goes on."""

    reason: str
    event: Numbered | None
    command: Outgoing | None


def match(
    asked: Sequence[Outgoing], recorded: Sequence[Numbered]
) -> Matched | Mismatch:
    """Pair commands with the events that recorded them, or say where they part.

    Commands and events that may lack their other half are left out: deprecated patches,
    patches that the history does not know, and the search attribute beside them.
    Markers of local activities are found by number: their order is the workers'.
    """
    local = {
        out.command.outcome.seq: out
        for out in asked
        if isinstance(out.command, LocalEnd)
    }
    rest = [out for out in asked if not isinstance(out.command, LocalEnd)]
    matched: list[tuple[Outgoing, int]] = []
    place, skip = 0, False
    for event_id, event in recorded:
        if skip and is_change_version(event):
            continue
        skip = False
        if (found := local_outcome(event)) is not None:
            out = local.pop(found[0].seq, None)
            if out is None:
                return Mismatch(NO_COMMAND, (event_id, event), None)
        else:
            place, skip = _skip(rest, place, event)
            if skip:
                continue
            out = rest[place] if place < len(rest) else None
            place += 1
        reason = NO_COMMAND if out is None else difference(out, event)
        if out is None or reason:
            return Mismatch(reason, (event_id, event), out)
        matched.append((out, event_id))
    left = [*(out for out in rest[place:] if not _may_lack(out)), *local.values()]
    early = next((out for out in left if out.type in CLOSE_COMMANDS), None)
    return Matched(matched, left) if early is None else Mismatch(NO_EVENT, None, early)


NO_COMMAND = "the code asks for nothing here"
NO_EVENT = "the code ends the run here and the history goes on"


def _skip(rest: Sequence[Outgoing], place: int, event: Event) -> tuple[int, bool]:
    """Return the command that stands against an event, and whether to skip the event.

    Commands that may lack their event are passed over until one fits.
    """
    patch = patch_of(event)
    while place < len(rest):
        out = rest[place]
        if isinstance(out.command, c.SetPatchMarker):
            if patch is None:
                place += 1
                continue
            return place, patch[1] and patch[0] != out.command.patch_id
        if out.derived and not is_change_version(event):
            place += 1
            continue
        break
    return place, patch is not None and patch[1]


def _may_lack(out: Outgoing) -> bool:
    return out.derived or isinstance(out.command, c.SetPatchMarker)


def difference(out: Outgoing, event: Event) -> str:
    """Say how a command differs from the event in its place; "": it does not."""
    if out.type is not event.type:
        return "another kind of command"
    command, said = out.command, event.attributes
    match command:
        case c.ScheduleActivity():
            pairs = [
                ("activity id", said.get("activityId"), command.activity_id),
                ("activity type", _name(said, "activityType"), command.activity_type),
            ]
        case c.StartChild():
            pairs = [
                ("workflow id", said.get("workflowId"), command.workflow_id),
                ("workflow type", _name(said, "workflowType"), command.workflow_type),
            ]
        case c.SetPatchMarker():
            patch = patch_of(event)
            pairs = [("patch id", patch[0] if patch else None, command.patch_id)]
        case LocalEnd():
            found = local_outcome(event)
            known = found[1] if found else None
            pairs = [("activity type", known, command.command.activity_type)]
        case c.CancelActivity() | c.CancelTimer():
            key = "scheduledEventId" if out.type in ACTIVITY else "startedEventId"
            target = out.target.event_id if out.target else 0
            pairs = [("event to cancel", said.get(key), str(target))]
        case _:
            pairs = []
    for name, old, new in pairs:
        if old != new:
            return f"another {name}: {old!r} is recorded, the code says {new!r}"
    return ""


ACTIVITY = (E.ACTIVITY_TASK_CANCEL_REQUESTED,)


def _name(said: dict[str, object], key: str) -> object:
    holder = said.get(key)
    return holder.get("name") if isinstance(holder, dict) else None
