"""Durable workflows and job queues: Temporal's and BullMQ's model on Huey.

`workflows` is a general name: other distributions ship a package of that name.
The guard below refuses to run as a mixture of two of them.
"""

from pathlib import Path

__version__ = "0.1.0"

if not (Path(__file__).parent / "store" / "protocol.py").is_file():  # pragma: no cover
    msg = (
        f"{__file__} is not the 'workflows' package of huey-workflows; another "
        "distribution overwrote it. Uninstall that one, then reinstall this one."
    )
    raise ImportError(msg)
