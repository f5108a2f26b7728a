"""Accounts of everybody, kept by administrators."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any

from flask import abort, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from nurseline.parts import current_parts
from nurseline.staff import audit, second_step, sessions
from nurseline.staff import people as accounts
from nurseline.staff.access import allow, blueprint, viewer
from nurseline.staff.models import StaffUser
from nurseline.staff.page_rows import page_rows
from nurseline.staff.people import PeopleError
from nurseline.staff.people_forms import InviteForm, RolesForm
from nurseline.staff.queries.accounts import everybody
from nurseline.staff.rights import ADMIN, RIGHTS, ROLE_WORDS

DONE = {
    "disable": "The account is closed and signed out.",
    "enable": "The account is open again.",
    "reset-second-step": "The second step is reset. The person sets up an app at the next sign-in.",
    "end-sessions": "The person is signed out everywhere.",
    "cancel": "The invitation is cancelled.",
}


@blueprint.get("/people")
@allow(*ADMIN)
def people() -> ResponseReturnValue:
    """Everybody who has an account, and the form to invite somebody."""
    return _list(InviteForm(formdata=None))


@blueprint.get("/people/rights")
@allow(*ADMIN)
def rights() -> ResponseReturnValue:
    """What each role may do."""
    return render_template("staff/rights.html", rights=RIGHTS, roles=ROLE_WORDS)


@blueprint.post("/people")
@allow(*ADMIN)
def invite() -> ResponseReturnValue:
    """Add a closed account, and show the link that opens it, once."""
    form, parts = InviteForm(), current_parts()
    if not form.validate():
        return _list(form), 422
    now = parts.clock.now()
    try:
        with parts.db.begin() as rows:
            user, secret = accounts.invite(
                rows,
                email=form.email.data or "",
                name=form.name.data or "",
                roles=form.roles.data or [],
                now=now,
                actor=viewer().id,
            )
    except PeopleError as error:
        form.email.errors = [str(error)]
        return _list(form), 422
    return _link(user, secret)


@blueprint.get("/people/<uuid:user_id>")
@allow(*ADMIN)
def person(user_id: uuid.UUID) -> ResponseReturnValue:
    """One account, and what can be done to it."""
    return _page(user_id)


@blueprint.post("/people/<uuid:user_id>/roles")
@allow(*ADMIN)
def set_roles(user_id: uuid.UUID) -> ResponseReturnValue:
    """Let somebody do more, or less."""
    form = RolesForm()
    if not form.validate():
        return _page(user_id, form), 422

    def change(rows: Session, user: StaffUser, now: datetime) -> None:
        accounts.set_roles(rows, user, form.roles.data or [], now=now, actor=viewer().id)

    problem = _change(user_id, change)
    if problem:
        form.roles.errors = [problem]
        return _page(user_id, form), 422
    flash("The roles are kept. They count from the next page on.", "success")
    if str(user_id) == viewer().id and not ADMIN.intersection(form.roles.data or []):
        return redirect(url_for("staff.account"))  # that page is not for them any more
    return redirect(url_for("staff.person", user_id=user_id))


@blueprint.post("/people/<uuid:user_id>/invite")
@allow(*ADMIN)
def invite_again(user_id: uuid.UUID) -> ResponseReturnValue:
    """A new link for somebody who has not come yet; the old one stops working."""
    parts = current_parts()
    with parts.db.begin() as rows:
        user = rows.get(StaffUser, user_id, with_for_update=True)
        if user is None or not accounts.is_invited(user):
            abort(404)
        secret = accounts.renew_invitation(rows, user, now=parts.clock.now(), actor=viewer().id)
    return _link(user, secret)


@blueprint.post(f"/people/<uuid:user_id>/<any({', '.join(map(repr, DONE))}):what>")
@allow(*ADMIN)
def change_person(user_id: uuid.UUID, what: str) -> ResponseReturnValue:
    """One of the plain buttons of a person's page."""

    def change(rows: Session, user: StaffUser, now: datetime) -> None:
        _CHANGES[what](rows, user, now=now, actor=viewer().id)

    problem = _change(user_id, change)
    flash(problem or DONE[what], "warning" if problem else "success")
    if what == "cancel" and not problem:
        return redirect(url_for("staff.people"))
    return redirect(url_for("staff.person", user_id=user_id))


def _end_sessions(rows: Session, user: StaffUser, *, now: datetime, actor: str) -> None:
    accounts.end_sessions(rows, user, now=now)
    audit.record(rows, actor, "sessions_ended", at=now, account_id=user.id)


def _cancel(rows: Session, user: StaffUser, *, now: datetime, actor: str) -> None:
    if not accounts.is_invited(user):
        raise PeopleError("This person has opened the account already. You can close it instead.")
    accounts.cancel_invitation(rows, user, now=now, actor=actor)


_CHANGES: dict[str, Callable[..., None]] = {
    "disable": accounts.disable,
    "enable": accounts.enable,
    "reset-second-step": accounts.reset_second_step,
    "end-sessions": _end_sessions,
    "cancel": _cancel,
}


def _change(user_id: uuid.UUID, change: Callable[[Session, StaffUser, datetime], None]) -> str:
    """Make a change; what is wrong, or nothing."""
    parts = current_parts()
    try:
        with parts.db.begin() as rows:
            user = rows.get(StaffUser, user_id, with_for_update=True)
            if user is None:
                abort(404)
            change(rows, user, parts.clock.now())
    except PeopleError as error:
        return str(error)
    return ""


def _list(form: InviteForm) -> str:
    with page_rows() as rows:
        every = everybody(rows)
    return render_template("staff/people.html", people=every, form=form, roles=ROLE_WORDS)


def _link(user: StaffUser, secret: str) -> str:
    path = url_for("staff.invitation", secret=secret)
    link = f"{current_parts().settings.public_base_url}{path}"
    return render_template("staff/people_link.html", user=user, link=link)


def _page(user_id: uuid.UUID, form: RolesForm | None = None) -> str:
    parts = current_parts()
    now = parts.clock.now()
    with page_rows() as rows:
        user = rows.get(StaffUser, user_id)
        if user is None:
            abort(404)
        open_ones = sessions.open_ones(rows, user_id, now=now)
    shown: dict[str, Any] = {
        "form": form or RolesForm(formdata=None, data={"roles": [role.name for role in user.roles]}),
        "user": user,
        "sessions": open_ones,
        "is_on": second_step.is_on(user),
        "is_invited": accounts.is_invited(user),
        "is_me": str(user.id) == viewer().id,
    }
    return render_template("staff/people_person.html", **shown)
