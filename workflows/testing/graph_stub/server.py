"""The stub's HTTP side: its own small server, because it must be able to misbehave."""

import re
import socket
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec

from workflows.testing.graph_stub.account import (
    Account,
    Reply,
    Rule,
    Settings,
    json_reply,
)

MAX_BODY = 1_000_000
SILENCE_S = 60.0  # how long a call that is never answered is held
MESSAGES = re.compile(r"/v\d+\.0/\d+/messages")
NUMBER = re.compile(r"/v\d+\.0/(\d+)")


class GraphStub(ThreadingHTTPServer):
    """Serves one account on the loopback interface; port 0 takes a free one."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int = 0) -> None:
        self.account = Account()
        super().__init__(("127.0.0.1", port), _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: GraphStub  # type: ignore[mutable-override]

    def do_GET(self) -> None:
        """Answer a probe or an inspection."""
        account = self.server.account
        path, _, query = self.path.partition("?")
        if path == "/__stub__/calls":
            self._reply(json_reply(200, account.calls))
        elif path == "/__stub__/messages":
            since = int(query.removeprefix("since=") or 0)
            self._reply(json_reply(200, account.messages[since:]))
        elif found := NUMBER.fullmatch(path):
            self._reply(account.probe(self._token(), found[1]))
        else:
            self._reply(json_reply(404, {}))

    def do_POST(self) -> None:
        """Answer a send or a control call."""
        length = min(int(self.headers.get("Content-Length", 0)), MAX_BODY)
        raw = self.rfile.read(length)
        if MESSAGES.fullmatch(self.path):
            self._reply(self.server.account.send(self._token(), _json(raw)))
            return
        try:
            known = _control(self.server.account, self.path, raw)
        except (msgspec.MsgspecError, KeyError) as error:
            self._reply(json_reply(422, {"error": str(error)}))
            return
        self._reply(json_reply(200 if known else 404, {}))

    def do_DELETE(self) -> None:
        """Forget everything."""
        self.server.account.reset()
        self._reply(json_reply(200, {}))

    def log_message(self, *args: Any, **_: Any) -> None:
        """Stay quiet."""

    def _token(self) -> str:
        return self.headers.get("Authorization", "").removeprefix("Bearer ")

    def _reply(self, reply: Reply) -> None:
        time.sleep(reply.delay_ms / 1000)
        if reply.drop == "silent":
            self.connection.settimeout(SILENCE_S)
            try:
                self.rfile.read(1)  # returns when the client gives up
            except OSError:
                pass
        if reply.drop is not None:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.send_response(reply.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(reply.body)))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body)


def _control(account: Account, path: str, raw: bytes) -> bool:
    """Carry out a control call; False if there is no such call."""
    match path:
        case "/__stub__/rules":
            account.rules.append(msgspec.json.decode(raw, type=Rule))
        case "/__stub__/settings":
            account.configure(msgspec.json.decode(raw, type=Settings))
        case "/__stub__/clock":
            account.stand_at(msgspec.json.decode(raw, type=dict[str, int])["at"])
        case "/__stub__/inbound":
            sender = msgspec.json.decode(raw)
            account.hear(sender["from"], sender["at"])
        case _:
            return False
    return True


def _json(raw: bytes) -> Any:
    try:
        return msgspec.json.decode(raw)
    except msgspec.DecodeError:
        return None
