"""Finding contacts, items and injections by number, name or reference.

Nothing of a patient is stored in a form that can be searched: numbers and references are found by keyed
hashes of the whole, names by keyed hashes of how each word begins. So a number must be typed whole, in any
way of writing it; its last four digits alone find nothing.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session, selectinload

from nurseline.aftercare import identifiers
from nurseline.aftercare.bringing import outside_key, systems
from nurseline.aftercare.models import Injection
from nurseline.callbacks.models import OPEN, CallbackItem
from nurseline.crypto import Keyring
from nurseline.messaging.models import Contact, ContactNameKey
from nurseline.messaging.names import SHORTEST_KEY, search_keys, words_of
from nurseline.phone import parse
from nurseline.staff.queries.numbers import masked
from nurseline.zones import zone

SHOWN = 50  # contacts, and items and injections likewise
_REFERENCE = re.compile(r"(?:no\.?|#|item)?\s*(\d{4,12})", re.IGNORECASE)
_LOOKS_LIKE_A_NUMBER = re.compile(r"[\d\s()+.\-/•]{4,}")
Hint = Literal["short_name", "part_of_number", "not_whole_number", ""]


@dataclass(frozen=True, slots=True)
class FoundContact:
    """A contact; ``number`` is masked. ``open_items``: how many wait for a person."""

    id: uuid.UUID
    name: str
    number: str
    first_seen_at: datetime
    open_items: int


@dataclass(frozen=True, slots=True)
class FoundInjection:
    """An injection found by the clinic's own reference for it; ``number`` is masked."""

    injection: Injection
    number: str
    local: datetime


@dataclass(frozen=True, slots=True)
class Found:
    """All that was found. ``more``: contacts beyond those shown. ``hint``: why it may be nothing."""

    contacts: Sequence[FoundContact] = ()
    items: Sequence[tuple[CallbackItem, str]] = ()
    injections: Sequence[FoundInjection] = ()
    more: bool = False
    hint: Hint = ""

    @property
    def nothing(self) -> bool:
        """Whether nothing was found."""
        return not (self.contacts or self.items or self.injections)

    @property
    def seen(self) -> list[uuid.UUID]:
        """The contacts of whom something is shown."""
        ids = [one.id for one in self.contacts]
        ids += [item.contact_id for item, _ in self.items if item.contact_id]
        ids += [one.injection.contact_id for one in self.injections]
        return list(dict.fromkeys(ids))


@dataclass(frozen=True, slots=True)
class _Wanted:
    number: str = ""
    reference: int = 0
    keys: frozenset[str] = field(default_factory=frozenset)
    outside: str = ""
    hint: Hint = ""


def search(session: Session, keyring: Keyring, typed: str, *, regions: frozenset[str]) -> Found:
    """What fits ``typed``: a whole number, names, an item's number, or the clinic's own reference."""
    wanted = _read(keyring, typed, regions)
    contacts = _contacts(session, keyring, wanted)
    return Found(
        _described(session, contacts[:SHOWN]),
        _items(session, wanted),
        _injections(session, keyring, wanted),
        more=len(contacts) > SHOWN,
        hint=wanted.hint,
    )


def _read(keyring: Keyring, typed: str, regions: frozenset[str]) -> _Wanted:
    text = " ".join(typed.split())
    reference = _REFERENCE.fullmatch(text)
    digits = "".join(c for c in text if c.isdigit())
    number = parse(text, regions=regions).e164 if len(digits) >= 7 else ""
    words = words_of(text)
    is_name = bool(words) and not _LOOKS_LIKE_A_NUMBER.fullmatch(text)
    keys: frozenset[str] = frozenset()
    hint: Hint = ""
    if is_name and max(map(len, words)) >= SHORTEST_KEY:
        keys = frozenset(search_keys(keyring, text))
    elif is_name:
        hint = "short_name"
    elif digits and not number:
        hint = "part_of_number" if len(digits) < 7 else "not_whole_number"
    return _Wanted(number, int(reference[1]) if reference else 0, keys, text, hint)


def _contacts(session: Session, keyring: Keyring, wanted: _Wanted) -> Sequence[Contact]:
    if wanted.number:
        mine = Contact.number_hash == keyring.number_hash(wanted.number)
    elif wanted.keys:
        fits = (
            sa.select(ContactNameKey.contact_id)
            .where(ContactNameKey.key.in_(wanted.keys))
            .group_by(ContactNameKey.contact_id)
            .having(sa.func.count() == len(wanted.keys))
        )
        mine = Contact.id.in_(fits)
    else:
        return []
    newest = (Contact.first_seen_at.desc(), Contact.id)
    return session.scalars(sa.select(Contact).where(mine).order_by(*newest).limit(SHOWN + 1)).all()


def _described(session: Session, contacts: Sequence[Contact]) -> list[FoundContact]:
    ids = [contact.id for contact in contacts]
    count = (
        sa.select(CallbackItem.contact_id, sa.func.count())
        .where(CallbackItem.contact_id.in_(ids), CallbackItem.status.in_(OPEN))
        .group_by(CallbackItem.contact_id)
    )
    waiting = {row[0]: row[1] for row in session.execute(count)} if ids else {}
    found = [
        FoundContact(one.id, one.name or "", masked(one.number), one.first_seen_at, waiting.get(one.id, 0))
        for one in contacts
    ]
    return sorted(found, key=lambda one: (one.name.casefold(), one.first_seen_at))


def _items(session: Session, wanted: _Wanted) -> list[tuple[CallbackItem, str]]:
    if not wanted.reference:
        return []
    query = sa.select(CallbackItem).where(CallbackItem.reference == wanted.reference)
    rows = session.scalars(query.options(selectinload(CallbackItem.contact)))
    return [(row, masked(row.contact.number) if row.contact else "no number") for row in rows]


def _injections(session: Session, keyring: Keyring, wanted: _Wanted) -> list[FoundInjection]:
    if not wanted.outside:
        return []
    keys = [outside_key(keyring, wanted.outside, system) for system in systems(session)]
    further = set(identifiers.owners(session, keys).values())
    named = sa.or_(Injection.outside_key.in_(keys), Injection.id.in_(further))
    query = sa.select(Injection).where(named).limit(SHOWN)
    return list(_shown(session.scalars(query.options(selectinload(Injection.contact)))))


def _shown(rows: Iterable[Injection]) -> Iterable[FoundInjection]:
    for row in rows:
        local = row.performed_at.astimezone(zone(row.timezone))
        yield FoundInjection(row, masked(row.contact.number), local)
