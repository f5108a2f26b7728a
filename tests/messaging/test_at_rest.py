"""What the tables hold is unreadable without the key: numbers and words of patients."""

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import StatementError

from nurseline.crypto import UndecryptableError, new_key
from nurseline.db import UNREADABLE, Database, shown
from nurseline.messaging.contacts import contact_for, find_contact, locked_conversation
from nurseline.messaging.models import Contact, InboundMessage
from nurseline.messaging.sending import Sender
from nurseline.parts import Parts
from tests.support.line import NUMBER, at_once, make_contact, plan_one

WORDS = "My shoulder hurts since Tuesday"


def raw_rows(parts: Parts, table: str) -> str:
    """A whole table as text, and its bytes as PostgreSQL stores them."""
    with parts.db.begin() as session:
        rows = session.execute(sa.text(f"SELECT * FROM {table}")).all()
        texts = session.scalars(sa.text(f"SELECT {table}::text FROM {table}")).all()
    cells = [bytes(v) for row in rows for v in row if isinstance(v, bytes | memoryview)]
    return " ".join(texts) + " ".join(cell.decode("latin-1") for cell in cells)


def test_neither_number_nor_words_of_a_message_can_be_read_in_the_tables(
    parts: Parts, sender: Sender
) -> None:
    contact = make_contact(parts, agreed=True)
    plan_one(parts, contact, body=WORDS)
    plan_one(parts, contact, body=None, content_id="reminder.day1")
    sender.send_due()
    with parts.db.begin() as session:
        session.add(
            InboundMessage(
                message_sid="SM1",
                contact_id=contact.id,
                sender=NUMBER,
                body=WORDS,
                received_at=parts.clock.now(),
            )
        )
        locked_conversation(session, contact).state = WORDS
    said = parts.say("reminder.day1", "en").text
    tables = ("contacts", "outbound_messages", "outbound_events", "inbound_messages", "conversations")
    for table in tables:
        stored = raw_rows(parts, table)
        assert stored.strip(), table
        for secret in (NUMBER, NUMBER[2:], "5550123", "shoulder", said[:20], said[-20:]):
            assert secret not in stored, table


def test_another_key_does_not_open_them(parts: Parts) -> None:
    make_contact(parts)
    stranger = Database(parts.settings.database_url, type(parts.keyring)([new_key()]))
    with pytest.raises(ValueError, match="none of the keys") as refused, stranger.begin() as session:
        session.scalars(sa.select(Contact)).all()
    assert NUMBER not in str(refused.value)
    stranger.engine.dispose()


def test_an_error_of_the_database_tells_no_number_and_no_words(parts: Parts) -> None:
    contact = make_contact(parts)

    def store() -> None:
        same = {"message_sid": "SM1", "sender": NUMBER, "body": WORDS, "received_at": parts.clock.now()}
        with parts.db.begin() as session:
            session.add(InboundMessage(contact_id=contact.id, **same))

    store()
    with pytest.raises(sa.exc.IntegrityError) as broken:
        store()
    naive = parts.clock.now().replace(tzinfo=None)
    row = {"message_sid": "SM2", "sender": NUMBER, "body": WORDS, "received_at": naive}
    with parts.db.begin() as session, pytest.raises(sa.exc.StatementError, match="time zone") as refused:
        session.connection().execute(sa.insert(InboundMessage.__table__), row)
    for error in (broken.value, refused.value):
        assert NUMBER not in str(error)
        assert WORDS not in str(error)


def test_a_number_is_found_again_by_its_hash_and_made_once_by_many(parts: Parts) -> None:
    def make() -> object:
        with parts.db.begin() as session:
            return contact_for(session, parts.keyring, NUMBER, at=parts.clock.now()).id

    assert len(set(at_once(*[make] * 8))) == 1
    with parts.db.begin() as session:
        found = find_contact(session, parts.keyring, NUMBER)
        assert found is not None
        assert found.number == NUMBER
        assert find_contact(session, parts.keyring, "+12025550000") is None


def test_the_conversation_of_a_contact_is_worked_on_by_one_at_a_time(parts: Parts) -> None:
    contact = make_contact(parts)

    def append() -> None:
        with parts.db.begin() as session:
            conversation = locked_conversation(session, contact)
            conversation.state += "x"

    assert at_once(*[append] * 8) == [None] * 8
    with parts.db.begin() as session:
        assert locked_conversation(session, contact).state == "x" * 8


def test_what_no_key_opens_is_shown_as_unreadable_only_where_that_is_asked_for(parts: Parts) -> None:
    contact = make_contact(parts)
    heard: list[Exception] = []
    with parts.db.begin() as session:
        session.execute(sa.text("UPDATE contacts SET number = 'x'"))
    with shown(heard.append), parts.db.begin() as session:
        assert session.get_one(Contact, contact.id).number == UNREADABLE
    assert [type(error) for error in heard] == [UndecryptableError]
    with pytest.raises(UndecryptableError), parts.db.begin() as session:
        session.get(Contact, contact.id)


def test_what_stands_for_the_unreadable_is_never_stored(parts: Parts) -> None:
    contact = make_contact(parts)
    with shown(list[Exception]().append), parts.db.begin() as session:
        session.execute(sa.text("UPDATE contacts SET number = 'x'"))
        row = session.get_one(Contact, contact.id, populate_existing=True)
        row.language = "es"
    with parts.db.begin() as session:
        assert session.execute(sa.text("SELECT number, language FROM contacts")).one() == (b"x", "es")
    with pytest.raises(StatementError, match="must not take the place"), parts.db.begin() as session:
        session.execute(sa.update(Contact).values(name=UNREADABLE))
