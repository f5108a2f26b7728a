"""Signing out. Signing in is Flask-Security's view with our form (accounts.py)."""

from __future__ import annotations

import structlog
from flask import flash, redirect, session, url_for
from flask.typing import ResponseReturnValue
from flask_security import logout_user

from nurseline.parts import current_parts
from nurseline.staff import audit, sessions
from nurseline.staff.access import allow, blueprint, viewer, when_locked

log = structlog.get_logger(__name__)


@blueprint.post("/sign-out")
@allow()
@when_locked
def sign_out() -> ResponseReturnValue:
    """End this session here and in the database."""
    parts, person = current_parts(), viewer()
    now = parts.clock.now()
    with parts.db.begin() as rows:
        sessions.end(rows, person.session_id, now=now)
        audit.record(rows, person.id, "signed_out", at=now)
    logout_user()
    session.clear()
    log.info("staff.signed_out", staff=person.id)
    flash("You are signed out.", "info")
    return redirect(url_for("security.login"))
