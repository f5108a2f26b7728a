"""Which hours and whose clocks count for a number. Pure: no I/O beyond data files that come with the code."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import time
from zoneinfo import ZoneInfo

import phonenumbers
from phonenumbers import timezone as number_zones

from nurseline.consent.hours import Span, Week, both, every_day
from nurseline.consent.states import StateHours
from nurseline.zones import UnknownZoneError, zone

# An area code lies in one zone or a few; toll-free and 5XX numbers are given all 42 of North America.
MOST_ZONES = 5


@dataclass(frozen=True, slots=True)
class Where:
    """Whose clocks count for one message, and the hours allowed on them. It may go when all are inside."""

    zones: tuple[ZoneInfo, ...]
    week: Week


DAYTIME: Span = (time(9), time(20))  # for texts that are not automated: on the patient's clock, nobody wakes


@dataclass(frozen=True, slots=True)
class AllowedHours:
    """The clinic's rule for automated messages.

    ``span``: the clinic's own hours on every day. ``states``: those of the number's state are kept too;
    None to leave them out.
    """

    span: Span
    clinic_zone: ZoneInfo
    states: StateHours | None = field(default=None, repr=False)

    def never(self) -> str | None:
        """Where the clinic's hours leave none at all ("federal", or a state), if anywhere."""
        if not self.states:
            return None
        weeks = {"federal": self.states.federal, **self.states.weeks}
        return next((name for name, week in weeks.items() if not any(both(every_day(self.span), week))), None)

    def where(self, number: str, stored_zone: str | None) -> Where:
        """What counts for an E.164 number. ``stored_zone``: IANA name that the patient gave, if they did.

        Without one nobody knows where the patient is: then it has to be allowed on the clinic's clock and
        in every zone that the number may be from, so that it is allowed by either way of guessing.
        """
        week = every_day(self.span)
        if self.states:
            week = both(week, self.states.week_of(number))
        if stored_zone is not None:
            return Where((zone(stored_zone),), week)
        return Where(tuple(dict.fromkeys((self.clinic_zone, *zones_of(number)))), week)


def zones_of(number: str) -> tuple[ZoneInfo, ...]:
    """The zones that an E.164 number may be from, by its prefix; none if the prefix does not tell."""
    try:
        names = number_zones.time_zones_for_number(phonenumbers.parse(number, None))
        found = tuple(zone(name) for name in names)
    except (phonenumbers.NumberParseException, UnknownZoneError):  # "Etc/Unknown" has no zone either
        return ()
    return found if len(found) <= MOST_ZONES else ()
