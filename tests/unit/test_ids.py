"""Ids are fresh: over blocks, threads and forks."""

import multiprocessing
import re
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.queues import SimpleQueue

from workflows.runtime.ids import BLOCK, new_id


def _draw(out: "SimpleQueue[list[str]]") -> None:
    out.put([new_id() for _ in range(BLOCK)])


def test_an_id_is_32_hexadecimal_digits() -> None:
    assert re.fullmatch(r"[0-9a-f]{32}", new_id())


def test_threads_never_get_the_same_id() -> None:
    count = 20 * BLOCK
    with ThreadPoolExecutor(8) as threads:
        ids = [*threads.map(lambda _: new_id(), range(count))]
    assert len({*ids}) == count


def test_a_forked_child_never_gets_an_id_of_its_parent() -> None:
    new_id()  # so that there is a block to share
    fork = multiprocessing.get_context("fork")
    out: SimpleQueue[list[str]] = fork.SimpleQueue()
    child = fork.Process(target=_draw, args=(out,))
    child.start()
    theirs = out.get()
    child.join()
    ours = [new_id() for _ in range(2 * BLOCK)]
    assert not {*theirs} & {*ours}
