"""Tokens in the buttons of a message: who may press which button.

The id in a button's payload is never believed without the token beside it.
"""

import hashlib
import hmac

LENGTH = 6  # hex digits


def button_token(secret: bytes, kind: str, id: str, supplier_id: str) -> str:
    """Return the token that binds a button to one round or offer and one supplier."""
    text = f"{kind}\x1f{id}\x1f{supplier_id}".encode()
    return hmac.new(secret, text, hashlib.sha256).hexdigest()[:LENGTH]


def token_fits(
    token: str, *, secret: bytes, kind: str, id: str, supplier_id: str
) -> bool:
    """Compare in constant time."""
    expected = button_token(secret, kind, id, supplier_id)
    return hmac.compare_digest(token.encode(), expected.encode())
