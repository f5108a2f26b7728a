"""Time zones by their IANA names."""

from __future__ import annotations

from functools import cache
from zoneinfo import ZoneInfo, available_timezones


class UnknownZoneError(ValueError):
    """No zone has that name."""


@cache
def _names() -> frozenset[str]:
    return frozenset(name for name in available_timezones() if "/" in name or name == "UTC")


@cache
def zone(name: str) -> ZoneInfo:
    """The zone called ``name``. Raises UnknownZoneError; never touches a path that is not a zone."""
    if name not in _names():
        raise UnknownZoneError("is not the name of a time zone, such as America/Chicago")
    return ZoneInfo(name)


# What a form offers first: the zones of the United States and its territories.
US_ZONES = (
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Phoenix",
    "America/Los_Angeles",
    "America/Anchorage",
    "America/Adak",
    "Pacific/Honolulu",
    "America/Puerto_Rico",
    "Pacific/Guam",
    "Pacific/Pago_Pago",
)
