"""Names of contacts: kept encrypted, and found by how a word of them begins.

A database that is stolen without the key tells neither names nor which contacts share one: what is searched
are keyed hashes of the beginnings of each word.
"""

from __future__ import annotations

import re
import unicodedata

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from nurseline.crypto import Keyring
from nurseline.messaging.models import Contact, ContactNameKey

NAME_LONGEST = 80  # letters
SHORTEST_KEY, LONGEST_KEY = 2, 12  # letters of a word that a key is made of; longer words are cut
_WORD = re.compile(r"[^\W_]+")
# Letters that are one sign with their stroke or tail, so that removing accents leaves them as they are.
_PLAIN = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i"})
_APOSTROPHES = re.compile(r"['’ʼ`´]")


def words_of(name: str) -> list[str]:
    """The words of a name as they are compared: small letters, no accents; ``O'Neil`` is one word."""
    joined = _APOSTROPHES.sub("", name.casefold())
    apart = unicodedata.normalize("NFKD", joined).casefold()
    plain = "".join(c for c in apart if not unicodedata.combining(c)).translate(_PLAIN)
    return _WORD.findall(plain)


def name_keys(keyring: Keyring, name: str) -> set[str]:
    """Keyed hashes of every beginning, of 2 to 12 letters, of each word of a name.

    A word of one letter is kept as it is.
    """
    return {
        _key(keyring, word[:length])
        for word in words_of(name)
        for length in range(min(SHORTEST_KEY, len(word)), min(LONGEST_KEY, len(word)) + 1)
    }


def search_keys(keyring: Keyring, typed: str) -> set[str]:
    """The keys that a contact must have, all of them, for its name to fit what was typed: one a word."""
    return {_key(keyring, word[:LONGEST_KEY]) for word in words_of(typed)}


def set_name(session: Session, keyring: Keyring, contact: Contact, name: str) -> None:
    """Keep ``name`` for a contact, with the keys that find it; an empty one takes both away.

    Two people at once: the later one's name stands, and its keys. Raises ValueError if it is too long.
    """
    tidy = " ".join(name.split())
    if len(tidy) > NAME_LONGEST:
        raise ValueError(f"a name has at most {NAME_LONGEST} letters, this has {len(tidy)}")
    changed = sa.update(Contact).where(Contact.id == contact.id).values(name=tidy or None)
    session.execute(changed)  # locks the contact, so that names and keys of two never mix
    session.execute(sa.delete(ContactNameKey).where(ContactNameKey.contact_id == contact.id))
    keys = [{"key": key, "contact_id": contact.id} for key in sorted(name_keys(keyring, tidy))]
    if keys:
        session.execute(insert(ContactNameKey).on_conflict_do_nothing(), keys)


def _key(keyring: Keyring, beginning: str) -> str:
    return keyring.number_hash(f"name:{beginning}")  # numbers begin with +, so the two never meet
