"""Passwords of staff: what is accepted, and how they are kept.

Rules: length over composition, and a list of what everybody tries first (OWASP ASVS 5 V6.2).
"""

from __future__ import annotations

import secrets
import unicodedata
from functools import cache
from itertools import pairwise
from pathlib import Path

from passlib.hash import argon2

SHORTEST = 12
LONGEST = 256  # characters; hashing must not be a way to keep the machine busy
_FEWEST_DIFFERENT = 5
_COMMON = Path(__file__).with_name("common_passwords.txt")
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # nothing that looks like something else
_GROUPS, _GROUP = 4, 5  # 20 characters of 31: 99 bits


class WeakPasswordError(ValueError):
    """Why a password is not accepted, in words for the person who chose it."""


@cache
def _common() -> frozenset[str]:
    return frozenset(_COMMON.read_text("utf-8").split())


def normalise(password: str) -> str:
    """The form that is hashed: the same letters typed on another machine give the same password."""
    return unicodedata.normalize("NFKD", password)


def check(password: str, *, email: str) -> None:
    """Raise WeakPasswordError if ``password`` is too easy to guess for the account of ``email``."""
    plain = normalise(password).casefold()
    if len(password) < SHORTEST:
        raise WeakPasswordError(
            f"The password is too short: {len(password)} characters, it needs {SHORTEST}."
        )
    if len(password) > LONGEST:
        raise WeakPasswordError(f"The password is too long: {len(password)} characters, {LONGEST} fit.")
    if "\0" in password:
        raise WeakPasswordError("The password has a character that cannot be typed.")
    if plain in _common() or plain.rstrip("0123456789!.?") in _common():
        raise WeakPasswordError("That password is on the list of those tried first. Choose another.")
    if len(set(plain)) < _FEWEST_DIFFERENT or _is_run(plain):
        raise WeakPasswordError("That password repeats itself or counts up. Choose another.")
    if email.casefold() in plain or plain.startswith(email.casefold().partition("@")[0] * 2):
        raise WeakPasswordError("The password holds the email address. Choose another.")


def _is_run(plain: str) -> bool:
    """Whether most neighbours are one step apart, as in 123456789012 or abcdefghijkl."""
    steps = [ord(b) - ord(a) for a, b in pairwise(plain)]
    return max(steps.count(1), steps.count(-1)) >= len(plain) - 3


def hashed(password: str) -> str:
    """What is stored: argon2id with the library's own costs."""
    return str(argon2.hash(normalise(password)))


def fits(password: str, stored: str) -> bool:
    """Whether ``password`` is the one that ``stored`` was made of."""
    if len(password) > LONGEST or "\0" in password:
        return False
    return bool(argon2.verify(normalise(password), stored))


def fresh() -> str:
    """A random password that can be read out and typed."""
    groups = ("".join(secrets.choice(_ALPHABET) for _ in range(_GROUP)) for _ in range(_GROUPS))
    return "-".join(groups)
