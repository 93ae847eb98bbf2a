"""Sending again what may not have arrived: its ids are made before the first time."""

import time
from collections.abc import Callable
from typing import TypeVar

from workflows.exceptions import StoreUnavailableError

T = TypeVar("T")
PAUSES_S = (0.05, 0.5)  # before the second and the third try


def send(call: Callable[[], T]) -> T:
    """Return what the call returns; at most three tries.

    Raises:
        StoreUnavailableError: of the last try. Whether it was done is unknown.
    """
    for pause in PAUSES_S:
        try:
            return call()
        except StoreUnavailableError:
            time.sleep(pause)
    return call()
