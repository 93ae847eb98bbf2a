"""The checker: rebuild every index from the job records, and compare.

It reads in many steps, so on a busy store a difference may be a change under way: only
what is seen twice is reported.
"""

from collections import defaultdict
from collections.abc import Iterator

from workflows.store import MAX_LOG
from workflows.stores.redis import run_fsck
from workflows.stores.redis.connection import Connections, Reply
from workflows.stores.redis.records import as_fields
from workflows.stores.redis.scripts import Scripts, glob

_AT_ONCE = 500
_ENDED = (b"completed", b"failed", b"cancelled", b"expired")
_SORTED_SETS = (
    *(b"waiting", b"suspect", b"delayed", b"active", b"due", b"expiring", b"held"),
    *_ENDED,
    *run_fsck.SORTED_SETS,
)
_FIELDS = (
    *(b"state", b"queue", b"type", b"place", b"ready", b"priority", b"stalls"),
    *(b"expires", b"dedup", b"token", b"finished", b"logged"),
    *run_fsck.JOB_FIELDS,
)

Job = dict[bytes, bytes]
Index = dict[bytes, dict[bytes, float | None]]  # key to members; None: any score


class Fsck:
    """`fsck`."""

    _scripts: Scripts
    _connections: Connections

    def fsck(self) -> list[str]:
        """See `workflows.store.Store.fsck`."""
        faults = set(self._faults())
        return sorted(faults & set(self._faults())) if faults else []

    def _faults(self) -> Iterator[str]:
        snapshot = Snapshot(self._connections, self._scripts.prefix)
        expected: Index = defaultdict(dict)
        for id, job in snapshot.jobs.items():
            yield from _broken(id, job, snapshot.queues)
            for entries in (_entries(id, job), run_fsck.job_entries(id, job)):
                for key, member, score in entries:
                    expected[key][member] = score
        for name in snapshot.lingering:
            token, id = _parse_lease(name)
            expected[b"held:" + token][id] = None
        for key, member, score in run_fsck.run_entries(snapshot.runs, snapshot.timers):
            expected[key][member] = score
        yield from _compare(expected, snapshot.indexes)
        yield from _stray(snapshot)
        yield from _logs(snapshot)
        yield from run_fsck.broken_runs(snapshot.runs, snapshot.jobs, snapshot.lists)
        yield from run_fsck.current_runs(snapshot.current, snapshot.runs)
        yield from _miscounted(snapshot)


class Snapshot:
    """What one namespace holds, as far as the invariants speak of it."""

    def __init__(self, connections: Connections, prefix: bytes) -> None:
        self._connections = connections
        self._prefix = prefix
        self._keys = self._scan()
        self.queues: set[bytes] = set(
            connections.execute("SMEMBERS", prefix + b"queues")
        )
        self.jobs = {
            name.partition(b":")[2]: job
            for name, values in self._read(b"job", "HMGET", *_FIELDS)
            if (job := _present(_FIELDS, values))
        }
        self.logs: dict[bytes, int] = {
            name.partition(b":")[2]: lines for name, lines in self._read(b"log", "LLEN")
        }
        self._read_runs()
        self.indexes = self._read_indexes()
        lingerers = connections.execute("HGETALL", prefix + b"lingerers")
        self.lingerers = set(as_fields(lingerers))
        self.lingering = {
            member
            for _, members in self._read(b"lingering", "ZRANGE", 0, -1)
            for member in members
        }
        self.owners = {
            owner
            for _, flat in self._read(b"owners", "HGETALL")
            for owner in as_fields(flat).values()
        }

    def _read_runs(self) -> None:
        fields = run_fsck.RUN_FIELDS
        self.runs = {
            name.partition(b":")[2]: run
            for name, values in self._read(b"run", "HMGET", *fields)
            if (run := _present(fields, values))
        }
        self.current = as_fields(
            self._connections.execute("HGETALL", self._prefix + b"current")
        )
        self.timers: dict[bytes, list[bytes]] = {
            name.partition(b":")[2]: keys
            for name, keys in self._read(b"timer", "HKEYS")
        }
        self.lists = {  # of runs: entries by key
            **dict(self._read(b"events", "LLEN")),
            **dict(self._read(b"inbox", "LLEN")),
            **dict(self._read(b"timer", "HLEN")),
        }
        self.exempt = {
            name.partition(b":")[2]: int(number or 0)
            for name, number in self._read(b"queue", "HGET", b"exempt")
        }

    def _scan(self) -> dict[bytes, set[bytes]]:
        """All keys, without the prefix, by their kind: what stands before the colon."""
        keys: dict[bytes, set[bytes]] = defaultdict(set)
        cursor: Reply = 0
        while cursor != b"0":
            cursor, found = self._connections.execute(
                "SCAN", cursor, "MATCH", glob(self._prefix), "COUNT", _AT_ONCE
            )
            for key in found:
                name = key[len(self._prefix) :]
                keys[name.partition(b":")[0]].add(name)
        return keys

    def _read(
        self, kind: bytes, command: str, *args: bytes | int | str
    ) -> Iterator[tuple[bytes, Reply]]:
        """Send a command for every key of a kind; yield each key with its reply."""
        names = sorted(self._keys.get(kind, ()))
        for first in range(0, len(names), _AT_ONCE):
            part = names[first : first + _AT_ONCE]
            sent = [(command, self._prefix + name, *args) for name in part]
            yield from zip(part, self._connections.pipeline(sent), strict=True)

    def _read_indexes(self) -> Index:
        indexes: Index = {}
        for kind in _SORTED_SETS:
            for name, flat in self._read(kind, "ZRANGE", 0, -1, "WITHSCORES"):
                scores = as_fields(flat).items()
                indexes[name] = {member: float(score) for member, score in scores}
        closed = indexes.get(b"closed", {})
        indexes[b"closed"] = {
            member[run_fsck.PLACE :]: score for member, score in closed.items()
        }
        for name, members in self._read(b"queries", "SMEMBERS"):
            indexes[name] = dict.fromkeys(members)
        for name, flat in self._read(b"dedup", "HGETALL"):
            owners = as_fields(flat).items()
            indexes[name] = {b"%b held by %b" % owner: None for owner in owners}
        return indexes


def _present(fields: tuple[bytes, ...], values: Reply) -> Job:
    pairs = zip(fields, values, strict=True)
    return {field: value for field, value in pairs if value is not None}


def _broken(id: bytes, job: Job, queues: set[bytes]) -> Iterator[str]:
    """What is wrong with one record."""
    needed = {b"state", b"queue", b"type", b"place", b"ready"}
    if needed - job.keys():
        yield f"job {_shown(id)} has no {_shown(min(needed - job.keys()))}"
        return
    if (job[b"state"] in _ENDED) != (b"finished" in job):
        yield f"job {_shown(id)} is {_shown(job[b'state'])}, but its end says otherwise"
    if job[b"state"] == b"active" and b"token" not in job:
        yield f"job {_shown(id)} is active without a lease"
    if job[b"queue"] not in queues:
        yield f"job {_shown(id)} is in the unknown queue {_shown(job[b'queue'])}"


def _entries(id: bytes, job: Job) -> Iterator[tuple[bytes, bytes, float | None]]:
    """Where a job has to stand: (key, member, score)."""
    state, queue = job.get(b"state", b""), job.get(b"queue", b"")
    place = job.get(b"place", b"") + id
    typed = b"%d:%b:%b" % (len(queue), queue, job.get(b"type", b""))
    ready = float(job.get(b"ready", b"0"))
    if state == b"waiting":
        kind = b"suspect:" if int(job.get(b"stalls", b"0")) else b"waiting:"
        yield kind + typed, place, float(job.get(b"priority", b"0"))
    elif state == b"delayed":
        yield b"delayed:" + typed, place, ready
        yield b"due", place, ready
    elif state == b"active":
        yield b"active:" + queue, id, None
        if job.get(b"kind") != b"d":
            yield b"held:" + job.get(b"token", b""), id, None
    else:
        yield state + b":" + queue, id, float(job.get(b"finished", b"0"))
    if b"expires" in job and state in {b"waiting", b"delayed"}:
        yield b"expiring", id, float(job[b"expires"])
    if b"dedup" in job and state not in _ENDED:
        yield b"dedup:" + queue, b"%b held by %b" % (job[b"dedup"], id), None


def _compare(expected: Index, actual: Index) -> Iterator[str]:
    for key in expected.keys() | actual.keys():
        wanted, found = expected.get(key, {}), actual.get(key, {})
        for member in wanted.keys() - found.keys():
            yield f"{_shown(key)} lacks {_shown(member)}"
        for member in found.keys() - wanted.keys():
            yield f"{_shown(key)} holds {_shown(member)}, which is not so"
        for member in wanted.keys() & found.keys():
            if wanted[member] is not None and wanted[member] != found[member]:
                yield f"{_shown(key)} has {_shown(member)} at a wrong score"


def _stray(snapshot: Snapshot) -> Iterator[str]:
    """Leases and locks that nothing stands behind."""
    for name in snapshot.lingerers ^ snapshot.lingering:
        yield f"the lingering lease {_shown(name)} is known in one place only"
    held = {
        b"%d:%b:%b" % (len(job[b"token"]), job[b"token"], id)
        for id, job in snapshot.jobs.items()
        if job.get(b"state") == b"active" and b"token" in job
    }
    for name in snapshot.owners - held - snapshot.lingerers:
        yield f"a value belongs to the lost lease {_shown(name)}"


def _logs(snapshot: Snapshot) -> Iterator[str]:
    for id in snapshot.logs.keys() | snapshot.jobs.keys():
        said = int(snapshot.jobs.get(id, {}).get(b"logged", b"0"))
        if snapshot.logs.get(id, 0) != min(said, MAX_LOG):
            yield f"job {_shown(id)} has said {said} lines, but others are kept"


def _miscounted(snapshot: Snapshot) -> Iterator[str]:
    counted = run_fsck.exempt_leases(snapshot.jobs)
    for queue in counted.keys() | snapshot.exempt.keys():
        if counted[queue] != snapshot.exempt.get(queue, 0):
            yield f"queue {_shown(queue)} counts its exempt leases wrongly"


def _parse_lease(name: bytes) -> tuple[bytes, bytes]:
    """Return the token and the job id in the name of a lease."""
    size, _, rest = name.partition(b":")
    return rest[: int(size)], rest[int(size) + 1 :]


def _shown(name: bytes) -> str:
    return name.decode(errors="backslashreplace")
