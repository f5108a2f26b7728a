"""Opening hours, holidays and phones as staff have set them; the environment's hours until they do."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import sqlalchemy as sa
import structlog
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from nurseline.clinic.hours import (
    Hours,
    HoursError,
    Promises,
    intervals_text,
    parse_hours,
    parse_intervals,
    week_text,
)
from nurseline.clinic.models import ClinicDay, ClinicSetting, StaffPhone
from nurseline.crypto import UndecryptableError
from nurseline.db import Database, apart

log = structlog.get_logger(__name__)

HOURS = "hours"
PROMISE = "promise."  # begins the names of the settings of promises
# What can be set, and from where to where: minutes (`Promises` says on which clock), or working days.
PROMISES = {
    "emergency_minutes": (1, 60),
    "urgent_minutes": (10, 480),
    "clinical_minutes": (15, 960),
    "office_days": (1, 5),
}
KEPT_SECONDS = 5.0  # how long a process may work with hours that another one has changed
LABEL_LONGEST, NAME_LONGEST, SHIFT_LONGEST = 60, 80, 200
DAYS_AHEAD = timedelta(days=730)


class ClinicError(ValueError):
    """Why something cannot be set. ``field``: the form field it concerns."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True)
class Phone:
    """A staff phone as it is to be kept. ``number``: E.164; ``shift``: weekly hours, empty: opening hours."""

    name: str
    number: str
    shift: str = ""
    rings: bool = True
    on_call: bool = False


class Clinic:
    """The clinic's hours for one process: those of the environment until staff set others."""

    def __init__(
        self, db: Database, hours_text: str, zone: ZoneInfo, promises: Promises | None = None
    ) -> None:
        """``promises``: those until staff set others. Raises HoursError if ``hours_text`` cannot be read."""
        self._db = db
        self._zone = zone
        self._usual = parse_hours(hours_text, zone).promising(promises or Promises())
        self._usual_text = hours_text
        self._known: tuple[float, Hours, str] | None = None

    def hours(self) -> Hours:
        """Opening hours with holidays and what is promised within them, at most `KEPT_SECONDS` old."""
        return self._current()[1]

    def hours_text(self) -> str:
        """The weekly hours as written, such as ``Mon-Fri 08:00-17:00``."""
        return self._current()[2]

    def promises(self) -> Promises:
        """By when calls are promised."""
        return self.hours().promises

    def forget(self) -> None:
        """Read again at the next use: something was changed."""
        self._known = None

    def _current(self) -> tuple[float, Hours, str]:
        known, now = self._known, time.monotonic()
        if known is not None and now - known[0] < KEPT_SECONDS:
            return known
        try:
            with self._db.begin() as session:
                text = stored_hours(session) or self._usual_text
                promises = stored_promises(session, self._usual.promises)
                hours = parse_hours(text, self._zone).with_days(_days(session)).promising(promises)
            known = (now, hours, text)
        except Exception as error:  # a promise by hours that may be old is better than none
            log.warning("clinic.hours_not_read", error=type(error).__name__)
            known = (now, known[1], known[2]) if known else (now, self._usual, self._usual_text)
        self._known = known
        return known


def stored_hours(session: Session) -> str | None:
    """The weekly hours that staff have set, if any."""
    return session.scalar(sa.select(ClinicSetting.value).where(ClinicSetting.name == HOURS))


def set_hours(session: Session, text: str, zone: ZoneInfo, *, now: datetime, staff: str) -> str:
    """Keep new weekly hours, written in the usual way; the text kept. Raises ClinicError."""
    try:
        kept = week_text(parse_hours(text, zone).week)
    except HoursError as error:
        raise ClinicError("hours", str(error)) from error
    _set(session, {HOURS: kept}, now=now, staff=staff)
    return kept


def _set(session: Session, values: Mapping[str, str], *, now: datetime, staff: str) -> None:
    rows = [
        {"name": name, "value": value, "changed_at": now, "changed_by": staff}
        for name, value in sorted(values.items())
    ]
    new = insert(ClinicSetting).values(rows)
    changed = {name: new.excluded[name] for name in ("value", "changed_at", "changed_by")}
    session.execute(new.on_conflict_do_update(index_elements=["name"], set_=changed))


def promises_from(numbers: Mapping[str, int]) -> Promises:
    """The promises of these numbers, named as in `PROMISES`. Raises ClinicError naming the one at fault."""
    for name, (least, most) in PROMISES.items():
        if not least <= numbers[name] <= most:
            raise ClinicError(name, f"a number from {least} to {most}")
    return Promises(
        emergency=timedelta(minutes=numbers["emergency_minutes"]),
        urgent=timedelta(minutes=numbers["urgent_minutes"]),
        clinical=timedelta(minutes=numbers["clinical_minutes"]),
        office=numbers["office_days"],
    )


def promise_numbers(promises: Promises) -> dict[str, int]:
    """The other way round, for forms."""
    return {
        "emergency_minutes": promises.emergency // timedelta(minutes=1),
        "urgent_minutes": promises.urgent // timedelta(minutes=1),
        "clinical_minutes": promises.clinical // timedelta(minutes=1),
        "office_days": promises.office,
    }


def stored_promises(session: Session, usual: Promises) -> Promises:
    """The promises that staff have set, ``usual`` where they have not."""
    names = {f"{PROMISE}{name}": name for name in PROMISES}
    query = sa.select(ClinicSetting.name, ClinicSetting.value).where(ClinicSetting.name.in_(names))
    stored = {names[row.name]: int(row.value) for row in session.execute(query)}
    return promises_from({**promise_numbers(usual), **stored})


def set_promises(session: Session, numbers: Mapping[str, int], *, now: datetime, staff: str) -> Promises:
    """Keep other promises; they count for requests from now on. Raises ClinicError naming the field."""
    promises = promises_from(numbers)
    values = {f"{PROMISE}{name}": str(number) for name, number in promise_numbers(promises).items()}
    _set(session, values, now=now, staff=staff)
    return promises


def special_days(session: Session, today: date) -> Sequence[ClinicDay]:
    """Days that differ, from ``today`` on."""
    return session.scalars(sa.select(ClinicDay).where(ClinicDay.day >= today).order_by(ClinicDay.day)).all()


def set_day(
    session: Session, day: date, intervals: str, label: str, *, today: date, now: datetime, staff: str
) -> None:
    """Keep the hours of one date; empty ``intervals``: closed. Raises ClinicError."""
    if not today <= day <= today + DAYS_AHEAD:
        raise ClinicError("day", "choose a day from today on, within two years")
    try:
        kept = intervals_text(parse_intervals(intervals)) if intervals.strip() else ""
    except HoursError as error:
        raise ClinicError("intervals", str(error)) from error
    if not label.strip() or len(label) > LABEL_LONGEST:
        raise ClinicError("label", f"say why in 1 to {LABEL_LONGEST} characters")
    new = insert(ClinicDay).values(
        day=day, intervals=kept, label=label.strip(), changed_at=now, changed_by=staff
    )
    changed = {name: new.excluded[name] for name in ("intervals", "label", "changed_at", "changed_by")}
    session.execute(new.on_conflict_do_update(index_elements=["day"], set_=changed))


def remove_day(session: Session, day: date) -> bool:
    """Let the weekday's hours count again; whether there was something to remove."""
    gone = session.scalar(sa.delete(ClinicDay).where(ClinicDay.day == day).returning(ClinicDay.day))
    return gone is not None


def phones(session: Session) -> Sequence[StaffPhone]:
    """Every staff phone, in the order in which they are tried. One that no key opens is left out."""
    in_order = (StaffPhone.position, StaffPhone.id)
    try:
        return session.scalars(sa.select(StaffPhone).order_by(*in_order)).all()
    except UndecryptableError:
        found: list[StaffPhone] = []
        for one in session.scalars(sa.select(StaffPhone.id).order_by(*in_order)).all():
            with apart(_not_read):
                found.append(session.get_one(StaffPhone, one))
        return found


def _not_read(error: Exception) -> None:
    log.error("clinic.phone_not_read", error=type(error).__name__)


def keep_phone(
    session: Session,
    phone: Phone,
    zone: ZoneInfo,
    *,
    now: datetime,
    staff: str,
    phone_id: uuid.UUID | None = None,
) -> uuid.UUID:
    """Add a phone at the end, or change the one of ``phone_id``. Raises ClinicError."""
    _check(phone, zone)
    row = session.get(StaffPhone, phone_id) if phone_id else None
    if phone_id and row is None:
        raise ClinicError("name", "there is no such phone any more")
    if row is None:
        last = session.scalar(sa.select(sa.func.max(StaffPhone.position))) or 0
        row = StaffPhone(id=uuid.uuid4(), position=last + 1)
        session.add(row)
    row.name, row.number, row.shift = phone.name.strip(), phone.number, phone.shift.strip()
    row.rings, row.on_call = phone.rings, phone.on_call
    row.changed_at, row.changed_by = now, staff
    session.flush()
    return row.id


def remove_phone(session: Session, phone_id: uuid.UUID) -> bool:
    """Forget a phone; whether it was there."""
    gone = session.scalar(sa.delete(StaffPhone).where(StaffPhone.id == phone_id).returning(StaffPhone.id))
    return gone is not None


def put_first(session: Session, phone_id: uuid.UUID) -> None:
    """Let this phone be tried before the others."""
    first = session.scalar(sa.select(sa.func.min(StaffPhone.position))) or 0
    session.execute(sa.update(StaffPhone).where(StaffPhone.id == phone_id).values(position=first - 1))


def ringing(session: Session, hours: Hours, now: datetime) -> list[StaffPhone]:
    """Phones that ring for callers now, first to be tried first. None: nobody is on shift."""
    return ringing_of(phones(session), hours, now)


def ringing_of(every: Sequence[StaffPhone], hours: Hours, now: datetime) -> list[StaffPhone]:
    """Of every phone those that ring for callers now, first to be tried first. None: nobody is on shift.

    One whose own hours cannot be read does not ring, and keeps no other from ringing (`unreadable`).
    """
    return [phone for phone in every if phone.rings and _on_shift(phone, hours, now)]


def unreadable(phone: StaffPhone, zone: ZoneInfo) -> bool:
    """Whether a phone has hours of its own that cannot be read."""
    try:
        if phone.shift:
            parse_hours(phone.shift, zone)
    except HoursError:
        return True
    return False


def on_call(session: Session, hours: Hours, now: datetime) -> list[StaffPhone]:
    """Phones that alarms go to: those on duty now, else everybody on the list. A holiday ends no duty."""
    every = [phone for phone in phones(session) if phone.on_call]
    return on_duty_of(every, hours, now) or every


def on_duty_of(every: Sequence[StaffPhone], hours: Hours, now: datetime) -> list[StaffPhone]:
    """Of every phone those on the on-call list whose shift it is.

    One without hours of its own, or with some that cannot be read (`unreadable`), is always on duty.
    """
    return [
        p
        for p in every
        if p.on_call
        and (not p.shift or unreadable(p, hours.zone) or parse_hours(p.shift, hours.zone).is_open(now))
    ]


def _on_shift(phone: StaffPhone, hours: Hours, now: datetime) -> bool:
    """Whether it rings for callers: in its own weekly hours, but on no day on which the clinic is closed."""
    if not phone.shift:
        return hours.is_open(now)
    if unreadable(phone, hours.zone):
        return False
    closed = {day: () for day, intervals in hours.days.items() if not intervals}
    return parse_hours(phone.shift, hours.zone).with_days(closed).is_open(now)


def _days(session: Session) -> dict[date, tuple[tuple[int, int], ...]]:
    rows = session.execute(sa.select(ClinicDay.day, ClinicDay.intervals))
    return {row.day: parse_intervals(row.intervals) if row.intervals else () for row in rows}


def _check(phone: Phone, zone: ZoneInfo) -> None:
    if not phone.name.strip() or len(phone.name) > NAME_LONGEST:
        raise ClinicError("name", f"needs a name of at most {NAME_LONGEST} characters")
    if not (phone.rings or phone.on_call):
        raise ClinicError("rings", "choose what the phone is for")
    if len(phone.shift) > SHIFT_LONGEST:
        raise ClinicError("shift", f"at most {SHIFT_LONGEST} characters")
    if phone.shift.strip():
        try:
            parse_hours(phone.shift, zone)
        except HoursError as error:
            raise ClinicError("shift", str(error)) from error
