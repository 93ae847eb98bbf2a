"""A PostgreSQL server of the tests' own, on a socket in a folder of its own."""

import os
import shutil
import subprocess
import tempfile
import time
from itertools import count
from pathlib import Path
from typing import Self

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL

USER = "nobody" if os.geteuid() == 0 else None  # the server refuses to be root
START_SECONDS = 60


def available() -> bool:
    """Whether the server's programs are here."""
    return all(shutil.which(program) for program in ("initdb", "postgres"))


class PostgresServer:
    """Runs from `with` to its end; each test may have a database of its own."""

    def __enter__(self) -> Self:
        if not available():
            pytest.skip("no PostgreSQL here")
        self._folder = tempfile.TemporaryDirectory()
        folder = self._folder.name
        Path(folder).chmod(0o777)
        make = ["initdb", "-D", f"{folder}/data", "-A", "trust", "-U", "shop"]
        subprocess.run(make, check=True, capture_output=True, user=USER)
        run = ["postgres", "-D", f"{folder}/data", "-k", folder]
        run += ["-c", "listen_addresses=", "-c", "max_connections=300"]
        log = Path(f"{folder}/log")
        with log.open("wb") as out:
            self._server = subprocess.Popen(run, stdout=out, stderr=out, user=USER)
        until = time.monotonic() + START_SECONDS
        while "ready to accept" not in log.read_text():
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.05)
        self._numbers = count(1)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.terminate()
        self._server.wait(timeout=30)
        self._folder.cleanup()

    def url(self, database: str = "postgres") -> URL:
        """Return the URL of a database."""
        return URL.create(
            "postgresql+psycopg",
            username="shop",
            database=database,
            query={"host": self._folder.name},
        )

    def new_database(self) -> str:
        """Make an empty database; return its URL."""
        name = f"test{next(self._numbers)}"
        engine = create_engine(self.url(), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        return self.url(name).render_as_string(hide_password=False)
