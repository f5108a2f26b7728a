"""Bringing injections in from elsewhere, by file or from another system: look first, then bring all or none.

The same injection is brought once: it is known by the clinic's own reference where there is one, and by
number and time of the injection. What was brought before is told as such and changes nothing, except that its
reference is remembered. One that was called off counts as not enrolled (`again`).
"""

from __future__ import annotations

import hashlib
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from nurseline.aftercare import again, identifiers
from nurseline.aftercare.many import Entry, enrol_many
from nurseline.aftercare.models import Injection
from nurseline.aftercare.plan import Due, Step
from nurseline.aftercare.service import ALREADY, Channel, EnrolError, Enrolment, checked
from nurseline.clinic.models import ClinicSetting
from nurseline.consent.models import ConsentState
from nurseline.crypto import Keyring
from nurseline.messaging import outbox
from nurseline.messaging.models import Contact, ContactNameKey, OutboundMessage
from nurseline.messaging.names import name_keys, words_of

ENDED = "has ended messages: the patient must text START before it can be enrolled"
TAKEN = "is enrolled already, with another number or time: look that injection up"
COLUMN = {"performed_at": "date", "number": "phone", "timezone": "time zone", "agreed": "consent"}
_SYSTEM = "outside system "
SYSTEM_LONGEST = 300
Wording = Mapping[str, tuple[str, str]]  # by language: the consent words in force, and their version


@dataclass(frozen=True, slots=True)
class Asked:
    """An injection that is to be enrolled; its patient agreed to messages.

    ``line``: its place in what was handed in. ``number``: E.164. ``reference``: what the clinic's own system
    calls it; with ``system``, the name space it comes from.
    """

    line: int
    number: str
    performed_at: datetime
    timezone: str
    language: str
    channel: Channel | None = None
    name: str = ""
    reference: str = ""
    system: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """What would become of one injection. ``refused``: a column and why; ``known``: the one that is there.

    ``due``: its messages. ``replaces``: planned messages of earlier injections it would cancel.
    ``overtaken``: a later injection has the messages. ``other_name``: the number is kept under another name.
    """

    asked: Asked
    refused: tuple[str, str] | None = None
    known: uuid.UUID | None = None
    due: tuple[Due, ...] = ()
    replaces: int = 0
    overtaken: bool = False
    other_name: bool = False

    @property
    def is_new(self) -> bool:
        """Whether bringing it would enrol it."""
        return self.refused is None and self.known is None


@dataclass(frozen=True, slots=True)
class Brought:
    """The injections that were enrolled, by line; those known before; cancelled messages of earlier ones."""

    enrolled: Mapping[int, uuid.UUID]
    already: Mapping[int, uuid.UUID]
    replaced: int


class RefusedError(ValueError):
    """Some cannot be enrolled, so none was: line, column and why of each."""

    def __init__(self, refused: Sequence[tuple[int, str, str]]) -> None:
        super().__init__(f"{len(refused)} cannot be enrolled")
        self.refused = refused


def outside_key(keyring: Keyring, reference: str, system: str = "") -> str:
    """The keyed hash that finds an injection by the clinic's own reference."""
    # numbers begin with +, so the two never meet
    return keyring.number_hash(f"outside:{system}|{' '.join(reference.split()).casefold()}")


def systems(session: Session) -> list[str]:
    """The name spaces from which references came so far, none for files."""
    names = sa.select(ClinicSetting.value).where(ClinicSetting.name.startswith(_SYSTEM))
    return ["", *session.scalars(names.order_by(ClinicSetting.changed_at.desc()).limit(50))]


def standing(
    session: Session,
    keyring: Keyring,
    asked: Sequence[Asked],
    *,
    wording: Wording,
    now: datetime,
    steps: Sequence[Step],
    same_within: timedelta = timedelta(0),
) -> list[Standing]:
    """What would become of each, in the same order. Reads only.

    ``same_within``: an enrolled injection of the number that is so near in time is the same one.
    """
    known = _Known.of(session, keyring, asked)
    found = [_standing(one, known, keyring, wording, now, steps, same_within) for one in asked]
    latest: dict[str, datetime] = {}  # the injection whose messages go, by number
    for one in found:
        if one.is_new:
            number = one.asked.number
            planned = known.planned.get(keyring.number_hash(number), {})
            latest[number] = max(latest.get(number, one.asked.performed_at), one.asked.performed_at, *planned)
    return [_among(one, known, keyring, latest) if one.is_new else one for one in found]


def _standing(
    one: Asked,
    known: _Known,
    keyring: Keyring,
    wording: Wording,
    now: datetime,
    steps: Sequence[Step],
    same_within: timedelta,
) -> Standing:
    number_hash = keyring.number_hash(one.number)
    other_name = known.other_name(one, number_hash)
    there, refused = known.find(keyring, one, number_hash, same_within)
    if there or refused:
        return Standing(one, refused, there, other_name=other_name)
    if number_hash in known.ended:
        return Standing(one, ("phone", ENDED))
    try:
        due = checked(_enrolment(one, "", wording), now, steps)
    except EnrolError as error:
        return Standing(one, (COLUMN.get(error.field, error.field), str(error)))
    return Standing(one, due=due, other_name=other_name)


def _among(one: Standing, known: _Known, keyring: Keyring, latest: Mapping[str, datetime]) -> Standing:
    """What it does to the other injections of its number: only the latest has its messages sent."""
    performed = one.asked.performed_at
    if latest[one.asked.number] > performed:
        return replace(one, overtaken=True)
    planned = known.planned.get(keyring.number_hash(one.asked.number), {})
    return replace(one, replaces=sum(count for other, count in planned.items() if other < performed))


def bring(
    session: Session,
    keyring: Keyring,
    asked: Sequence[Asked],
    *,
    staff: str,
    wording: Wording,
    now: datetime,
    steps: Sequence[Step],
    same_within: timedelta = timedelta(0),
) -> Brought:
    """Enrol all, with names and references. Raises RefusedError (roll back) if one cannot be enrolled."""
    stands = standing(session, keyring, asked, wording=wording, now=now, steps=steps, same_within=same_within)
    refused = [(one.asked.line, *one.refused) for one in stands if one.refused]
    if refused:
        raise RefusedError(refused)
    fresh = [one.asked for one in stands if one.is_new]
    entries = [Entry(one.number, _enrolment(one, staff, wording)) for one in fresh]
    enrolled: dict[int, uuid.UUID] = {}
    already = {one.asked.line: one.known for one in stands if one.known}
    cancelled = 0
    for one, result in zip(fresh, enrol_many(session, keyring, entries, now=now, steps=steps), strict=True):
        if not isinstance(result, EnrolError):
            enrolled[one.line] = result.injection_id
            cancelled += result.replaced
        elif str(result) != ALREADY:  # else somebody enrolled it this moment
            refused.append((one.line, COLUMN.get(result.field, result.field), str(result)))
    if refused:
        raise RefusedError(refused)
    _keep_references(session, keyring, asked, {**already, **enrolled}, now)
    _keep_names(session, keyring, asked)
    return Brought(enrolled, already, cancelled)


@dataclass(frozen=True, slots=True)
class _Known:
    """What is stored about the numbers and references that are asked for, by number hash."""

    injections: Mapping[str, Sequence[tuple[datetime, uuid.UUID]]]
    references: Mapping[str, uuid.UUID]
    names: Mapping[str, str]
    ended: frozenset[str]
    planned: Mapping[str, Mapping[datetime, int]] = field(default_factory=dict)

    @classmethod
    def of(cls, session: Session, keyring: Keyring, asked: Sequence[Asked]) -> _Known:
        hashes = list({keyring.number_hash(one.number) for one in asked})
        keys = [outside_key(keyring, one.reference, one.system) for one in asked if one.reference]
        contacts = session.execute(
            sa.select(Contact.id, Contact.number_hash, Contact.name).where(_any(Contact.number_hash, hashes))
        ).all()
        hash_of = {row.id: row.number_hash for row in contacts}
        injections: dict[str, list[tuple[datetime, uuid.UUID]]] = {each: [] for each in hashes}
        for row in session.execute(
            sa.select(Injection.id, Injection.contact_id, Injection.performed_at).where(
                Injection.contact_id == sa.any_(sa.literal(list(hash_of), sa.ARRAY(sa.Uuid)))
            )
        ):
            injections[hash_of[row.contact_id]].append((row.performed_at, row.id))
        references = _references(session, keys)
        ids = [*references.values(), *(one for some in injections.values() for _, one in some)]
        off = again.called_off(session, ids)
        references = {key: one for key, one in references.items() if one not in off}
        injections = {hash_: [one for one in some if one[1] not in off] for hash_, some in injections.items()}
        ended = sa.or_(ConsentState.status == "opted_out", ConsentState.carrier_blocked)
        stopped = sa.select(ConsentState.number_hash).where(_any(ConsentState.number_hash, hashes), ended)
        names = {row.number_hash: row.name for row in contacts if row.name}
        planned = _planned(session, hash_of)
        return cls(injections, references, names, frozenset(session.scalars(stopped)), planned)

    def find(
        self, keyring: Keyring, one: Asked, number_hash: str, same_within: timedelta
    ) -> tuple[uuid.UUID | None, tuple[str, str] | None]:
        """The enrolled injection that is the one asked for; or why it cannot be that one."""
        named = None
        if one.reference:
            named = self.references.get(outside_key(keyring, one.reference, one.system))
        for performed, injection_id in self.injections.get(number_hash, ()):
            near = abs(performed - one.performed_at) <= same_within
            if near and (named is None or named == injection_id):
                return injection_id, None
        return (None, ("reference", TAKEN)) if named else (None, None)

    def other_name(self, one: Asked, number_hash: str) -> bool:
        """Whether the number is kept under a name that is not the one asked for."""
        kept = self.names.get(number_hash, "")
        return bool(one.name and kept) and set(words_of(kept)) != set(words_of(one.name))


def _references(session: Session, keys: Sequence[str]) -> dict[str, uuid.UUID]:
    """The injections that are called so, by key."""
    query = sa.select(Injection.outside_key, Injection.id).where(_any(Injection.outside_key, list(keys)))
    firsts = {row.outside_key: row.id for row in session.execute(query)}
    return {**identifiers.owners(session, keys), **firsts}


def _any(
    column: sa.orm.InstrumentedAttribute[str] | sa.orm.InstrumentedAttribute[str | None], values: list[str]
) -> sa.ColumnElement[bool]:
    return column == sa.any_(sa.literal(values, sa.ARRAY(sa.Text)))


def _planned(session: Session, hash_of: Mapping[uuid.UUID, str]) -> dict[str, dict[datetime, int]]:
    """How many messages are planned for each injection."""
    rows = session.execute(
        sa.select(Injection.contact_id, Injection.performed_at, sa.func.count().label("count"))
        .join(OutboundMessage, OutboundMessage.injection_id == Injection.id)
        .where(
            Injection.contact_id == sa.any_(sa.literal(list(hash_of), sa.ARRAY(sa.Uuid))),
            outbox.REMINDERS,
            OutboundMessage.status.in_(outbox.OPEN),
        )
        .group_by(Injection.contact_id, Injection.performed_at)
    )
    planned: dict[str, dict[datetime, int]] = defaultdict(dict)
    for row in rows:
        planned[hash_of[row.contact_id]][row.performed_at] = row._mapping["count"]
    return planned


def _enrolment(one: Asked, staff: str, wording: Wording) -> Enrolment:
    text, version = wording[one.language]
    return Enrolment(one.performed_at, one.timezone, one.language, True, text, version, staff, one.channel)


def _keep_references(
    session: Session, keyring: Keyring, asked: Iterable[Asked], ids: Mapping[int, uuid.UUID], now: datetime
) -> None:
    rows = [
        {
            "b_id": ids[one.line],
            "b_reference": one.reference,
            "b_key": outside_key(keyring, one.reference, one.system),
        }
        for one in asked
        if one.reference and one.line in ids
    ]
    if not rows:
        return
    meant = {
        outside_key(keyring, one.reference, one.system): ids[one.line]
        for one in asked
        if one.reference and one.line in ids
    }
    # What was called off gives its name to the one that is enrolled in its stead.
    stale = sa.update(Injection).where(
        _any(Injection.outside_key, list(meant)),
        again.is_called_off(),
    )
    session.execute(
        stale.values(outside_key=None, outside_reference=None),
        execution_options={"synchronize_session": False},
    )
    session.connection().execute(
        sa.update(Injection)
        .where(Injection.id == sa.bindparam("b_id"), Injection.outside_key.is_(None))
        .values(outside_reference=sa.bindparam("b_reference"), outside_key=sa.bindparam("b_key")),
        rows,
    )
    identifiers.keep(session, meant, now=now)
    for system in sorted({one.system for one in asked if one.reference and one.system}):
        name = f"{_SYSTEM}{hashlib.sha256(system.encode()).hexdigest()[:16]}"
        new = insert(ClinicSetting).values(name=name, value=system, changed_at=now, changed_by="line")
        session.execute(new.on_conflict_do_nothing())


def _keep_names(session: Session, keyring: Keyring, asked: Iterable[Asked]) -> None:
    """Names of contacts that had none; a name that staff or an earlier file gave is left as it is."""
    names: dict[str, str] = {}
    for one in asked:
        if one.name:
            names.setdefault(keyring.number_hash(one.number), one.name)
    if not names:
        return
    nameless = sa.select(Contact.id, Contact.number_hash).where(
        _any(Contact.number_hash, list(names)), Contact.name.is_(None)
    )
    rows = session.execute(nameless.order_by(Contact.id).with_for_update()).all()
    if not rows:
        return
    session.connection().execute(
        sa.update(Contact).where(Contact.id == sa.bindparam("b_id")).values(name=sa.bindparam("b_name")),
        [{"b_id": row.id, "b_name": names[row.number_hash]} for row in rows],
    )
    keys = [
        {"key": key, "contact_id": row.id}
        for row in rows
        for key in sorted(name_keys(keyring, names[row.number_hash]))
    ]
    if keys:
        session.execute(insert(ContactNameKey).on_conflict_do_nothing(), keys)


def counted(stands: Iterable[Standing]) -> Counter[str]:
    """How many there are of each sort: new, already, refused, messages, replaces, overtaken, other_name."""
    sums: Counter[str] = Counter()
    for one in stands:
        sums["refused"] += one.refused is not None
        sums["already"] += one.known is not None
        sums["other_name"] += one.other_name
        if one.is_new:
            sums["new"] += 1
            sums["overtaken"] += one.overtaken
            sums["messages"] += 0 if one.overtaken else len(one.due)
            sums["replaces"] += one.replaces
    return sums
