"""Which outbound messages go to a contact.

What belongs to an injection stands under that injection, the rest in an index of contacts. A reminder in that
index too would be written into a page of its own at every claim: contacts are in no order of time, so that
with millions of planned reminders nearly every claimed row would cost a whole page of the database's log.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence

import sqlalchemy as sa
from sqlalchemy.sql import ColumnElement

from nurseline.messaging.models import OutboundMessage

# Of aftercare's table messaging knows only whose an injection is.
_INJECTIONS = sa.table("injections", sa.column("id", sa.Uuid), sa.column("contact_id", sa.Uuid))
_MESSAGE = OutboundMessage.__table__.c
_UUIDS = sa.ARRAY(sa.Uuid)
# What the index of contacts holds; to be named by whoever wants to use it alone.
OF_NO_INJECTION: ColumnElement[bool] = _MESSAGE.injection_id.is_(None)


def to_contact(
    contact: uuid.UUID | ColumnElement[uuid.UUID] | sa.ScalarSelect[uuid.UUID],
) -> ColumnElement[bool]:
    """Everything that goes to one contact."""
    return _either(lambda column: column == contact)


def to_contacts(contacts: Sequence[uuid.UUID] | sa.BindParameter[Sequence[uuid.UUID]]) -> ColumnElement[bool]:
    """Everything that goes to some contacts; they may be a parameter of type `UUIDS`."""
    some = contacts if isinstance(contacts, sa.BindParameter) else sa.literal(list(contacts), _UUIDS)
    return _either(lambda column: column == sa.any_(some))


def _either(is_theirs: Callable[[ColumnElement[uuid.UUID]], ColumnElement[bool]]) -> ColumnElement[bool]:
    # An array is looked up before the rows are: then both ways are found in their index, and put together.
    injections = sa.select(_INJECTIONS.c.id).where(is_theirs(_INJECTIONS.c.contact_id)).scalar_subquery()
    theirs = _MESSAGE.injection_id == sa.any_(sa.func.array(injections, type_=_UUIDS))
    return sa.or_(sa.and_(is_theirs(_MESSAGE.contact_id), OF_NO_INJECTION), theirs)
