"""What a marketplace is in the end, whenever it got there and whatever ids it drew.

Times are left out, and so is what only tells of the effort: a crash may cost both. Ids
are replaced by what they stand for, so that two runs can be compared.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

from sqlalchemy import select

from workflows.engine.states import JobState
from workflows.jobs.bidding_timeout.orders import SWEPT
from workflows.marketplace.message import Message
from workflows.marketplace.ports import Storage
from workflows.marketplace.tables import metadata, order_events
from workflows.marketplace.tables.types import UtcDateTime
from workflows.store import Store

ID = re.compile(r"i\d{5}i")
DRAWN = re.compile(  # times, and buttons' tokens, which are made from ids
    r"\b\d{1,2}:\d\d(:\d\d)?\b|(?<=:)[0-9a-f]{6}(?=[\"'])"
    r"|(?<=ord_1001[\"'], [\"'])\d(?=[\"'])"  # minutes left to answer
    r'|(?<="lateSeconds": )\d+|(?<="medianSecondsToAward": )\d+'
)
NAME = re.compile(r"_[0-9a-f]{8}\b")
ROUNDS = 4  # of naming: an offer is known by its order, its message by the offer, …
EFFORT = {
    "messages": {"attempts", "deferrals", "version", "job_id", "pacing", "wamid"},
    "order_events": {"id"},
    "bids": {"version"},
    "reports": {"content_sha256"},
    "recipients": {"pair_tat"},
}
COUNTED = {"counters"}  # tables of how long things took, and how often they were tried
RESCUE = re.compile(r":sweep\d*$")  # outbox rows that only a sweep asks for
WORD = re.compile(r"^order-lifecycle:(.*):i\d{5}i$")


def final_state(storage: Storage, store: Store) -> dict[str, object]:
    """Return all rows by table, each order's history, and the dead letters."""
    rows = [*_rows(storage)]
    names = _names(text for _, text in rows)
    tables = Counter(f"{table}: {_named(text, names)}" for table, text in rows)
    found = store.list_queues()
    states = (JobState.WAITING, JobState.ACTIVE)  # timers may be left
    return {
        "rows": tables,
        "history": _history(storage),
        "dead": {q.name: n for q in found if (n := q.counts[JobState.FAILED])},
        "left": {
            q.name: n for q in found if (n := sum(q.counts[state] for state in states))
        },
    }


def sent_messages(sent: Iterable[Message]) -> Counter[str]:
    """Return what each person was told, and how often."""
    return Counter(
        f"{m.to_phone} {m.purpose} {DRAWN.sub('*', ID.sub('#', str(m.content)))}"
        for m in sent
    )


def difference(one: dict[str, object], other: dict[str, object]) -> str:
    """Say in which rows two states differ; in their ids only if in nothing else."""
    return _difference(one, other, NAME) or _difference(one, other, None)


def _difference(
    one: dict[str, object], other: dict[str, object], hidden: re.Pattern[str] | None
) -> str:
    lines = []
    for key, part in one.items():
        mine, theirs = _plain(part, hidden), _plain(other[key], hidden)
        if isinstance(mine, Counter) and isinstance(theirs, Counter):
            lines += [f"- {n} x {row}" for row, n in (mine - theirs).items()]
            lines += [f"+ {n} x {row}" for row, n in (theirs - mine).items()]
        elif mine != theirs:
            lines += [f"- {key}: {mine}", f"+ {key}: {theirs}"]
    return "\n".join(lines)


def _plain(part: object, hidden: re.Pattern[str] | None) -> object:
    if hidden is None or not isinstance(part, Counter):
        return part
    plain = Counter[str]()
    for row, number in part.items():
        plain[hidden.sub("_#", row)] += number
    return plain


def _rows(storage: Storage) -> Iterable[tuple[str, str]]:
    with storage.begin() as work:
        for table in metadata.sorted_tables:
            if table.name in COUNTED:
                continue
            left_out = EFFORT.get(table.name, set()) | {
                column.name
                for column in table.columns
                if isinstance(column.type, UtcDateTime)
            }
            for row in work._connection.execute(select(table)).mappings():
                kept = {k: v for k, v in row.items() if k not in left_out}
                if not _is_rescue(table.name, kept):
                    text = json.dumps(kept, sort_keys=True, default=str)
                    yield table.name, DRAWN.sub("*", text)


def _is_rescue(table: str, row: dict[str, Any]) -> bool:
    """Whether a row tells only of a sweep, or is a word for a workflow."""
    if table == "order_events":
        return bool(row["type"] == SWEPT)
    asked = table == "job_outbox"
    return asked and bool(RESCUE.search(row["job_id"]) or WORD.match(row["job_id"]))


def _names(texts: Iterable[str]) -> dict[str, str]:
    """Name each id by the rows that it stands in, those by the ids in them, and so on.

    Two ids get one name only if nothing tells them apart.
    """
    known = [*texts]
    names = {found: "?" for text in known for found in ID.findall(text)}
    for _ in range(ROUNDS):
        seen: dict[str, list[str]] = {found: [] for found in names}
        for text in known:
            for found in set(ID.findall(text)):
                marked = text.replace(found, "SELF")
                seen[found].append(_named(marked, names))
        names = {found: _digest(rows) for found, rows in seen.items()}
    return names


def _named(text: str, names: dict[str, str]) -> str:
    return ID.sub(lambda match: names[match[0]], text)


def _digest(rows: list[str]) -> str:
    return hashlib.sha256("\n".join(sorted(rows)).encode()).hexdigest()[:8]


def _history(storage: Storage) -> dict[str, list[str]]:
    with storage.begin() as work:
        told: dict[str, list[str]] = {}
        for event in work.events.where(order_by=(order_events.c.id,)):
            if event.type != SWEPT:
                told.setdefault(event.order_id, []).append(event.type)
        return told
