"""Names of contacts, and the keys by which staff find them."""

from __future__ import annotations

import threading

import pytest
import sqlalchemy as sa

from nurseline.messaging.contacts import contact_for
from nurseline.messaging.models import Contact, ContactNameKey
from nurseline.messaging.names import NAME_LONGEST, name_keys, search_keys, set_name, words_of
from nurseline.parts import Parts

NUMBER = "+12025550123"


def named(parts: Parts, name: str, number: str = NUMBER) -> Contact:
    with parts.db.begin() as session:
        contact = contact_for(session, parts.keyring, number, at=parts.clock.now())
        set_name(session, parts.keyring, contact, name)
    return contact


def stored(parts: Parts, contact: Contact) -> tuple[str | None, set[str]]:
    with parts.db.begin() as session:
        name = session.scalar(sa.select(Contact.name).where(Contact.id == contact.id))
        query = sa.select(ContactNameKey.key).where(ContactNameKey.contact_id == contact.id)
        return name, set(session.scalars(query))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Ana María Núñez", ["ana", "maria", "nunez"]),
        ("O’Neil-Straße", ["oneil", "strasse"]),
        ("Łukasz Søren", ["lukasz", "soren"]),
        ("  ", []),
        ("😀 J. R.", ["j", "r"]),
        ("李 明", ["李", "明"]),
    ],
)
def test_a_name_is_compared_without_case_accents_and_signs(name: str, words: list[str]) -> None:
    assert words_of(name) == words


def test_a_name_is_found_by_the_beginnings_of_its_words_and_only_by_them(parts: Parts) -> None:
    keys = name_keys(parts.keyring, "Ana María Featherstonehaugh")
    for typed in ("an", "MAR", "maria ana", "feath", "Featherstonehaugh", "mária"):
        assert search_keys(parts.keyring, typed) <= keys, typed
    for typed in ("na", "ana maria x", "featherstonx", "m"):
        assert not search_keys(parts.keyring, typed) <= keys, typed


def test_keys_tell_nothing_without_the_key(parts: Parts) -> None:
    keys = name_keys(parts.keyring, "Ana")
    assert len(keys) == 2
    assert all(len(key) == 64 and "ana" not in key for key in keys)
    assert parts.keyring.number_hash("an") not in keys


def test_setting_another_name_replaces_the_keys_and_an_empty_one_takes_them_away(parts: Parts) -> None:
    contact = named(parts, "Ana  Núñez ")
    assert stored(parts, contact) == ("Ana Núñez", name_keys(parts.keyring, "Ana Nunez"))
    named(parts, "Bea")
    assert stored(parts, contact) == ("Bea", name_keys(parts.keyring, "Bea"))
    named(parts, " ")
    assert stored(parts, contact) == (None, set())


def test_a_name_that_is_too_long_is_refused_and_nothing_changes(parts: Parts) -> None:
    contact = named(parts, "x" * NAME_LONGEST)
    with pytest.raises(ValueError, match="at most 80"):
        named(parts, "x" * (NAME_LONGEST + 1))
    assert stored(parts, contact)[0] == "x" * NAME_LONGEST


def test_two_names_at_once_leave_the_keys_of_the_name_that_stands(parts: Parts) -> None:
    contact = named(parts, "First")
    wanted = [f"Name{n}" for n in range(6)]
    threads = [threading.Thread(target=named, args=(parts, name)) for name in wanted]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    name, keys = stored(parts, contact)
    assert name in wanted
    assert keys == name_keys(parts.keyring, name or "")
