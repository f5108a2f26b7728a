"""The telephone of a staff member, which rings when they call a patient back."""

from __future__ import annotations

import uuid

from sqlalchemy.orm import Session

from nurseline.clock import Clock
from nurseline.config import Settings
from nurseline.phone import Kind, parse
from nurseline.staff import audit
from nurseline.staff.models import StaffUser

TYPED_LONGEST = 40
_NOT_A_PHONE: dict[Kind, str] = {
    "toll_free": "This is a toll-free or service number. The number of a telephone is needed.",
    "short_code": "This is too short for a phone number. Write all ten digits.",
    "foreign": "This number is from a country that the line does not call.",
    "anonymous": "Write the number of your phone.",
    "invalid": "This is not a phone number. Write all ten digits, like 202-555-0199.",
}


class OwnPhoneError(ValueError):
    """Why a number cannot be a staff member's telephone, in words for them."""


def read(text: str, settings: Settings) -> str:
    """The number in E.164. Raises OwnPhoneError, also for the line's own number, which would call itself."""
    if len(text) > TYPED_LONGEST:
        raise OwnPhoneError("This is too long for a phone number.")
    number = parse(text, regions=settings.regions)
    if number.e164 and number.e164 == parse(settings.twilio_from).e164:
        raise OwnPhoneError("This is the line's own number. The number of your own phone is needed.")
    if number.kind != "person":
        raise OwnPhoneError(_NOT_A_PHONE[number.kind])
    return number.e164


def of(session: Session, staff_id: str) -> str:
    """The telephone of this person; empty if none is known."""
    user = session.get(StaffUser, uuid.UUID(staff_id))
    return (user.phone or "") if user else ""


def keep(session: Session, user: StaffUser, number: str | None, clock: Clock, *, actor: str) -> None:
    """Set or forget somebody's telephone, and write down who did. ``actor``: a staff id, or ``command``."""
    user.phone = number
    audit.record(session, actor, "phone_set", at=clock.now(), account_id=user.id)
