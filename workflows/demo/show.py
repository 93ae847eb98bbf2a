"""A day for those who watch: played on the consumer that `workflows run` started."""

import signal
import sys
from datetime import timedelta

from workflows.demo import play
from workflows.demo.phones import AcceptedRows
from workflows.demo.report import report
from workflows.demo.rules import check
from workflows.demo.send_rules import Sends
from workflows.marketplace.services import services

STOP = frozenset({signal.SIGTERM, signal.SIGINT})
STARTS_WITHIN_S = 20.0
WITHIN_S = 900.0


def show_day(*, orders: int, minutes: int, seed: int, stay: bool) -> int:
    """Play a day and print what happened; `stay` until a signal of `STOP` comes.

    The caller has blocked these signals: one that came before is not missed. Returns
    1 if a rule is broken, 0 else, also if it was stopped half way.
    """
    script = play.Script(seed=seed, orders=orders, over=timedelta(minutes=minutes))
    play.until_there_is_a_consumer(STARTS_WITHIN_S)
    day = play.open_day(script, AcceptedRows(services().storage))
    stopped: list[object] = []

    def go_on() -> bool:
        stopped.extend(filter(None, [signal.sigtimedwait(STOP, 0)]))
        return not stopped

    try:
        ended = play.play(day, within_s=WITHIN_S, go_on=go_on)
    finally:
        day.agenda.close()
    if stopped:
        return 0
    books = play.books()
    findings = check(books, day.diary, Sends())
    lines = ["", f"The day is over; it is {day.wall}.", ""]
    lines += report(books, day.diary, findings)
    if not ended:
        lines.append(f"it did not come to an end: {play.what_is_left()}")
    sys.stdout.write("".join(f"demo: {line}".rstrip() + "\n" for line in lines))
    sys.stdout.flush()
    if stay:
        signal.sigwait(STOP)
    return 1 if findings or not ended else 0
