"""The second step of signing in: the code, or setting it up first."""

from __future__ import annotations

import structlog
from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from wtforms import Field

from nurseline.parts import current_parts
from nurseline.staff import audit, entrance, second_step
from nurseline.staff.access import before_sign_in, blueprint
from nurseline.staff.accounts import accounts, attempt_of, is_staff_path, too_many
from nurseline.staff.models import StaffUser
from nurseline.staff.people_forms import CodeForm, RecoveryForm

log = structlog.get_logger(__name__)

WRONG_CODE = "That code is not right, or it was used already. Wait for the next one and try again."
WRONG_RECOVERY = "That is none of your recovery codes, or it was used already."
NOT_YET = (
    "That code does not fit the app's new entry. Look whether your phone shows the right time, and try again."
)
TOO_LONG_AGO = "The sign-in took too long. Start again."


@blueprint.route("/sign-in/code", methods=["GET", "POST"], endpoint="second_step")
@before_sign_in
def ask_for_code() -> ResponseReturnValue:
    """Ask for the code of the app, or for a recovery code."""
    user = entrance.waiting()
    if user is None:
        return _start_again()
    if not second_step.is_on(user):
        return redirect(url_for("staff.set_up_second_step", next=_next()))
    by_recovery = "recovery" in request.form
    code, recovery = CodeForm(formdata=None), RecoveryForm(formdata=None)
    if request.method == "GET":
        return _page(code, recovery)
    if by_recovery:
        recovery = RecoveryForm()
        return _by_recovery_code(user, recovery) or (_page(code, recovery), 422)
    code = CodeForm()
    return _by_code(user, code) or (_page(code, recovery), 422)


@blueprint.route("/sign-in/set-up", methods=["GET", "POST"])
@before_sign_in
def set_up_second_step() -> ResponseReturnValue:
    """Let somebody who has no app yet add one, before anything else; then show the recovery codes once."""
    user = entrance.waiting()
    if user is None:
        return _start_again()
    if second_step.is_on(user):
        return redirect(url_for("staff.second_step", next=_next()))
    secret, form = entrance.new_secret(), CodeForm()
    if request.method == "GET":
        return _set_up_page(user, secret, form)
    parts = current_parts()
    step = second_step.step_of(secret, form.code.data or "", now=parts.clock.now())
    if step is None or not form.validate():
        form.code.errors = [NOT_YET]
        return _set_up_page(user, secret, form), 422
    with parts.db.begin() as rows:
        account = rows.get_one(StaffUser, user.id, with_for_update=True)
        if second_step.is_on(account):  # another browser was quicker
            return redirect(url_for("staff.second_step", next=_next()))
        codes = second_step.turn_on(account, secret, step)
        audit.record(rows, str(user.id), "second_step_set", at=parts.clock.now(), account_id=user.id)
    target = _next() or url_for("staff.queue")
    entrance.finish(user, "set_up")
    return render_template("staff/recovery_codes.html", codes=codes, target=target)


def _by_code(user: StaffUser, form: CodeForm) -> ResponseReturnValue | None:
    if (refused := _too_often(user)) or not form.validate():
        form.code.errors = [refused] if refused else form.code.errors
        return None
    parts = current_parts()
    with parts.db.begin() as rows:
        right = second_step.use_code(rows, user.id, form.code.data or "", now=parts.clock.now())
    if not right:
        _note_wrong(user, form.code, WRONG_CODE)
        return None
    return _signed_in(user, "authenticator")


def _by_recovery_code(user: StaffUser, form: RecoveryForm) -> ResponseReturnValue | None:
    if (refused := _too_often(user)) or not form.validate():
        form.recovery.errors = [refused] if refused else form.recovery.errors
        return None
    parts = current_parts()
    with parts.db.begin() as rows:
        right = second_step.use_recovery_code(rows, user.id, form.recovery.data or "")
        if right:
            audit.record(rows, str(user.id), "recovery_code_used", at=parts.clock.now(), account_id=user.id)
            left = len(rows.get_one(StaffUser, user.id).mf_recovery_codes or [])
    if not right:
        _note_wrong(user, form.recovery, WRONG_RECOVERY)
        return None
    answer = _signed_in(user, "recovery_code")
    flash(f"That recovery code is used up; {left} are left. You can make new ones under your name.", "info")
    return answer


def _signed_in(user: StaffUser, by: entrance.By) -> ResponseReturnValue:
    target = _next() or url_for("staff.queue")
    accounts().throttle.succeeded(attempt_of(user, "code"))
    entrance.finish(user, by)
    return redirect(target)


def _too_often(user: StaffUser) -> str:
    wait = accounts().throttle.count(attempt_of(user, "code"))
    if wait:
        log.warning("second_step.too_many", staff=str(user.id))
    return too_many(wait) if wait else ""


def _note_wrong(user: StaffUser, field: Field, message: str) -> None:
    parts = current_parts()
    with parts.db.begin() as rows:
        audit.record(rows, str(user.id), "second_step_failed", at=parts.clock.now(), account_id=user.id)
    log.warning("staff.second_step_failed", staff=str(user.id))
    field.errors = [message]


def _page(code: CodeForm, recovery: RecoveryForm) -> str:
    first = recovery.recovery if recovery.recovery.errors else code.code
    first.render_kw = {**first.render_kw, "autofocus": True}
    return render_template(
        "staff/sign_in_code.html", code_form=code, recovery_form=recovery, next=_next() or ""
    )


def _set_up_page(user: StaffUser, secret: str, form: CodeForm) -> str:
    return render_template(
        "staff/sign_in_set_up.html", form=form, next=_next() or "", **picture(user, secret)
    )


def picture(user: StaffUser, secret: str) -> dict[str, str]:
    """What a page needs to show a secret: the QR code, and the same in letters."""
    address = second_step.address(secret, user.email, current_parts().settings.clinic_name)
    return {"drawing": second_step.drawing(address), "secret": second_step.spaced(secret)}


def _next() -> str | None:
    target = request.values.get("next", "")
    return target if is_staff_path(target) else None


def _start_again() -> ResponseReturnValue:
    if request.method == "POST":
        flash(TOO_LONG_AGO, "info")
    return redirect(url_for("security.login", next=_next()))
