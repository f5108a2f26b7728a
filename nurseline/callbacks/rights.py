"""Who may decide about an item. Pure.

Only nurses assess (AAACN; clinic rules 4): what is about care is finished, put off, joined, cancelled, opened
again or given another reason by a nurse or a supervisor, and advice is theirs to give. Anybody may look at
it, take it so that somebody calls, hand it over, give it back, and record a try that reached nobody.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from nurseline.callbacks.ladder import TRIES
from nurseline.callbacks.outcomes import OUTCOMES, UNREACHED

NURSES = frozenset({"nurse", "supervisor"})  # an administrator only with one of these roles, too
CARE = frozenset({"emergency", "urgent", "clinical", "nurse"})
GRAVE = frozenset({"emergency", "urgent"})
UNTOLD = frozenset({"spam_or_test", "duplicate", "unreached_closed"})  # close an item with nobody reached
NOT_YOURS = "A nurse finishes this one. Hand it over."
NO_ADVICE = "A nurse gives advice. Hand the item over for that."
SAY_WHY = "Say in a few words why: at least three."
TOO_EARLY = "An emergency is closed as not reached only after three tries."
FEW = 3  # words
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something may not be done. ``field``: the part of `outcomes.Recorded` it concerns."""

    field: str
    why: str


def assesses(roles: Collection[str]) -> bool:
    """Whether somebody with these roles may assess patients, and give the clinic's advice."""
    return not NURSES.isdisjoint(roles)


def may_decide(roles: Collection[str], reason: str) -> str:
    """Why somebody may not put off, join, cancel, open again or change an item of this reason, or empty."""
    return NOT_YOURS if reason in CARE and not assesses(roles) else ""


def may_finish(roles: Collection[str], reason: str, outcome: str) -> str:
    """Why somebody may not record this outcome of an item of this reason, or empty."""
    return "" if outcome in UNREACHED else may_decide(roles, reason)


def outcomes_for(roles: Collection[str], reason: str) -> dict[str, str]:
    """The outcomes that somebody may record of an item of this reason, with their words."""
    return {code: words for code, words in OUTCOMES.items() if not may_finish(roles, reason, code)}


def refused(
    roles: Collection[str], reason: str, outcome: str, *, note: str, advice: Collection[str], tries: int
) -> Refusal | None:
    """What keeps an outcome from being recorded, or None. ``tries``: calls made about the item so far."""
    if why := may_finish(roles, reason, outcome):
        return Refusal("outcome", why)
    if advice and not assesses(roles):
        return Refusal("advice", NO_ADVICE)
    if outcome == "unreached_closed" and reason == "emergency" and tries < TRIES:
        return Refusal("outcome", TOO_EARLY)
    if outcome in UNTOLD and (why := says_why(reason, note)):
        return Refusal("note", why)
    return None


def says_why(reason: str, text: str) -> str:
    """Why a text does not do as the reason for closing an item with nobody reached, or empty."""
    return SAY_WHY if reason in GRAVE and len(_WORD.findall(text)) < FEW else ""
