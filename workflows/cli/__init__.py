"""The command `workflows`."""

import argparse
import http.client
import os
import socket
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from workflows import __version__
from workflows.cli.demo_commands import add_demo_commands, demo_environment
from workflows.cli.workflow_commands import add_workflow_commands
from workflows.client import (
    RPCError,
    WorkflowFailureError,
    WorkflowQueryFailedError,
)
from workflows.exceptions import (
    SettingsError,
    StoreError,
    WorkflowAlreadyStartedError,
)
from workflows.settings import EXIT_CONFIG, Settings, load_settings
from workflows.supervise import ProcessGroup
from workflows.telemetry import configure_logging, mask, mask_url

if TYPE_CHECKING:
    from workflows.huey import WorkflowHuey

READY_WITHIN_S = 60.0
MAX_PORT = 65_535
MAX_WORKERS = 1000
GUNICORN_CONFIG = Path(__file__).parents[2] / "deploy" / "gunicorn.conf.py"

Command = Callable[[argparse.Namespace], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code.

    0: done; 1: it failed or found a fault; 2: wrong usage; 78: wrong settings.
    """
    options = _parser().parse_args(arguments)
    command: Command = options.command
    try:
        code = command(options)
        sys.stdout.flush()
        return code
    except SettingsError as error:
        print(f"Wrong settings:\n{error}", file=sys.stderr)
        return EXIT_CONFIG
    except WorkflowFailureError as error:
        said = f"{error}: {type(error.cause).__name__}: {error.cause}"
        print(mask(said), file=sys.stderr)
        return 1
    except (
        RPCError,
        WorkflowAlreadyStartedError,
        WorkflowQueryFailedError,
    ) as error:
        print(mask(f"{type(error).__name__}: {error}"), file=sys.stderr)
        return 1
    except StoreError as error:
        print(f"{type(error).__name__}: {mask(str(error))}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # who read the output has seen enough, as in `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="workflows", description="Durable job queues and workflows on Huey."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="start consumer and API for development")
    run.add_argument(
        "--host", default="127.0.0.1", help="address of the API (%(default)s)"
    )
    run.add_argument(
        "--port", type=_port, default=8000, help="port of the API (%(default)s)"
    )
    run.add_argument(
        "--workers", type=_count, default=8, help="jobs that run at once (%(default)s)"
    )
    run.add_argument("--demo", action="store_true", help="play a made-up day too")
    run.set_defaults(command=_run)

    add_demo_commands(commands)

    doctor = commands.add_parser(
        "doctor", help="show settings, job types and store; look for faults"
    )
    doctor.add_argument(
        "--fsck", action="store_true", help="check every invariant of the store"
    )
    doctor.set_defaults(command=_doctor)

    add_workflow_commands(commands)

    version = commands.add_parser("version", help="print the version")
    version.set_defaults(command=_version)
    return parser


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MAX_PORT:
        msg = f"a port is a number from 1 to {MAX_PORT}"
        raise argparse.ArgumentTypeError(msg)
    return int(text)


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MAX_WORKERS:
        msg = f"workers are a number from 1 to {MAX_WORKERS}"
        raise argparse.ArgumentTypeError(msg)
    return int(text)


def _settings() -> Settings:
    """Read the settings, and log as they say."""
    settings = load_settings()
    configure_logging(settings.log_level, settings.log_format)
    return settings


def _load_jobs() -> "WorkflowHuey":
    """Import what WORKFLOWS_IMPORTS names, as the consumer does; 78 if it is wrong."""
    from workflows.main import huey  # noqa: PLC0415 - it reads the settings

    return huey


def _version(_options: argparse.Namespace) -> int:
    print(f"huey-workflows {__version__}")
    return 0


def _doctor(options: argparse.Namespace) -> int:
    """Print what is set and what the store says of itself; 1 if it has faults."""
    settings = _settings()
    for name, value in settings.masked().items():
        print(f"{name} = {value}")
    huey = _load_jobs()
    for job_type in huey.job_types.values():
        print(f"job type {job_type.name}: queue {job_type.queue}")
    for hosted in huey.workflows:
        for kind, name in hosted.names:
            print(f"{kind} {name}: task queue {hosted.task_queue}")
    store = huey.store
    try:
        store.ping()
        for name, fact in store.info().items():
            print(f"store {name}: {mask(str(fact))}")
        if not options.fsck:
            return 0
        faults = store.fsck()
    finally:
        store.close()
    for fault in faults:
        print(f"fault: {fault}")
    print("fsck: " + (f"{len(faults)} faults" if faults else "every invariant holds"))
    return 1 if faults else 0


# -- run -------------------------------------------------------------------------------


def _run(options: argparse.Namespace) -> int:
    """Run consumer, API and, if asked for, a made-up day until Ctrl-C."""
    settings = _settings()
    if not GUNICORN_CONFIG.is_file():
        print(
            f"{GUNICORN_CONFIG} is missing; install a clone: pip install -e <its path>",
            file=sys.stderr,
        )
        return 1
    if not _is_free(options.host, options.port):
        where = f"{options.host}:{options.port}"
        print(
            f"{where} is taken; choose another with --port (make run PORT=8001)",
            file=sys.stderr,
        )
        return 1
    store = _load_jobs().store  # what is wrong is said once, and nothing has started
    store.ping()
    store.close()
    demo = demo_environment() if options.demo else {}
    with ProcessGroup({**os.environ, **demo}) as group:
        group.start("consumer", _consumer(options.workers))
        group.start("API", _api(options.host, options.port))
        if not _until_ready(group, options.host, options.port):
            if not group.stopping and not group.ended():
                print("The API did not get ready.", file=sys.stderr)
            return group.stop()
        _greet(settings, f"http://{options.host}:{options.port}")
        if options.demo:
            day = ("-m", "workflows", "demo", "day", "--stay")
            group.start("demo", (sys.executable, *day))
        return group.watch()


def _consumer(workers: int) -> tuple[str, ...]:
    consumer = (sys.executable, "-m", "huey.bin.huey_consumer", "workflows.main.huey")
    return (*consumer, "-w", str(workers), "-g", "TERM", "-t", "20")


def _api(host: str, port: int) -> tuple[str, ...]:
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    gunicorn = (sys.executable, "-m", "gunicorn", "-c", str(GUNICORN_CONFIG))
    return (*gunicorn, "--bind", address, "api.wsgi:application")


def _is_free(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _until_ready(group: ProcessGroup, host: str, port: int) -> bool:
    """Wait for the API to say that it is ready; False if it never will be."""
    until = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < until and not group.stopping and not group.ended():
        connection = http.client.HTTPConnection(host, port, timeout=2)
        try:
            connection.request("GET", "/health/ready")
            if connection.getresponse().status == http.HTTPStatus.OK:
                return True
        except (OSError, http.client.HTTPException):
            pass  # it is still starting
        finally:
            connection.close()
        time.sleep(0.1)
    return False


def _greet(settings: Settings, url: str) -> None:
    print(
        f"\nHuey Workflows {__version__} runs on {mask_url(settings.store_url)}\n"
        f"  queues     {url}/api/v1/queue/metrics\n"
        f"  dashboard  {url}/api/v1/queue/dashboard\n"
        f"  API        {url}/openapi.json\n"
        "Ctrl-C stops it; what runs is finished first.\n",
        flush=True,
    )
