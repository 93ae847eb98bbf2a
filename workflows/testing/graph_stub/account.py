"""The account behind the stub: who may send what, when, and what went out."""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

PAIR_PERIOD_MS = 6_000
WINDOW_MS = 24 * 60 * 60 * 1000
MAGIC_PREFIX = "+9779800"
THROTTLING = frozenset({4, 80007, 130429, 131048, 131056})
MAGIC_CODES = THROTTLING | {0, 190, 368, 131000, 131016, 131026, 131047, 131050, 132015}

Drop = Literal["accepted", "silent"]  # cut the line after accepting; never answer


class Rule(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """A scripted answer for matching calls; the oldest rule that matches applies.

    `to`: only calls for this recipient. `times`: so often, then it is spent; None:
    for ever. Without `code` the error has no JSON body (`html` of a gateway).
    """

    status: int = 500
    code: int | None = None
    to: str | None = None
    times: int | None = 1
    headers: dict[str, str] = {}
    delay_ms: int = 0
    drop: Drop | None = None


class Settings(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """The account's limits. `pair_burst`: Meta's is 45, a strict stub has 3.

    `faults_percent`: so many of the calls get one of `FAULTS`, drawn by `seed`.
    """

    token: str = "stub-token"  # noqa: S105 - a stub's
    pair_burst: int = 45
    per_second: int = 80
    throttle_status: int = 400  # older endpoints answer 429
    enforce_window: bool = False
    faults_percent: int = 0
    seed: int = 0


FAULTS = (
    Rule(drop="accepted"),  # it goes out, and nobody is told
    Rule(status=502),  # a gateway's: it may have gone out, and has not
    Rule(status=500, code=131000),
    Rule(status=429, code=130429),
)


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back, and how."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    delay_ms: int = 0
    drop: Drop | None = None


def json_reply(status: int, body: Any) -> Reply:
    """Return a JSON answer."""
    return Reply(status, msgspec.json.encode(body))


class Account:
    """One WhatsApp Business phone number. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """Forget everything, settings and rules included."""
        with self._lock:
            self.settings = Settings()
            self.rules: list[Rule] = []
            self.calls: list[dict[str, Any]] = []
            self.messages: list[dict[str, Any]] = []
            self._at: int | None = None
            self._inbound: dict[str, int] = {}
            self._pair_tat: dict[str, int] = {}
            self._faults = random.Random(0)

    def now(self) -> int:
        """Return the set time, else the wall's, in ms."""
        return int(time.time() * 1000) if self._at is None else self._at

    def configure(self, settings: Settings) -> None:
        """Change the settings; the faults begin anew."""
        with self._lock:
            if settings.seed != self.settings.seed:
                self._faults = random.Random(settings.seed)
            self.settings = settings

    def stand_at(self, at: int) -> None:
        """Stop the clock at a time."""
        with self._lock:
            self._at = at

    def hear(self, sender: str, at: int) -> None:
        """A user writes to the account."""
        with self._lock:
            self._inbound[sender] = at

    def probe(self, token: str, phone_id: str) -> Reply:
        """Answer a GET of the phone number's record."""
        with self._lock:
            self._record("probe", "")
            if token != self.settings.token:
                return self._error(190)
            return json_reply(200, {"id": phone_id, "quality_rating": "GREEN"})

    def send(self, token: str, body: Any) -> Reply:
        """Answer a POST of a message: token, script, request, limits, in this order."""
        fields = body if isinstance(body, dict) else {}
        to = str(fields.get("to") or fields.get("recipient") or "")
        with self._lock:
            self._record("send", to)
            if token != self.settings.token:
                return self._error(190)
            if rule := self._scripted(to) or self._fault():
                return self._apply(rule, to, fields)
            for check in (_request_fault, self._magic, self._limits):
                fault = check(to, fields)
                if isinstance(fault, Reply):
                    return fault
                if fault is not None:
                    return self._error(fault)
            return self._accept(to, fields)

    def _record(self, kind: str, to: str) -> None:
        self.calls.append({"at": self.now(), "kind": kind, "to": to})

    def _scripted(self, to: str) -> Rule | None:
        for rule in self.rules:
            if rule.times != 0 and rule.to in {None, to}:
                if rule.times is not None:
                    rule.times -= 1
                return rule
        return None

    def _fault(self) -> Rule | None:
        percent = self.settings.faults_percent
        if not percent or self._faults.randrange(100) >= percent:
            return None
        return self._faults.choice(FAULTS)

    def _apply(self, rule: Rule, to: str, fields: dict[str, Any]) -> Reply:
        if rule.drop == "accepted" or rule.status == 200:
            reply = self._accept(to, fields, told=rule.drop is None)
        elif rule.code is None:
            reply = Reply(rule.status, b"<html>Bad gateway</html>")
        else:
            reply = self._error(rule.code, rule.status)
        return Reply(reply.status, reply.body, rule.headers, rule.delay_ms, rule.drop)

    def _magic(self, to: str, fields: dict[str, Any]) -> Reply | int | None:
        digits = to.removeprefix(MAGIC_PREFIX)
        if digits == to or len(digits) != 6 or digits == "000000":
            return None
        special: dict[str, Callable[[], Reply]] = {
            "000502": lambda: Reply(502, b"<html>Bad gateway</html>"),
            "000599": lambda: self._apply(Rule(drop="accepted"), to, fields),
            "000408": lambda: Reply(0, b"", drop="silent"),
        }
        if digits in special:
            return special[digits]()
        return int(digits) if int(digits) in MAGIC_CODES else None

    def _limits(self, to: str, fields: dict[str, Any]) -> int | None:
        now = self.now()
        heard = self._inbound.get(to)
        shut = heard is None or now >= heard + WINDOW_MS
        if self.settings.enforce_window and shut and fields["type"] != "template":
            return 131047
        recent = [m for m in self.messages if m["at"] > now - 1000]
        if len(recent) >= self.settings.per_second:
            return 130429
        tat = max(self._pair_tat.get(to, now), now)
        if tat - (self.settings.pair_burst - 1) * PAIR_PERIOD_MS > now:
            return 131056
        self._pair_tat[to] = tat + PAIR_PERIOD_MS
        return None

    def _accept(self, to: str, fields: dict[str, Any], *, told: bool = True) -> Reply:
        wamid = f"wamid.STUB{len(self.messages) + 1}"
        self.messages.append(
            {
                "at": self.now(),
                "wamid": wamid,
                "to": to,
                "request": fields,
                "told": told,
            }
        )
        sent = {"id": wamid}
        if fields.get("type") == "template":
            sent["message_status"] = "accepted"
        contacts = [{"input": to, "wa_id": to.removeprefix("+")}]
        body = {"messaging_product": "whatsapp", "contacts": contacts}
        return json_reply(200, body | {"messages": [sent]})

    def _error(self, code: int, status: int | None = None) -> Reply:
        if status is None:
            status = 401 if code == 190 else 400
            status = self.settings.throttle_status if code in THROTTLING else status
        error = {"message": f"(#{code}) stub", "type": "OAuthException", "code": code}
        return json_reply(status, {"error": error | {"fbtrace_id": "STUB"}})


def _request_fault(to: str, fields: dict[str, Any]) -> int | None:
    """Return the code for a request that Meta would not accept."""
    if fields.get("messaging_product") != "whatsapp":
        return 100
    kind = fields.get("type")
    if not to or kind not in {"text", "interactive", "template"}:
        return 131008
    content = fields.get(kind)
    if not isinstance(content, dict):
        return 131008
    if kind == "text" and not 1 <= len(str(content.get("body", ""))) <= 4096:
        return 131009
    if kind == "interactive":
        buttons = content.get("action", {}).get("buttons", [])
        titles = [button["reply"]["title"] for button in buttons]
        if not 1 <= len(titles) <= 3 or any(len(title) > 20 for title in titles):
            return 131009
    if kind == "template" and any(
        "\n" in parameter.get("text", "") or "     " in parameter.get("text", "")
        for component in content.get("components", [])
        for parameter in component["parameters"]
    ):
        return 132018
    return None
