"""The second step of signing in: codes of an authenticator app, and recovery codes for when it is lost.

What every app understands: six digits, 30 seconds, SHA-1 (RFC 6238). A code never works twice, and the
clock of the phone may be one step off. Recovery codes are kept as hashes and work once each; they are
random enough (79 bits) that a plain hash gives nothing away.
"""

from __future__ import annotations

import hashlib
import io
import re
import secrets
import uuid
from datetime import datetime

import sqlalchemy as sa
from passlib.exc import TokenError
from passlib.totp import TOTP
from qrcode.image.svg import SvgPathImage
from qrcode.main import QRCode
from sqlalchemy.orm import Session

from nurseline.staff.models import StaffUser

METHOD = "authenticator"
SKEW_SECONDS = 30  # one step either way (RFC 6238 section 5.2)
CODES = 10
TYPED_LONGEST = 40
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # nothing that looks like something else
_GROUPS, _GROUP = 4, 4
_SECRET = re.compile(r"[A-Z2-7]{32}")


def new_secret() -> str:
    """A fresh secret for an authenticator app: 32 letters and digits, 160 bits."""
    return str(TOTP.new().base32_key)


def spaced(secret: str) -> str:
    """A secret in groups of four, as it is easier to type."""
    return " ".join(secret[i : i + 4] for i in range(0, len(secret), 4))


def address(secret: str, account: str, issuer: str) -> str:
    """What the QR code holds: the ``otpauth://`` address that apps read."""
    named = issuer.replace(":", " ").strip() or "Nurse line"
    return str(TOTP(key=secret).to_uri(label=account.replace(":", " "), issuer=named))


def drawing(text: str) -> str:
    """``text`` as a QR code: one SVG path, without style attributes or anything from outside."""
    code = QRCode(border=2, box_size=10, image_factory=SvgPathImage)
    code.add_data(text)
    picture = io.BytesIO()
    code.make_image().save(picture)
    return picture.getvalue().decode().partition("?>")[2].strip()


def is_on(user: StaffUser) -> bool:
    """Whether this account asks for a code."""
    return user.tf_primary_method == METHOD and bool(user.tf_totp_secret)


def step_of(secret: str, code: str, *, now: datetime, last: int | None = None) -> int | None:
    """Which 30-second step ``code`` belongs to; None if it is wrong, or not later than step ``last``."""
    if len(code) > TYPED_LONGEST or not code.isascii() or not _SECRET.fullmatch(secret):
        return None
    try:
        found = TOTP(key=secret).match(
            code, time=int(now.timestamp()), window=SKEW_SECONDS, last_counter=last
        )
    except TokenError:
        return None
    return int(found.counter)


def use_code(session: Session, user_id: uuid.UUID, code: str, *, now: datetime) -> bool:
    """Whether ``code`` opens the account now. Of several requests with the same code one is told yes."""
    user = session.get(StaffUser, user_id)
    if user is None or not is_on(user):
        return False
    step = step_of(user.tf_totp_secret or "", code, now=now, last=user.totp_counter)
    if step is None:
        return False
    unused = sa.or_(StaffUser.totp_counter.is_(None), StaffUser.totp_counter < step)
    taken = session.scalar(
        sa.update(StaffUser)
        .where(StaffUser.id == user_id, StaffUser.tf_totp_secret.is_not(None), unused)
        .values(totp_counter=step)
        .returning(StaffUser.id)
    )
    return taken is not None


def use_recovery_code(session: Session, user_id: uuid.UUID, code: str) -> bool:
    """Whether ``code`` is one of the account's recovery codes; it is used up by that."""
    wanted = _hashed(user_id, code)
    row = sa.select(StaffUser).where(StaffUser.id == user_id)
    user = session.scalar(row.with_for_update().execution_options(populate_existing=True))
    if user is None or not is_on(user) or wanted not in (user.mf_recovery_codes or []):
        return False
    user.mf_recovery_codes = [kept for kept in user.mf_recovery_codes or [] if kept != wanted]
    return True


def turn_on(user: StaffUser, secret: str, step: int) -> list[str]:
    """Ask for codes of ``secret`` from now on, of later steps than ``step``; fresh recovery codes."""
    user.tf_primary_method, user.tf_totp_secret, user.totp_counter = METHOD, secret, step
    return renew_codes(user)


def renew_codes(user: StaffUser) -> list[str]:
    """Ten new recovery codes, to be shown once; the old ones no longer work."""
    codes = [_fresh() for _ in range(CODES)]
    user.mf_recovery_codes = [_hashed(user.id, code) for code in codes]
    return codes


def turn_off(user: StaffUser) -> None:
    """Forget the secret and the recovery codes."""
    user.tf_primary_method = user.tf_totp_secret = user.totp_counter = user.mf_recovery_codes = None


def _fresh() -> str:
    groups = ("".join(secrets.choice(_ALPHABET) for _ in range(_GROUP)) for _ in range(_GROUPS))
    return "-".join(groups)


def _hashed(user_id: uuid.UUID, code: str) -> str:
    plain = re.sub(r"[\s-]", "", code[: TYPED_LONGEST * 2]).lower()
    return hashlib.sha256(f"{user_id} {plain}".encode("utf-8", "replace")).hexdigest()
