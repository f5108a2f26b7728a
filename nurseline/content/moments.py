"""Moments and opening hours in words, from the patterns in the language files."""

import re
from datetime import datetime, timedelta

from nurseline.content.entries import Calendar, Channel, Content

_SPAN = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)")
_PART = re.compile(r"([A-Z][a-z]{2})(?:-([A-Z][a-z]{2}))?\s+([\d:,\s-]+)")
NIGHT_ENDS = 5  # o'clock: an hour before it belongs to the night that begins the day before
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def promise_words(
    due: datetime, now: datetime, content: Content, language: str = "en", *, channel: Channel = "text"
) -> str:
    """A promised moment as said to a patient: "today by 4:30 PM", "Friday, March 6 by 9 AM".

    Both moments are aware and in the zone the patient is told; ValueError otherwise. The words round
    the minute up to the next five, so that they never promise an earlier moment than `due`.
    """
    if due.tzinfo is None or now.tzinfo is None:
        wrong = "both moments need a zone"
        raise ValueError(wrong)
    calendar = content.language(language).calendar[channel]
    late = (-due.minute) % 5
    if late == 0 and (due.second or due.microsecond):
        late = 5
    shown = (due + timedelta(minutes=late)).replace(second=0, microsecond=0)
    # The end of a day and not the beginning of the next: "tomorrow by 12 AM" misses the night by a day.
    midnight = (shown.hour, shown.minute) == (0, 0)
    if midnight:
        shown -= timedelta(days=1)
    days = (shown.date() - now.date()).days
    pattern = calendar.today if days == 0 else calendar.tomorrow if days == 1 else calendar.day
    if days == 1 and shown.hour < NIGHT_ENDS and not midnight:
        pattern = calendar.tonight
    return pattern.format(
        time=calendar.midnight if midnight else _at(shown.hour, shown.minute, calendar),
        weekday=calendar.weekdays[shown.weekday()],
        month=calendar.months[shown.month - 1],
        date=shown.day,
    )


def hours_words(spec: str, content: Content, language: str = "en", *, channel: Channel = "text") -> str:
    """Opening hours such as "Mon-Fri 08:00-17:00" as a patient reads or hears them.

    A spec that is not of that form is returned as it stands: the clinic's own words.
    """
    calendar = content.language(language).calendar[channel]
    said: list[str] = []
    for part in spec.split(";"):
        match = _PART.fullmatch(part.strip())
        spans = [_SPAN.fullmatch(span.strip()) for span in match[3].split(",")] if match else [None]
        if match is None or None in spans or not {match[1], match[2] or match[1]} <= set(_DAYS):
            return spec
        names = [calendar.short_weekdays[_DAYS.index(day)] for day in (match[1], match[2]) if day]
        days = calendar.range.format(first=names[0], last=names[-1]) if len(names) == 2 else names[0]
        times = [
            calendar.range.format(
                first=_clock(int(span[1]), int(span[2]), calendar),
                last=_clock(int(span[3]), int(span[4]), calendar),
            )
            for span in spans
            if span
        ]
        said.append(calendar.days.format(days=days, times=", ".join(times)))
    return ", ".join(said)


def longest_promise(content: Content, language: str, channel: Channel = "text") -> str:
    """The longest words promise_words can return, for the length checks."""
    calendar = content.language(language).calendar[channel]
    time = max((_at(hour, 55, calendar) for hour in range(24)), key=len)
    day = calendar.day.format(
        weekday=max(calendar.weekdays, key=len), month=max(calendar.months, key=len), date=30, time=time
    )
    return max(day, calendar.today.format(time=time), calendar.tomorrow.format(time=time), key=len)


def _at(hour: int, minute: int, calendar: Calendar) -> str:
    """A time in a sentence; Spanish has "la 1" but "las 2"."""
    pattern = calendar.one if hour % 12 == 1 else calendar.hour
    return pattern.format(clock=_clock(hour, minute, calendar))


def _clock(hour: int, minute: int, calendar: Calendar) -> str:
    clock = f"{hour % 12 or 12}" + (f":{minute:02d}" if minute else "")
    return f"{clock} {[words for begins, words in calendar.parts if begins <= hour % 24][-1]}"
