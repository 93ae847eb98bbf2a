"""The settings of a day: one fast clock for all processes, spans that fit into it."""

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

SWEEP_LAG_S = 6  # real seconds that timers have before the sweeps: the host may be busy


def fast_clock(shows: datetime, speed: float) -> dict[str, str]:
    """Return the settings of a clock that shows a time now, and goes so fast."""
    clock = {"began": datetime.now(UTC), "shows": shows, "speed": speed}
    return {
        "MARKETPLACE_CLOCK": msgspec.json.encode(clock).decode(),
        "SWEEP_LAG_S": str(round(SWEEP_LAG_S * speed)),
    }


SHORT_TERMS: Mapping[str, str] = {
    "PAYMENT_TTL_MIN": "15",
    "REINSTATE_MIN": "6",
    "BIDDING_WINDOW_MIN": "6",
    "CONFIRM_WINDOW_MIN": "10",
    "FULFILMENT_TTL_MIN": "30",
}
BUSY: Mapping[str, str] = {
    "WHATSAPP_MAX_MPS": "60",
    "WHATSAPP_PAIR_BURST": "45",
    "WORKFLOWS_LOG_LEVEL": "WARNING",
}


def stub_account(url: str) -> dict[str, str]:
    """Return the settings that lead to the stand-in for the Graph API."""
    return {
        "WHATSAPP_TRANSPORT": "graph",
        "WHATSAPP_GRAPH_BASE_URL": url,
        "WHATSAPP_PHONE_NUMBER_ID": "1055501",
        "WHATSAPP_ACCESS_TOKEN": "stub-token",
        "TOKEN_SECRET": secrets.token_hex(16),
        "WHATSAPP_READ_TIMEOUT_S": "3",
    }
