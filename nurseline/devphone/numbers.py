"""Phone numbers as the carrier reads them."""

from __future__ import annotations

import re

from nurseline.devphone.errors import BadInput

# Twilio's test numbers: https://www.twilio.com/docs/iam/test-credentials
MAGIC_FROM = "+15005550006"
MAGIC_TO_ERRORS = {
    "+15005550001": 21211,
    "+15005550002": 21612,
    "+15005550003": 21408,
    "+15005550004": 21610,
    "+15005550009": 21614,
}
MAGIC_CALL_ERRORS = {
    "+15005550001": 21211,
    "+15005550002": 21214,
    "+15005550003": 21215,
    "+15005550004": 21216,
}
MAGIC_FROM_ERRORS = {"+15005550001": 21212, "+15005550007": 21606, "+15005550008": 21611}

# What a caller who hides the number is shown as (voice webhook, From).
HIDDEN = frozenset({"anonymous", "unknown", "restricted", "unavailable", "blocked"})


def e164(raw: str) -> str | None:
    """The number in E.164, or None. Bare ten-digit numbers are read as North American, as Twilio does."""
    text = re.sub(r"[\s().-]", "", raw)
    if not re.fullmatch(r"\+?[0-9]{7,15}", text, re.ASCII):
        return None
    if not text.startswith("+"):
        if len(text) == 10:
            text = "+1" + text
        elif len(text) == 11 and text.startswith("1"):
            text = "+" + text
        else:
            return None
    if text.startswith("+1"):
        return text if re.fullmatch(r"\+1[2-9][0-9]{2}[0-9]{7}", text) else None
    return text if re.fullmatch(r"\+[2-9][0-9]{6,14}", text) else None


def is_short_code(raw: str) -> bool:
    return re.fullmatch(r"[0-9]{3,8}", raw, re.ASCII) is not None and len(raw) < 7


def texting_party(raw: object) -> str:
    """The number of a handset that texts: E.164 or a short code.

    Raises:
        BadInput: when it is neither.
    """
    if isinstance(raw, str):
        number = raw.strip() if is_short_code(raw.strip()) else e164(raw)
        if number is not None:
            return number
    raise BadInput(f"{_shown(raw)} is not a phone number; write it like +12025550123.")


def calling_party(raw: object) -> str:
    """The number of a caller: E.164, or one of the words for a hidden number.

    Raises:
        BadInput: when it is neither.
    """
    if isinstance(raw, str) and raw.strip().lower() in HIDDEN:
        return raw.strip().lower()
    return texting_party(raw)


def formatted(number: str) -> str:
    """As the REST interface prints it for people: (202) 555-0123, other countries unchanged."""
    match = re.fullmatch(r"\+1([0-9]{3})([0-9]{3})([0-9]{4})", number)
    return "({}) {}-{}".format(*match.groups()) if match else number


def _shown(raw: object) -> str:
    return repr(raw[:40]) if isinstance(raw, str) else "That"
