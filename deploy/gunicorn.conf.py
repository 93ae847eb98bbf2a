"""gunicorn for the API: `gunicorn -c deploy/gunicorn.conf.py api.wsgi:application`.

What one changes is in the settings (docs/settings.md); this file holds what the API
relies on. `--bind` and friends on the command line win.
"""

import logging
import subprocess
import sys
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from workflows.exceptions import SettingsError
from workflows.settings import EXIT_CONFIG, load_settings
from workflows.telemetry import configure_logging

try:
    _settings = load_settings()
except SettingsError as _error:
    print(f"Wrong settings:\n{_error}", file=sys.stderr)  # noqa: T201 - no log yet
    sys.exit(EXIT_CONFIG)

bind = _settings.api_bind
workers = _settings.api_workers
threads = _settings.api_threads
worker_class = "api.http_worker.HttpWorker"

timeout = 60
graceful_timeout = 25
keepalive = 5
backlog = 512
max_requests = 20_000
max_requests_jitter = 2000
preload_app = False  # HUP must load new code; stores open after the fork
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108
umask = 0o077
control_socket_disable = True

limit_request_line = 4094
limit_request_fields = 64
limit_request_field_size = 8190
forwarded_allow_ips = "127.0.0.1,::1"
forwarder_headers = ""
header_map = "drop"
http_parser = "python"

accesslog = None  # the API logs each request itself, once


def on_starting(server: Any) -> None:
    """Log as the product does, and refuse to serve strangers without a key."""
    configure_logging(_settings.log_level, _settings.log_format)
    for name in ("gunicorn.error", "gunicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    exposed = [str(where) for where in server.cfg.address if not _is_local(where)]
    if exposed and "open-api" not in _settings.allow:
        server.log.error(
            "The API has no authentication; it serves loopback and unix sockets only, "
            "not %s. Put a proxy that authenticates before it, or accept the risk "
            "with WORKFLOWS_ALLOW=open-api.",
            ", ".join(exposed),
        )
        sys.exit(EXIT_CONFIG)
    _try_jobs()


def _try_jobs() -> None:
    """End here if a setting of the jobs is wrong: no worker could start.

    In another process, so that HUP loads new code into the workers.
    """
    loaded = subprocess.run(
        [sys.executable, "-c", "import workflows.main"], check=False
    )
    if loaded.returncode == EXIT_CONFIG:
        sys.exit(EXIT_CONFIG)


def post_fork(_server: Any, worker: Any) -> None:
    """Tell the worker how patient to be."""
    worker.head_seconds = _settings.api_read_timeout


def _is_local(address: Any) -> bool:
    """Return whether only this machine can reach an address."""
    if not isinstance(address, tuple):
        return True  # a unix socket, or one that systemd passed
    try:
        return address[0] == "localhost" or ip_address(address[0]).is_loopback
    except ValueError:
        return False
