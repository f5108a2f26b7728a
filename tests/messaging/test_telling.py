"""Texts to people of the clinic: one that cannot be told keeps none of the others from it."""

import pytest
import sqlalchemy as sa
from structlog.testing import CapturedCall, CapturingLogger

from nurseline.messaging import telling
from nurseline.messaging.contacts import contact_for
from nurseline.messaging.models import OutboundMessage
from nurseline.parts import Parts
from tests.support.line import make_contact

FIRST, SECOND, THIRD = "+12025550171", "+12025550172", "+12025550173"


def tell(parts: Parts) -> list[str]:
    """Tell three people; the hashes of those whom a text is planned for."""
    with parts.db.begin() as session:
        session.execute(sa.text("SET LOCAL lock_timeout = '100ms'"))
        telling.tell(
            session, parts.keyring, (FIRST, SECOND, THIRD, FIRST), "alert.late", at=parts.clock.now()
        )
    with parts.db.begin() as session:
        return sorted(session.scalars(sa.select(OutboundMessage.number_hash)))


def hashes(parts: Parts, *numbers: str) -> list[str]:
    return sorted(parts.keyring.number_hash(number) for number in numbers)


def test_each_number_is_told_once(parts: Parts) -> None:
    make_contact(parts, SECOND)
    assert tell(parts) == hashes(parts, FIRST, SECOND, THIRD)


def test_a_number_that_somebody_else_holds_keeps_no_other_from_being_told(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telling, "log", logs := CapturingLogger())
    with parts.db.begin() as other:
        contact_for(other, parts.keyring, SECOND, at=parts.clock.now())
        assert tell(parts) == hashes(parts, FIRST, THIRD)
    assert logs.calls == [CapturedCall("error", ("alert.left_out",), {"error": "OperationalError"})]


def test_a_text_is_planned_for_a_number_that_no_key_opens(parts: Parts) -> None:
    make_contact(parts, SECOND)
    with parts.db.begin() as session:
        session.execute(sa.text("UPDATE contacts SET number = 'x', name = 'x'"))
    assert tell(parts) == hashes(parts, FIRST, SECOND, THIRD)
