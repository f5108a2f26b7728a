"""Who may open which page: the gate before every staff page, and the marks that views carry."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import structlog
from flask import (
    Blueprint,
    abort,
    current_app,
    flash,
    g,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_login import current_user
from flask_wtf.csrf import CSRFProtect

from nurseline.callbacks.service import Staff
from nurseline.parts import current_parts
from nurseline.staff import entrance, sessions
from nurseline.staff.accounts import SESSION_ID, accounts, is_staff_path
from nurseline.staff.models import StaffUser
from nurseline.staff.rights import ROLE_WORDS

log = structlog.get_logger(__name__)

ROLES = tuple(ROLE_WORDS)
View = TypeVar("View", bound=Callable[..., Any])
csrf = CSRFProtect()

blueprint = Blueprint(
    "staff", __name__, url_prefix="/staff", template_folder="templates", static_folder="static"
)

WHY_OUT = {
    "idle": "This page has locked itself after 15 minutes without activity.",
    "too_long": "You were signed out after ten hours. Sign in to go on.",
    "ended": "You are signed out. Sign in to go on.",
}
TYPED_BY = "typed_by"  # in a form that was kept over a sign-out: whose words these are
SOMEBODY_ELSE = "Somebody else typed this, so it was neither shown nor sent."


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who is looking at the page."""

    id: str
    name: str
    roles: frozenset[str]
    session_id: uuid.UUID

    @property
    def staff(self) -> Staff:
        """The same person, as the queue knows people."""
        return Staff(self.id, self.name)


def viewer() -> Viewer:
    """The person who asked for this page. Only behind the gate."""
    return cast(Viewer, g.viewer)


def allow(*roles: str) -> Callable[[View], View]:
    """Mark a view as open to these roles; without roles, to everybody who is signed in."""
    unknown = set(roles) - set(ROLES)
    if unknown:
        raise ValueError(f"no such role: {', '.join(sorted(unknown))}")

    def mark(view: View) -> View:
        view.allowed_roles = frozenset(roles or ROLES)  # type: ignore[attr-defined]
        return view

    return mark


def before_sign_in(view: View) -> View:
    """Mark a view that is a step of signing in: it is open to everybody, and looks itself at who that is."""
    view.is_before_sign_in = True  # type: ignore[attr-defined]
    return view


def when_locked(view: View) -> View:
    """Mark a view that is open to the person of a session that has locked itself."""
    view.is_open_when_locked = True  # type: ignore[attr-defined]
    return view


def passive(view: View) -> View:
    """Mark a view that a page asks for by itself: it does not count as activity."""
    view.is_passive = True  # type: ignore[attr-defined]
    return view


def keeps_words(view: View) -> View:
    """Mark a view that takes what was typed at length: it is shown again, not lost, after a sign-out.

    Its form must check the token itself, so that a page of an earlier sign-in can be sent again.
    """
    view.keeps_words = True  # type: ignore[attr-defined]
    return view


def is_by_script() -> bool:
    """Whether a page's script asks, and not a person who is to see a page."""
    return request.accept_mimetypes.best == "application/json"


@blueprint.before_request
def gate() -> ResponseReturnValue | None:
    """Let nobody through who is not signed in, whose session has ended, or whose role does not fit."""
    if request.endpoint == "staff.static":
        return None
    view = current_app.view_functions[request.endpoint or ""]
    if getattr(view, "is_before_sign_in", False):
        if request.method == "POST":
            csrf.protect()
        return None
    roles = getattr(view, "allowed_roles", None)
    if roles is None:
        raise LookupError(f"{request.endpoint} says nothing about who may open it")
    is_passive, keeps = getattr(view, "is_passive", False), getattr(view, "keeps_words", False)
    refused = _recognise(activity=not is_passive)
    if refused == "idle" and getattr(view, "is_open_when_locked", False):
        refused = None
    if refused is not None:
        g.pop("viewer", None)
        return ("", 401) if is_passive or is_by_script() else _to_sign_in(refused, keeps=keeps)
    if not viewer().roles & roles:
        log.warning("staff.forbidden", staff=viewer().id, endpoint=request.endpoint)
        abort(403)
    if keeps and request.form.get(TYPED_BY, viewer().id) != viewer().id:
        return _kept(SOMEBODY_ELSE, request.form.items(multi=True)), 409
    if request.method not in {"GET", "HEAD", "OPTIONS"} and not keeps:
        csrf.protect()
    return None


def _recognise(*, activity: bool) -> sessions.Ended | None:
    """Set the viewer of this request; else why there is none."""
    user = cast(StaffUser, current_user)
    session_id = session.get(SESSION_ID)
    if not user.is_authenticated or session_id is None:
        return "ended"
    rows = accounts().rows  # the account was read in this transaction
    now = current_parts().clock.now()
    ended = sessions.check(rows(), uuid.UUID(session_id), user.id, now=now, activity=activity)
    rows.commit()
    if ended in {None, "idle"}:
        roles = frozenset(role.name for role in user.roles)
        g.viewer = Viewer(str(user.id), user.name, roles, uuid.UUID(session_id))
    rows.remove()  # its connection is not needed for the rest of the request
    return ended


def _to_sign_in(why: sessions.Ended, *, keeps: bool) -> ResponseReturnValue:
    back = request.path if request.method == "GET" and is_staff_path(request.path) else None
    back = back if back != "/staff/queue" else None
    if entrance.is_waiting():
        return redirect(url_for("staff.second_step", next=back))
    was_signed_in, locked = SESSION_ID in session, why == "idle"
    typed_by = _whose(session.get(SESSION_ID)) if keeps else ""
    if not locked:  # a locked session opens again by its person's password
        session.clear()
    if was_signed_in and keeps and request.method == "POST":
        typed = [pair for pair in request.form.items(multi=True) if pair[0] not in {"csrf_token", TYPED_BY}]
        typed += [(TYPED_BY, typed_by)] if typed_by else []
        return _kept(WHY_OUT[why], typed, locked=locked), 401
    if locked:
        return redirect(url_for("staff.locked", next=back))
    if was_signed_in:
        flash(WHY_OUT[why], "info")
    return redirect(url_for("security.login", next=back))


def _kept(why: str, typed: Iterable[tuple[str, str]], *, locked: bool = False) -> str:
    """A page that keeps what was typed, unseen, until its person can send it again."""
    return render_template("staff/signed_out.html", why=why, typed=typed, locked=locked)


def _whose(session_id: str | None) -> str:
    """The id of the person whose session this was; empty if that is not known any more."""
    if session_id is None:
        return ""
    with current_parts().db.begin() as rows:
        return str(sessions.person_of(rows, uuid.UUID(session_id)) or "")
