"""`workflows demo`: a made-up day, and one whose consumer is killed."""

import argparse
import secrets
import signal
import sys
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from workflows.settings import load_settings, read_settings
from workflows.telemetry import configure_logging

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001

ORDERS, MINUTES, SPEED = 40, 40, 60  # of the day that `workflows run --demo` plays
MAX_ORDERS, MAX_KILLS = 10_000, 1000


def add_demo_commands(commands: "Commands") -> None:
    """Add `demo day` and `demo crash`."""
    demo = commands.add_parser("demo", help="play a made-up day of the marketplace")
    kinds = demo.add_subparsers(required=True, metavar="KIND")
    day = kinds.add_parser("day", help="on the consumer of `workflows run --demo`")
    day.add_argument("--orders", type=_orders, default=ORDERS, help="(%(default)s)")
    day.add_argument("--seed", type=int, default=977, help="(%(default)s)")
    day.add_argument("--stay", action="store_true", help="until Ctrl-C")
    day.set_defaults(command=_day)
    crash = kinds.add_parser(
        "crash", help="kill the consumer again and again; 1 if anything is lost"
    )
    crash.add_argument("--orders", type=_orders, default=60, help="(%(default)s)")
    crash.add_argument("--kills", type=_kills, default=4, help="(%(default)s)")
    crash.add_argument("--seed", type=int, help="(drawn, and printed)")
    crash.add_argument(
        "--store", type=_store, default="sqlite", help="sqlite, or the URL of a Redis"
    )
    crash.add_argument(
        "--rate", type=_rate, default=4.0, help="orders per second (%(default)s)"
    )
    crash.add_argument(
        "--speed", type=_speed, default=90.0, help="of the clock (%(default)s)"
    )
    crash.set_defaults(command=_crash)


def demo_environment() -> dict[str, str]:
    """Return the settings of a day that begins now, for all its processes.

    What is set in the environment or in `.env` already stays as it is.
    """
    from workflows.demo.opening import next_opening  # noqa: PLC0415 - slow to import
    from workflows.demo.surroundings import (  # noqa: PLC0415
        SHORT_TERMS,
        fast_clock,
    )
    from workflows.marketplace.settings import MarketplaceSettings  # noqa: PLC0415

    settings = read_settings(MarketplaceSettings)
    wanted = {
        **SHORT_TERMS,
        **fast_clock(next_opening(settings.database_url.get_secret_value()), SPEED),
        "WHATSAPP_TRANSPORT": "workflows.demo.channel:FaultyConsole",
        "TOKEN_SECRET": secrets.token_hex(16),
    }
    given = {name.upper() for name in settings.model_fields_set}
    return {name: value for name, value in wanted.items() if name not in given}


def _day(options: argparse.Namespace) -> int:
    # Before the jobs are imported, so that a stop in the first second is clean too.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    settings = load_settings()
    configure_logging(settings.log_level, settings.log_format)
    from workflows.demo.show import show_day  # noqa: PLC0415 - imports the jobs
    from workflows.marketplace.settings import MarketplaceSettings  # noqa: PLC0415

    if read_settings(MarketplaceSettings).marketplace_clock is None:
        print(
            "A day takes a day on the real clock: MARKETPLACE_CLOCK is not set. "
            "`workflows run --demo` sets it and plays a day.",
            file=sys.stderr,
        )
        return 2
    return show_day(
        orders=options.orders, minutes=MINUTES, seed=options.seed, stay=options.stay
    )


def _crash(options: argparse.Namespace) -> int:
    from workflows.demo.crash import Crash, run  # noqa: PLC0415 - slow to import

    signal.signal(signal.SIGTERM, _interrupt)  # so that no child of ours is left
    seed = options.seed
    return run(
        Crash(
            seed=secrets.randbelow(1_000_000) if seed is None else seed,
            orders=options.orders,
            kills=options.kills,
            store=options.store,
            rate=options.rate,
            speed=options.speed,
        )
    )


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _whole(text: str, what: str, least: int, most: int) -> int:
    if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
        msg = f"{what} are a number from {least} to {most}"
        raise argparse.ArgumentTypeError(msg)
    return int(text)


def _orders(text: str) -> int:
    return _whole(text, "orders", 1, MAX_ORDERS)


def _kills(text: str) -> int:
    return _whole(text, "kills", 0, MAX_KILLS)


def _number(text: str, what: str, least: float, most: float) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not least <= number <= most:
        msg = f"a {what} is a number from {least:g} to {most:g}"
        raise argparse.ArgumentTypeError(msg)
    return number


def _rate(text: str) -> float:
    return _number(text, "rate", 0.01, 100)


def _speed(text: str) -> float:
    return _number(text, "speed", 1, 1000)


def _store(text: str) -> str:
    if text != "sqlite" and urlsplit(text).scheme not in {"redis", "rediss", "unix"}:
        msg = f"{text!r} is neither sqlite nor the URL of a Redis (redis://host:6379/0)"
        raise argparse.ArgumentTypeError(msg)
    return text
