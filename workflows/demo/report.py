"""What a day looked like, for a reader: a few orders, counts, money, rules."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime

from workflows.demo.books import Books, Row
from workflows.demo.diary import Diary
from workflows.demo.rules import RULES, Finding, told
from workflows.engine.states import JobState
from workflows.marketplace.ledger import Account, Side
from workflows.marketplace.rules.business_time import KATHMANDU
from workflows.marketplace.rules.money import rupees

SHOWN = (JobState.COMPLETED, JobState.FAILED, JobState.WAITING, JobState.DELAYED)
STORIES = {  # what is worth telling: the events that make it, and how it is called
    "told late, reinstated": ("reinstated",),
    "taken back, and found another supplier": ("withdrawn", "confirmed"),
    "nobody answered, the next one did": ("timed_out", "delivered"),
    "no supplier, the money goes back": ("expired", "paid"),
    "as it should be": ("completed", "awarded"),
}
LISTED = 4


def report(books: Books, diary: Diary, findings: Sequence[Finding]) -> Iterator[str]:
    """Give the lines."""
    yield from _stories(books)
    yield ""
    yield _counted("orders", (row["status"] for row in books.rows["orders"]))
    yield _counted("bids", (row["status"] for row in books.rows["bids"]))
    yield _counted("offers", (row["status"] for row in books.rows["confirmations"]))
    yield _counted("messages", (row["status"] for row in books.rows["messages"]))
    nothing = ", ".join(f"{why} {n}" for why, n in sorted(diary.nothing.items()))
    yield f"{'came to nothing':<16}{nothing or 'nothing'}"
    yield f"{'rescued':<16}{books.rescued} times a sweep acted in the place of a timer"
    yield ""
    yield from _queues(books)
    yield ""
    yield from _dead_letters(books)
    yield from _ledger(books)
    yield ""
    if findings:
        yield from told(list(findings))
    yield f"{len(RULES) - len({f.rule for f in findings})} of {len(RULES)} rules hold"


def _counted(what: str, values: Iterator[str]) -> str:
    counts = Counter(str(value) for value in values)
    return f"{what:<16}" + ", ".join(f"{v} {n}" for v, n in counts.most_common())


def _stories(books: Books) -> Iterator[str]:
    events = books.by("order_events", "order_id")
    for title, types in STORIES.items():
        for order_id, told_of in sorted(events.items()):
            if {event["type"] for event in told_of}.issuperset(types):
                yield from _story(title, books.orders[order_id], told_of)
                break


def _story(title: str, order: Row, events: Sequence[Row]) -> Iterator[str]:
    yield f"{order['id']}: {title} ({rupees(order['total_paisa'])})"
    for event in events:
        facts = " ".join(_fact(*pair) for pair in event["data"].items())
        yield f"  {_wall(event['at'])}  {event['type']:<12} {facts}".rstrip()


def _fact(name: str, value: object) -> str:
    if name.endswith("Paisa") and isinstance(value, int):
        return rupees(value)
    return f"{name}={value}" if name in {"attempt", "from", "reason"} else str(value)


def _wall(at: datetime) -> str:
    return f"{at.astimezone(KATHMANDU):%H:%M:%S}"


def _queues(books: Books) -> Iterator[str]:
    yield f"{'queue':<32}" + "".join(f"{state:>11}" for state in SHOWN)
    for name, counts in sorted(books.counts.items()):
        if any(counts.values()):
            cells = "".join(f"{counts.get(str(state), 0):>11}" for state in SHOWN)
            yield f"{name:<32}{cells}"


def _dead_letters(books: Books) -> Iterator[str]:
    reasons = Counter((dead.queue, dead.reason, dead.said) for dead in books.dead)
    yield f"dead letters: {len(books.dead)}"
    for (queue, reason, said), count in reasons.most_common(LISTED):
        yield f"  {count:>3}  {queue}, {reason}: {said}"
    if len(reasons) > LISTED:
        yield f"       and {len(reasons) - LISTED} more reasons"


def _ledger(books: Books) -> Iterator[str]:
    entries = books.rows["ledger_entries"]
    sides: Counter[str] = Counter()
    accounts: Counter[str] = Counter()
    for entry in entries:
        sides[entry["side"]] += entry["amount_paisa"]
        sign = 1 if entry["side"] == Side.DEBIT else -1
        accounts[entry["account"]] += sign * entry["amount_paisa"]
    yield (
        f"ledger: {len(books.postings)} postings, debits {rupees(sides[Side.DEBIT])}, "
        f"credits {rupees(sides[Side.CREDIT])}"
    )
    for account in (Account.RECEIVABLES, Account.ADVANCES, Account.PAYABLES):
        yield f"  {account.name.lower():<12} {rupees(abs(accounts[account]))}"
