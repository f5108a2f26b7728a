"""Phone numbers as people and carriers write them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import phonenumbers
from phonenumbers import PhoneNumberType

Kind = Literal["person", "toll_free", "short_code", "foreign", "anonymous", "invalid"]

# Words and pseudo-numbers that stand for "no caller ID" (Twilio voice: From may be `anonymous`, `unknown`).
_ANONYMOUS = frozenset(
    {
        "",
        "anonymous",
        "unknown",
        "restricted",
        "blocked",
        "unavailable",
        "private",
        "+266696687",
        "266696687",
        "+86282452253",
        "+8656696",
        "+7378742883",
        "+2562533",
    }
)
_TOLL_FREE = frozenset(
    {
        PhoneNumberType.TOLL_FREE,
        PhoneNumberType.PREMIUM_RATE,
        PhoneNumberType.SHARED_COST,
        PhoneNumberType.UAN,
        PhoneNumberType.PERSONAL_NUMBER,
    }
)
_SHORT_CODE = re.compile(r"\d{3,8}")
_NORTH_AMERICAN = re.compile(r"\+1[2-9]\d{2}[2-9]\d{6}")
_LONGEST = 40


@dataclass(frozen=True, slots=True)
class PhoneNumber:
    """A number in E.164 (empty unless it can be dialled), its region (ISO 3166) and what it is."""

    e164: str
    region: str
    kind: Kind

    @property
    def can_reply(self) -> bool:
        """Whether the line answers this sender by itself."""
        return self.kind == "person"

    @property
    def masked(self) -> str:
        """What a page may show before the number is revealed."""
        return f"(•••) •••-{self.e164[-4:]}" if self.e164 else "no number"


def parse(raw: str, *, regions: frozenset[str] = frozenset({"US"})) -> PhoneNumber:
    """What ``raw`` is. Never raises.

    ``regions``: where patients' numbers may be from; others are ``foreign`` ("+1" also covers much of
    the Caribbean, so the region is checked, not the prefix).
    """
    text = "".join(c for c in raw.strip() if c.isprintable())
    if text.lower() in _ANONYMOUS:
        return PhoneNumber("", "", "anonymous")
    if len(text) > _LONGEST:
        return PhoneNumber("", "", "invalid")
    if _SHORT_CODE.fullmatch(text) and not text.startswith("0"):
        return PhoneNumber("", "", "short_code")
    try:
        number = phonenumbers.parse(text, "US")
    except phonenumbers.NumberParseException:
        return PhoneNumber("", "", "invalid")
    if number.extension or not phonenumbers.is_possible_number(number):
        return PhoneNumber("", "", "invalid")
    return _classified(number, regions)


def _classified(number: phonenumbers.PhoneNumber, regions: frozenset[str]) -> PhoneNumber:
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    if not phonenumbers.is_valid_number(number):
        # A prefix newer than the library, or 555: a patient may have it, so it counts as a number.
        if not _NORTH_AMERICAN.fullmatch(e164):
            return PhoneNumber("", "", "invalid")
        region = _north_american_region(str(number.national_number))
        return PhoneNumber(e164, region, "person" if region in regions else "foreign")
    region = phonenumbers.region_code_for_number(number) or ""
    if phonenumbers.number_type(number) in _TOLL_FREE:
        return PhoneNumber(e164, region, "toll_free")
    return PhoneNumber(e164, region, "person" if region in regions else "foreign")


def _north_american_region(digits: str) -> str:
    """The region whose area codes ``digits`` begin with; US where no other claims them."""
    for region in phonenumbers.region_codes_for_country_code(1):
        known = phonenumbers.PhoneMetadata.metadata_for_region(region)
        if known is not None and known.leading_digits and re.match(known.leading_digits, digits):
            return str(region)
    return "US"


def national(e164: str) -> str:
    """``+12025550123`` as ``202-555-0123``; other countries in their international form."""
    try:
        number = phonenumbers.parse(e164, None)
    except phonenumbers.NumberParseException:
        return e164
    if number.country_code == 1:
        digits = str(number.national_number).zfill(10)
        return f"{digits[:3]}-{digits[3:6]}-{digits[6:]}"
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)


def spoken(e164: str) -> str:
    """The digits in groups with pauses, so that a voice does not read a number as a sum."""
    return ", ".join(" ".join(group) for group in national(e164).replace("+", "").split("-"))
