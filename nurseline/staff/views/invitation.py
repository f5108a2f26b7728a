"""The page behind the one-time link with which somebody new opens their account."""

from __future__ import annotations

from flask import flash, redirect, render_template, session, url_for
from flask.typing import ResponseReturnValue
from flask_security import login_user

from nurseline.parts import current_parts
from nurseline.staff import passwords, people
from nurseline.staff.access import before_sign_in, blueprint
from nurseline.staff.models import StaffUser
from nurseline.staff.people_forms import NewPasswordForm

NO_LONGER = (
    "This link does not open an account (any more)",
    "It was used already, or it is older than three days, or there is a newer one. Ask for a new link.",
)


@blueprint.route("/invitation/<string:secret>", methods=["GET", "POST"])
@before_sign_in
def invitation(secret: str) -> ResponseReturnValue:
    """Set the password of an invited account; looking at the page uses nothing up."""
    user = _invited(secret)
    if user is None:
        return _no_longer()
    form = NewPasswordForm()
    form.email = user.email
    if not form.validate_on_submit():
        return render_template("staff/invitation.html", form=form, user=user), 422 if form.errors else 200
    parts, password_hash = current_parts(), passwords.hashed(form.new.data or "")
    with parts.db.begin() as rows:
        opened = people.accept(rows, secret, password_hash, now=parts.clock.now())
    if opened is None:  # somebody was quicker with the same link
        return _no_longer()
    session.clear()
    login_user(opened, authn_via=["password"])  # where a second step is required, that comes next
    flash("Your account is open.", "success")
    return redirect(url_for("staff.queue"))


def _invited(secret: str) -> StaffUser | None:
    parts = current_parts()
    with parts.db.begin() as rows:
        return people.invited_by(rows, secret, now=parts.clock.now())


def _no_longer() -> ResponseReturnValue:
    title, text = NO_LONGER
    return render_template("staff/error.html", title=title, text=text), 410
