"""Between the password and the second step: who has given the first and owes the second.

Until the second step is done nobody is signed in: the cookie holds only who it was and when.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Literal

from flask import session
from flask_security import login_user

from nurseline.parts import current_parts
from nurseline.staff import second_step
from nurseline.staff.models import StaffUser

WAITS = timedelta(minutes=10)
_KEY = "entrance"
_SECRET = "new_second_step"  # noqa: S105 - a name in the cookie; what it holds is encrypted
By = Literal["authenticator", "recovery_code", "set_up"]


def owes(user: StaffUser) -> bool:
    """Whether a password alone does not sign this person in."""
    return second_step.is_on(user) or current_parts().settings.totp_required


def wait(user: StaffUser) -> None:
    """Note that ``user`` has given the password and owes the second step. Nobody is signed in by this."""
    session.clear()
    at = current_parts().clock.now().isoformat()
    session[_KEY] = {"user": str(user.id), "at": at, "sign": user.fs_uniquifier}


def is_waiting() -> bool:
    """Whether this browser owes a second step, as far as its cookie says."""
    return _KEY in session


def waiting() -> StaffUser | None:
    """Who owes the second step here; None if nobody does, or not any more."""
    noted = session.get(_KEY)
    if noted is None:
        return None
    parts = current_parts()
    with parts.db.begin() as rows:
        user = rows.get(StaffUser, uuid.UUID(noted["user"]))
    in_time = parts.clock.now() - datetime.fromisoformat(noted["at"]) < WAITS
    if user is None or not user.active or user.fs_uniquifier != noted["sign"] or not in_time:
        session.clear()
        return None
    return user


def finish(user: StaffUser, by: By) -> None:
    """Sign ``user`` in: the second step is done. Nothing of the cookie of before is kept."""
    session.clear()
    login_user(user, authn_via=["password", by])


def new_secret() -> str:
    """The secret that this browser is setting up, made at its first look; only its cookie keeps it so far."""
    keyring = current_parts().keyring
    if _SECRET not in session:
        session[_SECRET] = keyring.encrypt(second_step.new_secret()).decode()
    return keyring.decrypt(session[_SECRET].encode())


def known_secret() -> str | None:
    """The secret that this browser has been shown, if any."""
    return new_secret() if _SECRET in session else None


def forget_secret() -> None:
    """It is kept with the account now."""
    session.pop(_SECRET, None)
