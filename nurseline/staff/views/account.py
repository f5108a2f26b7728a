"""One's own account: password, second step, recovery codes, sessions."""

from __future__ import annotations

import uuid
from datetime import datetime

from flask import flash, redirect, render_template, session, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from nurseline.parts import current_parts
from nurseline.staff import audit, entrance, passwords, people, second_step, sessions
from nurseline.staff.access import allow, blueprint, viewer
from nurseline.staff.accounts import accounts, attempt_of, too_many
from nurseline.staff.models import StaffUser
from nurseline.staff.people_forms import ChangePasswordForm, OwnPasswordForm, ReplaceStepForm
from nurseline.staff.rights import RIGHTS, ROLE_WORDS
from nurseline.staff.views.second_step import NOT_YET, picture

WRONG = "That is not your password."


@blueprint.get("/account")
@allow()
def account() -> ResponseReturnValue:
    """What is kept about the own account, and where it is signed in."""
    parts = current_parts()
    with parts.db.begin() as rows:
        user = _own(rows)
        open_ones = sessions.open_ones(rows, user.id, now=parts.clock.now())
    return render_template(
        "staff/account.html",
        user=user,
        roles=[ROLE_WORDS[role] for role in ROLE_WORDS if role in viewer().roles],
        may=[right.what for right in RIGHTS if right.roles & viewer().roles],
        sessions=open_ones,
        idle=sessions.IDLE,
        is_on=second_step.is_on(user),
        required=parts.settings.totp_required,
        codes_left=len(user.mf_recovery_codes or []),
    )


@blueprint.post("/account/sessions/<uuid:session_id>/end")
@allow()
def end_session(session_id: uuid.UUID) -> ResponseReturnValue:
    """Sign out one other place."""
    parts = current_parts()
    now = parts.clock.now()
    with parts.db.begin() as rows:
        sessions.end_one_of(rows, session_id, uuid.UUID(viewer().id), now=now)
        audit.record(rows, viewer().id, "session_ended", at=now, account_id=uuid.UUID(viewer().id))
    flash("That session is ended.", "success")
    return redirect(url_for("staff.account"))


@blueprint.post("/account/sessions/end")
@allow()
def end_sessions() -> ResponseReturnValue:
    """Sign out everywhere, here too."""
    parts = current_parts()
    now = parts.clock.now()
    with parts.db.begin() as rows:
        user = _own(rows)
        people.end_sessions(rows, user, now=now)
        audit.record(rows, viewer().id, "sessions_ended", at=now, account_id=user.id)
    session.clear()
    flash("You are signed out everywhere.", "info")
    return redirect(url_for("security.login"))


@blueprint.route("/account/password", methods=["GET", "POST"])
@allow()
def own_password() -> ResponseReturnValue:
    """Set another password; every other session ends."""
    form = ChangePasswordForm()
    form.email = _user().email
    if not form.is_submitted():
        return render_template("staff/account_password.html", form=form)
    accepted = form.validate()
    if not _is_own_password(form) or not accepted:
        return render_template("staff/account_password.html", form=form), 422
    parts = current_parts()
    now, password_hash = parts.clock.now(), passwords.hashed(form.new.data or "")
    with parts.db.begin() as rows:
        user = _own(rows)
        user.password = password_hash
        _end_others(rows, user, now)
        audit.record(rows, viewer().id, "password_set", at=now, account_id=user.id)
    session["_user_id"] = user.fs_uniquifier  # this session goes on under the account's new mark
    flash("Your password is changed. Every other session of yours is ended.", "success")
    return redirect(url_for("staff.account"))


@blueprint.route("/account/second-step", methods=["GET", "POST"])
@allow()
def own_second_step() -> ResponseReturnValue:
    """Set up an app, or another one instead of it; every other session ends. Then show new recovery codes."""
    parts, user, form = current_parts(), _user(), ReplaceStepForm()
    secret = entrance.new_secret()
    if not form.is_submitted():
        return _step_page(user, secret, form)
    now = parts.clock.now()
    step = second_step.step_of(secret, form.code.data or "", now=now)
    if step is None:
        form.code.errors = [NOT_YET]
    if not _is_own_password(form) or step is None:
        return _step_page(user, secret, form), 422
    with parts.db.begin() as rows:
        account = rows.get_one(StaffUser, user.id, with_for_update=True)
        codes = second_step.turn_on(account, secret, step)
        _end_others(rows, account, now)
        audit.record(rows, viewer().id, "second_step_set", at=now, account_id=user.id)
    session["_user_id"] = account.fs_uniquifier
    entrance.forget_secret()
    flash("Your app is set up. Every other session of yours is ended.", "success")
    return render_template("staff/recovery_codes.html", codes=codes, target=url_for("staff.account"))


@blueprint.route("/account/recovery-codes", methods=["GET", "POST"])
@allow()
def own_recovery_codes() -> ResponseReturnValue:
    """Make new recovery codes and show them once."""
    form = OwnPasswordForm()
    if not second_step.is_on(_user()):
        return redirect(url_for("staff.own_second_step"))
    if not form.is_submitted():
        return render_template("staff/account_codes.html", form=form)
    if not _is_own_password(form):
        return render_template("staff/account_codes.html", form=form), 422
    parts = current_parts()
    with parts.db.begin() as rows:
        user = rows.get_one(StaffUser, uuid.UUID(viewer().id), with_for_update=True)
        codes = second_step.renew_codes(user)
        audit.record(rows, viewer().id, "recovery_codes_renewed", at=parts.clock.now(), account_id=user.id)
    return render_template("staff/recovery_codes.html", codes=codes, target=url_for("staff.account"))


def _end_others(rows: Session, user: StaffUser, now: datetime) -> None:
    """Leave only this session: whoever knew the old password, or has the old app, is out."""
    user.fs_uniquifier = people.new_uniquifier()
    sessions.end_all(rows, user.id, now=now, but=viewer().session_id)


def _own(rows: Session) -> StaffUser:
    return rows.get_one(StaffUser, uuid.UUID(viewer().id))


def _user() -> StaffUser:
    with current_parts().db.begin() as rows:
        return _own(rows)


def _is_own_password(form: OwnPasswordForm | ChangePasswordForm) -> bool:
    """Whether the password that was typed is the person's own; guesses are slowed down."""
    user = _user()
    attempt = attempt_of(user, "unlock")
    if wait := accounts().throttle.count(attempt):
        form.password.errors = [too_many(wait)]
    elif passwords.fits(form.password.data or "", user.password):
        accounts().throttle.succeeded(attempt)
        return True
    else:
        form.password.errors = [WRONG]
    return False


def _step_page(user: StaffUser, secret: str, form: ReplaceStepForm) -> str:
    return render_template(
        "staff/account_second_step.html", form=form, is_on=second_step.is_on(user), **picture(user, secret)
    )
