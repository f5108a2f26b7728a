"""Accounts: Flask-Security on our own tables. It signs people in; nobody can register by themselves."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

import structlog
from flask import Flask, Response, after_this_request, current_app, redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_security import (
    LoginForm,
    Security,
    SQLAlchemySessionUserDatastore,
    user_authenticated,
    user_failed_authn,
)
from itsdangerous import BadData, URLSafeSerializer
from sqlalchemy.orm import Session, scoped_session, sessionmaker
from wtforms import EmailField, PasswordField, SubmitField

from nurseline.parts import current_parts
from nurseline.staff import audit, entrance, sessions
from nurseline.staff.models import StaffRole, StaffUser
from nurseline.staff.passwords import LONGEST
from nurseline.staff.throttle import Attempt, Throttle

log = structlog.get_logger(__name__)

_KEY = "nurseline.staff"
SESSION_ID = "sid"  # in the cookie: which row of staff_sessions this is
DEVICE_COOKIE = "nurseline_device"
DEVICE_DAYS = 180
DEVICE_ACCOUNTS = 8  # people who share one computer
WRONG = "That email address and password do not fit together."


@dataclass(frozen=True)
class Accounts:
    """What signing in needs. ``rows``: the session that Flask-Security reads accounts with."""

    rows: scoped_session[Session]
    throttle: Throttle
    devices: URLSafeSerializer
    secret: bytes

    def key(self, text: str) -> str:
        """A keyed hash: tells nothing to who can read Redis or a cookie."""
        return hmac.new(self.secret, text.encode(), hashlib.sha256).hexdigest()[:24]


def accounts() -> Accounts:
    """The accounts of the app that handles this request."""
    return cast(Accounts, current_app.extensions[_KEY])


class SignInForm(LoginForm):
    """Email and password. One message for everything that is wrong with them."""

    email = EmailField("Email", render_kw={"autocomplete": "username", "autofocus": True, "maxlength": 255})
    password = PasswordField("Password", render_kw={"autocomplete": "current-password", "maxlength": LONGEST})
    remember = None
    submit = SubmitField("Sign in")

    def validate(self, **kwargs: Any) -> bool:
        """Whether this email and password open an account. Counts the attempt first."""
        email, password = (self.email.data or "").strip(), self.password.data or ""
        self.email.data = email
        attempt = _attempt(email)
        if wait := accounts().throttle.count(attempt):
            self.form_errors.append(too_many(wait))
            log.warning("sign_in.too_many")
            return False
        unusable = len(email) > 255 or len(password) > LONGEST or "\0" in email + password
        if unusable or not super().validate(**kwargs):
            self._say_only_that_it_is_wrong()
            return False
        accounts().throttle.succeeded(attempt)
        return True

    def _say_only_that_it_is_wrong(self) -> None:
        for field in (self.email, self.password):
            field.errors = []
        self.form_errors[:] = [WRONG]


def install(app: Flask) -> None:
    """Set up sign-in on ``app``, under ``/staff/sign-in``."""
    with app.app_context():
        parts = current_parts()
    rows = scoped_session(sessionmaker(parts.db.engine, expire_on_commit=False))
    app.extensions[_KEY] = Accounts(
        rows=rows,
        throttle=Throttle(parts.settings.redis_url),
        devices=URLSafeSerializer(parts.settings.secret_key, salt="staff device"),
        secret=parts.settings.secret_key.encode(),
    )
    app.config.update(
        SECURITY_URL_PREFIX="/staff",
        SECURITY_LOGIN_URL="/sign-in",
        SECURITY_LOGOUT_METHODS=None,  # our own, which ends the session in the database too
        SECURITY_POST_LOGIN_VIEW="/staff/queue",
        SECURITY_LOGIN_USER_TEMPLATE="staff/sign_in.html",
        SECURITY_STATIC_FOLDER=None,
        SECURITY_FRESHNESS=timedelta(minutes=-1),
        SECURITY_RETURN_GENERIC_RESPONSES=True,
        SECURITY_PASSWORD_HASH="argon2",  # noqa: S106
        SECURITY_PASSWORD_SCHEMES=["argon2"],
        SECURITY_PASSWORD_SINGLE_HASH=["argon2"],
        SECURITY_JOIN_USER_ROLES=False,
        SECURITY_FLASH_MESSAGES=False,
        SECURITY_CLI_USERS_NAME=False,
        SECURITY_CLI_ROLES_NAME=False,
        SECURITY_API_ENABLED_METHODS=["session"],
        SECURITY_CSRF_PROTECT_MECHANISMS=["session"],
    )
    security = Security(
        app, SQLAlchemySessionUserDatastore(rows, StaffUser, StaffRole), login_form=SignInForm
    )
    security.want_json(lambda _request: False)
    user_authenticated.connect(_signed_in, app)
    user_failed_authn.connect(_failed, app)

    @app.teardown_appcontext
    def _release(_error: BaseException | None) -> None:
        rows.remove()


def refuse_foreign_next() -> ResponseReturnValue | None:
    """After signing in people only ever go on to a staff page."""
    wanted = request.values.getlist("next")
    if all(not target or is_staff_path(target) for target in wanted):
        return None
    return redirect(url_for("security.login"))


def is_staff_path(target: str) -> bool:
    """Whether ``target`` is a plain path of ours."""
    return target.startswith("/staff/") and target.isascii() and target.isprintable() and "\\" not in target


def too_many(seconds: int) -> str:
    """What somebody reads who has tried too often."""
    minutes = -(-seconds // 60)
    return f"Too many attempts. Wait {minutes} minute{'' if minutes == 1 else 's'}, then try again."


def attempt_of(user: StaffUser, what: str) -> Attempt:
    """A further try of ``user`` at something beside the sign-in, in buckets of its own."""
    here = accounts()
    device = _devices().get(here.key(f"account {user.email.casefold()}"), "")
    address = here.key(f"{what} address {request.remote_addr or ''}")
    return Attempt(address, here.key(f"{what} {user.id}"), here.key(f"{what} {device}") if device else "")


def _attempt(email: str) -> Attempt:
    here = accounts()
    account = here.key(f"account {email.casefold()}")
    address = here.key(f"address {request.remote_addr or ''}")
    return Attempt(address, account, _devices().get(account, ""))


def _devices() -> dict[str, str]:
    try:
        known = accounts().devices.loads(request.cookies.get(DEVICE_COOKIE, ""))
    except BadData:
        return {}
    return known if isinstance(known, dict) else {}


def _remember_device(email: str) -> None:
    here = accounts()
    known = _devices()
    account = here.key(f"account {email.casefold()}")
    nonce = known.pop(account, None) or secrets.token_urlsafe(12)
    kept = dict([*known.items(), (account, nonce)][-DEVICE_ACCOUNTS:])

    @after_this_request
    def _set(response: Response) -> Response:
        response.set_cookie(
            DEVICE_COOKIE,
            str(here.devices.dumps(kept)),
            max_age=DEVICE_DAYS * 86400,
            path="/staff",
            httponly=True,
            secure=bool(current_app.config["SESSION_COOKIE_SECURE"]),
            samesite="Lax",
        )
        return response


def _signed_in(_app: Flask, user: StaffUser, authn_via: list[str] | None = None, **_: Any) -> None:
    if (authn_via or []) == ["password"] and entrance.owes(user):
        entrance.wait(user)
        return
    parts = current_parts()
    now = parts.clock.now()
    with parts.db.begin() as rows:
        session[SESSION_ID] = str(sessions.open_session(rows, user.id, now=now))
        audit.record(rows, str(user.id), "signed_in", at=now, account_id=user.id)
    session.pop("csrf_token", None)  # forms of before the sign-in are void
    _remember_device(user.email)  # only now: a password alone must not open a bucket for guesses at codes
    log.info("staff.signed_in", staff=str(user.id))


def _failed(_app: Flask, user: StaffUser | None = None, **_: Any) -> None:
    if user is None:
        return
    parts = current_parts()
    with parts.db.begin() as rows:
        audit.record(rows, str(user.id), "sign_in_failed", at=parts.clock.now(), account_id=user.id)
    log.warning("staff.sign_in_failed", staff=str(user.id))
