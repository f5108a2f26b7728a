"""The idle lock: what its script asks for, and the page that unlocks without a script.

A session that was idle for 15 minutes is not over: its own person opens it again with the password, for up to
ten hours after the sign-in. Nobody else can: the session belongs to one account.
"""

from __future__ import annotations

import uuid

import structlog
from flask import jsonify, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import generate_csrf

from nurseline.parts import current_parts
from nurseline.staff import audit, passwords, sessions
from nurseline.staff.access import allow, blueprint, is_by_script, passive, viewer, when_locked
from nurseline.staff.accounts import SESSION_ID, accounts, attempt_of, is_staff_path, too_many
from nurseline.staff.models import StaffUser
from nurseline.staff.people_forms import OwnPasswordForm

log = structlog.get_logger(__name__)

WRONG = "That is not your password."
GONE = "Your sign-in has ended. Sign in again."
SOMEBODY_ELSE = "Somebody else has signed in on this computer."


@blueprint.get("/lock/state")
@allow()
@passive
@when_locked
def lock_state() -> ResponseReturnValue:
    """Whose session this is, for how many seconds it stays open, and the token for forms; no activity."""
    parts = current_parts()
    with parts.db.begin() as rows:
        left = sessions.idle_left(rows, viewer().session_id, now=parts.clock.now())
    return jsonify(person=viewer().id, seconds=int(left.total_seconds()), token=generate_csrf())


@blueprint.post("/lock/active")
@allow()
def still_active() -> ResponseReturnValue:
    """Somebody types or moves on the page: that is activity, although nothing is sent."""
    return "", 204


@blueprint.post("/lock/now")
@allow()
def lock_now() -> ResponseReturnValue:
    """Lock this session at once: somebody leaves the desk."""
    parts = current_parts()
    with parts.db.begin() as rows:
        sessions.lock(rows, viewer().session_id, now=parts.clock.now())
    return redirect(url_for("staff.locked", next=_next()))


@blueprint.get("/locked")
@allow()
@when_locked
def locked() -> ResponseReturnValue:
    """Ask for the password of the person whose session it is."""
    parts = current_parts()
    with parts.db.begin() as rows:
        left = sessions.idle_left(rows, viewer().session_id, now=parts.clock.now())
    if left:
        return redirect(_next() or url_for("staff.queue"))
    return _page(OwnPasswordForm(formdata=None))


@blueprint.post("/unlock")
@allow()
@when_locked
def unlock() -> ResponseReturnValue:
    """Open the session again. The script gets JSON; without it the page is shown again, or left."""
    problem, status = _unlock(request.form.get("person", viewer().id), request.form.get("password", ""))
    if is_by_script():
        return jsonify(problem=problem, token=generate_csrf()), status
    if not problem:
        return redirect(_next() or url_for("staff.queue"))
    if SESSION_ID not in session:
        return redirect(url_for("security.login", next=_next()))
    form = OwnPasswordForm(formdata=None)
    form.password.errors = [problem]
    return _page(form), status


def _unlock(person: str, password: str) -> tuple[str, int]:
    """What is wrong, empty if nothing is, and the HTTP status that says the same."""
    if person != viewer().id:
        return SOMEBODY_ELSE, 409
    parts, user_id = current_parts(), uuid.UUID(viewer().id)
    now = parts.clock.now()
    with parts.db.begin() as rows:
        user = rows.get_one(StaffUser, user_id)
    attempt = attempt_of(user, "unlock")
    if wait := accounts().throttle.count(attempt):
        return too_many(wait), 429
    fits = passwords.fits(password, user.password)
    with parts.db.begin() as rows:
        if not fits:
            audit.record(rows, viewer().id, "unlock_failed", at=now, account_id=user_id)
            log.warning("staff.unlock_failed", staff=viewer().id)
            return WRONG, 422
        opened = sessions.unlock(rows, viewer().session_id, user_id, now=now)
        if opened:
            audit.record(rows, viewer().id, "session_unlocked", at=now, account_id=user_id)
    accounts().throttle.succeeded(attempt)
    if not opened:
        session.clear()
    return ("", 200) if opened else (GONE, 410)


def _page(form: OwnPasswordForm) -> str:
    return render_template(
        "staff/locked.html", form=form, next=_next() or "", person=viewer().name, viewer=None
    )


def _next() -> str | None:
    target = request.values.get("next", "")
    return target if is_staff_path(target) else None
