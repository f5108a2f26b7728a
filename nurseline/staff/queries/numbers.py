"""Numbers of patients as pages show them."""

from __future__ import annotations

from nurseline.db import Unreadable
from nurseline.phone import PhoneNumber


def masked(number: str) -> str:
    """A contact's number as a page may show it before it is revealed. It may be `Unreadable`."""
    if isinstance(number, Unreadable):
        return number
    return PhoneNumber(number, "", "person").masked  # stored as E.164: no need to read it anew
