"""Twilio's webhook signature, checked on the configured public address.

The address is never taken from the Host header (a proxy changes it, a stranger may choose it), and
there is no way to switch the check off. Twilio documentation, "Webhooks security".
"""

from __future__ import annotations

from collections.abc import Sequence

from twilio.request_validator import RequestValidator
from werkzeug.datastructures import MultiDict


class SignatureCheck:
    """Validates requests signed with any of the accepted tokens (two while tokens rotate)."""

    def __init__(self, public_base_url: str, tokens: Sequence[str]) -> None:
        """``public_base_url``: scheme and host the carrier calls. Raises ValueError without a token."""
        if not tokens:
            raise ValueError("webhooks cannot be verified without an auth token")
        self._base = public_base_url
        self._validators = [RequestValidator(token) for token in tokens]

    def passes(self, path: str, query: str, form: MultiDict[str, str], signature: str) -> bool:
        """Whether ``signature`` is right for this path, raw query and form (unknown, empty fields too)."""
        url = self._base + path + (f"?{query}" if query else "")
        # every token is tried, so that the time taken does not tell which one is near
        results = [bool(v.validate(url, form, signature)) for v in self._validators]
        return bool(signature) and any(results)
