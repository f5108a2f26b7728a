"""How many segments a text is billed as.

GSM-7: 160 characters, or 153 in each part; characters of the extension table count twice. Any other
character moves the whole text to UCS-2: 70 units, or 67 in each part; a character beyond the basic plane is
two units and is not split across parts.
Rules: https://www.twilio.com/docs/glossary/what-sms-character-limit and 3GPP TS 23.038.
"""

from __future__ import annotations

from collections.abc import Iterable

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = frozenset("\f^{}\\[~]|€")


def is_gsm7(text: str) -> bool:
    return all(character in _BASIC or character in _EXTENSION for character in text)


def count(text: str) -> int:
    """Segments of the text; an empty one is one segment, as Twilio bills it."""
    if is_gsm7(text):
        return _parts((2 if character in _EXTENSION else 1 for character in text), 160, 153)
    return _parts((2 if ord(character) > 0xFFFF else 1 for character in text), 70, 67)


def _parts(units: Iterable[int], single: int, part: int) -> int:
    sizes = list(units)
    if sum(sizes) <= single:
        return 1
    parts, used = 1, 0
    for size in sizes:
        # An escape sequence or a surrogate pair is never cut in two.
        if used + size > part:
            parts, used = parts + 1, 0
        used += size
    return parts
