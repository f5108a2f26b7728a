"""Time zones by their IANA names."""

from __future__ import annotations

from datetime import UTC, datetime
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


class LocalTimeError(ValueError):
    """A wall-clock time that the zone never shows, or shows twice."""


def instant(local: datetime, zone_: ZoneInfo) -> datetime:
    """The UTC instant of a naive wall-clock time in ``zone_``.

    Raises LocalTimeError in the hour that the change to summer time leaves out. Of an hour that comes
    twice in autumn the first is meant, so that nothing is planned later than the clock says.
    """
    if local.tzinfo is not None:
        raise LocalTimeError("is an instant already, not a time on a clock")
    there = local.replace(tzinfo=zone_, fold=0).astimezone(UTC)
    if there.astimezone(zone_).replace(tzinfo=None) != local:
        raise LocalTimeError("does not exist on that day: the clocks go forward over it")
    return there
