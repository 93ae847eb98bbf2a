"""The stub Graph API in a process of its own, and its remote control."""

import subprocess
import sys
from typing import Any, Self

import httpx2
from pydantic import HttpUrl, SecretStr

from workflows.marketplace.settings import MarketplaceSettings

TOKEN = "stub-token"


class StubProcess:
    """Starts the stub, tells it how to behave, asks what it saw."""

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "workflows.testing.graph_stub", "--port", "0"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        assert self.url.startswith("http://"), "the stub did not start"
        self._client = httpx2.Client(base_url=self.url, timeout=10)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()
        self._process.terminate()
        self._process.wait(timeout=10)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def settings(self, **changes: Any) -> MarketplaceSettings:
        """Return settings of the transport `graph` that lead here."""
        return MarketplaceSettings(
            whatsapp_transport="graph",
            whatsapp_graph_base_url=HttpUrl(self.url),
            whatsapp_phone_number_id="1055501",
            whatsapp_access_token=SecretStr(TOKEN),
            whatsapp_read_timeout_s=1,
            token_secret=SecretStr("a secret of the tests"),
            **changes,
        )

    def reset(self) -> None:
        """Make it as new."""
        self._client.delete("/__stub__/state").raise_for_status()

    def stand_at(self, now_ms: int) -> None:
        """Set its clock."""
        self._control("clock", at=now_ms)

    def script(self, **rule: Any) -> None:
        """Say what the next call gets; see the stub's `Rule`."""
        self._control("rules", **rule)

    def configure(self, **settings: Any) -> None:
        """Set the account's settings; see the stub's `Settings`."""
        self._control("settings", **settings)

    def calls(self, kind: str = "send") -> list[dict[str, Any]]:
        """Return the calls of a kind, with their times in ms."""
        calls: list[dict[str, Any]] = self._client.get("/__stub__/calls").json()
        return [call for call in calls if call["kind"] == kind]

    def messages(self) -> list[dict[str, Any]]:
        """Return the accepted messages."""
        messages: list[dict[str, Any]] = self._client.get("/__stub__/messages").json()
        return messages

    def _control(self, what: str, **body: Any) -> None:
        self._client.post(f"/__stub__/{what}", json=body).raise_for_status()
