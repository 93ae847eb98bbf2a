"""Temporal's RetryPolicy in its JSON, with the defaults that the server fills in."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workflows.engine.proto_json import span, span_ms

INITIAL_MS = 1000
COEFFICIENT = 2.0
CAP = 100  # x the initial interval, if no maximum is given


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A retry policy; `maximum_attempts` 0: no end."""

    initial_ms: int = INITIAL_MS
    coefficient: float = COEFFICIENT
    maximum_ms: int = INITIAL_MS * CAP
    maximum_attempts: int = 0
    fatal: frozenset[str] = frozenset()  # failure types that are not retried

    def delay_ms(self, attempt: int) -> int:
        """Return the wait after failed attempt number `attempt` (from 1)."""
        try:
            delay = self.initial_ms * self.coefficient ** (attempt - 1)
        except OverflowError:
            return self.maximum_ms
        return int(min(delay, self.maximum_ms))


DEFAULT = Policy()


def read_policy(json: Mapping[str, Any] | None) -> Policy:
    """Read a RetryPolicy; None and missing fields are Temporal's defaults.

    Raises:
        InvalidArgumentError: a span that is none.
    """
    if not json:
        return DEFAULT
    given = json
    initial = span_ms(given.get("initialInterval")) or INITIAL_MS
    return Policy(
        initial_ms=initial,
        coefficient=float(given.get("backoffCoefficient") or COEFFICIENT),
        maximum_ms=span_ms(given.get("maximumInterval")) or initial * CAP,
        maximum_attempts=int(given.get("maximumAttempts") or 0),
        fatal=frozenset(given.get("nonRetryableErrorTypes") or ()),
    )


def policy_json(json: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a policy as the history shows it: with every default spelled out."""
    policy = read_policy(json)
    found: dict[str, Any] = {
        "initialInterval": span(policy.initial_ms),
        "backoffCoefficient": policy.coefficient,
        "maximumInterval": span(policy.maximum_ms),
    }
    if policy.maximum_attempts:
        found["maximumAttempts"] = policy.maximum_attempts
    if policy.fatal:
        found["nonRetryableErrorTypes"] = list((json or {})["nonRetryableErrorTypes"])
    return found
