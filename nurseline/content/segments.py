"""How many parts a text message takes on the air.

GSM-7 packs 160 septets into one part and 153 into each part of a longer message; one character
outside the alphabet moves the whole message to UCS-2 with 70 and 67 units. Source: GSM 03.38 and
Twilio's "What the heck is a segment".
"""

ALPHABET = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENSION = "\f^{}\\[~]|€"  # each takes two places
_BASIC, _EXTENDED = frozenset(ALPHABET), frozenset(EXTENSION)

ONE_PART = 160
EACH_PART = 153
TWO_PARTS = 2 * EACH_PART
_UCS2_ONE_PART = 70
_UCS2_EACH_PART = 67


def outside_gsm7(text: str) -> list[str]:
    """The characters of the text that GSM-7 lacks, each once, in order."""
    return [char for char in dict.fromkeys(text) if char not in _BASIC and char not in _EXTENDED]


def is_gsm7(text: str) -> bool:
    """True when every character is in the GSM-7 alphabet or its extension table."""
    return not outside_gsm7(text)


def gsm7_length(text: str) -> int:
    """Length in septets; an extension character counts two. ValueError outside GSM-7."""
    strange = outside_gsm7(text)
    if strange:
        wrong = f"not in GSM-7: {' '.join(strange)}"
        raise ValueError(wrong)
    return sum(2 if char in _EXTENDED else 1 for char in text)


def segments(text: str) -> int:
    """Parts the carrier bills for this text; 0 for an empty one. UCS-2 text is counted as such.

    A two-unit character (GSM extension or a surrogate pair) is not split over two parts.
    """
    if not text:
        return 0
    if is_gsm7(text):
        return _parts([2 if char in _EXTENDED else 1 for char in text], ONE_PART, EACH_PART)
    return _parts([2 if ord(char) > 0xFFFF else 1 for char in text], _UCS2_ONE_PART, _UCS2_EACH_PART)


def _parts(sizes: list[int], single: int, each: int) -> int:
    if sum(sizes) <= single:
        return 1
    parts, used = 1, 0
    for size in sizes:
        if used + size > each:
            parts, used = parts + 1, 0
        used += size
    return parts
