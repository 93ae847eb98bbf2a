"""History, outbox, tasks for people, runs of schedules, sequences."""

import json
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, delete, select, update

from workflows.marketplace import tables
from workflows.marketplace.backoffice import (
    Counted,
    OpsTask,
    OrderEvent,
    OutboxJob,
    ReconciledAccount,
    ReconciliationItem,
    ReconciliationRun,
    Report,
    ReportType,
    ScheduleRun,
)
from workflows.marketplace.sql.rows import Rows, insert


class OrderEvents(Rows[OrderEvent]):
    """What happened to orders, in order."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection, tables.order_events, OrderEvent)

    def of_order(self, order_id: str) -> list[OrderEvent]:
        """Return an order's history, oldest first."""
        table = tables.order_events
        return self.where(table.c.order_id == order_id, order_by=(table.c.id,))


class Outbox(Rows[OutboxJob]):
    """Jobs that transactions asked for."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection, tables.job_outbox, OutboxJob)

    def waiting(self, limit: int) -> list[OutboxJob]:
        """Return the jobs that are not in their queues yet, the soonest first."""
        table = tables.job_outbox
        return self.where(
            table.c.relayed_at.is_(None),
            order_by=(table.c.run_at, table.c.job_id),
            limit=limit,
        )

    def relayed(self, job_ids: list[str], at: datetime) -> None:
        """Mark jobs as in their queues."""
        table = tables.job_outbox
        mine = table.c.job_id.in_(job_ids)
        self._connection.execute(update(table).where(mine).values(relayed_at=at))

    def forget(self, relayed_before: datetime) -> int:
        """Delete jobs relayed before then; return how many."""
        table = tables.job_outbox
        old = delete(table).where(table.c.relayed_at < relayed_before)
        return self._connection.execute(old).rowcount


class OpsTasks(Rows[OpsTask]):
    """What people must do."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection, tables.ops_tasks, OpsTask, ("status",))


class ScheduleRuns(Rows[ScheduleRun]):
    """Periods of schedules that were claimed."""

    def __init__(self, connection: Connection) -> None:
        fence = ("status", "claimed_by")
        super().__init__(connection, tables.schedule_runs, ScheduleRun, fence)


class Reports(Rows[Report]):
    """Daily reports with their revisions."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection, tables.reports, Report)

    def newest(self, report_type: ReportType, day: object) -> Report | None:
        """Return the newest revision of a day's report."""
        table = tables.reports
        found = self.where(
            table.c.report_type == report_type,
            table.c.business_date == day,
            order_by=(table.c.revision.desc(),),
            limit=1,
        )
        return found[0] if found else None


class ReconciliationRuns(Rows[ReconciliationRun]):
    """Nights."""

    def __init__(self, connection: Connection) -> None:
        table = tables.reconciliation_runs
        super().__init__(connection, table, ReconciliationRun, ("status",))


class ReconciledAccounts(Rows[ReconciledAccount]):
    """Accounts that a night is done with."""

    def __init__(self, connection: Connection) -> None:
        table = tables.reconciled_accounts
        super().__init__(connection, table, ReconciledAccount)


class ReconciliationItems(Rows[ReconciliationItem]):
    """Differences that were found."""

    def __init__(self, connection: Connection) -> None:
        table = tables.reconciliation_items
        super().__init__(connection, table, ReconciliationItem, ("status",))

    def of_day(self, day: object) -> list[ReconciliationItem]:
        """Return what one night found."""
        table = tables.reconciliation_items
        by_check = (table.c.check_code, table.c.subject)
        return self.where(table.c.business_date == day, order_by=by_check)


class Counters:
    """What is counted, each number in the transaction of what it counts."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, name: str, labels: Mapping[str, str], by: int) -> None:
        """Count up."""
        table = tables.counters
        key = {"name": name, "labels": json.dumps(labels, sort_keys=True)}
        statement = insert(self._connection, table).values(**key, value=by)
        upsert = statement.on_conflict_do_update(
            index_elements=list(key), set_={"value": table.c.value + by}
        )
        self._connection.execute(upsert)

    def all(self) -> list[Counted]:
        """Return all numbers, by name and labels."""
        table = tables.counters
        query = select(table).order_by(table.c.name, table.c.labels)
        rows = self._connection.execute(query).mappings()
        return [
            Counted(
                name=row["name"], labels=json.loads(row["labels"]), value=row["value"]
            )
            for row in rows
        ]


class Sequences:
    """Counters without gaps: a number is taken in the transaction that uses it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def take(self, name: str) -> int:
        """Return the next number of a counter; the first is 1."""
        table = tables.sequences
        statement = insert(self._connection, table).values(name=name, last=1)
        upsert = statement.on_conflict_do_update(
            index_elements=["name"], set_={"last": table.c.last + 1}
        ).returning(table.c.last)
        return int(self._connection.execute(upsert).scalar_one())
