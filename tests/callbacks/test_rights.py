"""Who may decide about an item: every role, every reason, every outcome."""

from __future__ import annotations

from itertools import combinations, product

import pytest

from nurseline.callbacks import rights
from nurseline.callbacks.outcomes import OUTCOMES, UNREACHED
from nurseline.callbacks.promises import REASONS

ROLES = ("scheduler", "nurse", "supervisor", "admin")
EVERY_PERSON = [frozenset(some) for n in range(1, 5) for some in combinations(ROLES, n)]
OFFICE = {"schedule", "admin"}
WORDS = "a test of the line"


@pytest.mark.parametrize("reason", REASONS)
@pytest.mark.parametrize("roles", EVERY_PERSON, ids=lambda roles: "+".join(sorted(roles)))
def test_only_who_assesses_finishes_and_changes_what_is_about_care(
    roles: frozenset[str], reason: str
) -> None:
    may = reason in OFFICE or "nurse" in roles or "supervisor" in roles
    said = "" if may else "A nurse finishes this one. Hand it over."
    assert rights.may_decide(roles, reason) == said
    for outcome in OUTCOMES:
        assert rights.may_finish(roles, reason, outcome) == ("" if outcome in UNREACHED else said)
    assert set(rights.outcomes_for(roles, reason)) == set(OUTCOMES if may else UNREACHED)


@pytest.mark.parametrize("roles", EVERY_PERSON, ids=lambda roles: "+".join(sorted(roles)))
def test_what_is_offered_is_never_refused_and_what_is_not_offered_always_is(roles: frozenset[str]) -> None:
    for reason, outcome in product(REASONS, OUTCOMES):
        refusal = rights.refused(roles, reason, outcome, note=WORDS, advice=(), tries=3)
        assert (refusal is None) == (outcome in rights.outcomes_for(roles, reason)), (reason, outcome)


@pytest.mark.parametrize("reason", REASONS)
def test_advice_is_given_by_who_assesses(reason: str) -> None:
    for roles in EVERY_PERSON:
        refusal = rights.refused(roles, reason, "no_answer", note="", advice=("answer.recovery:1",), tries=0)
        assert (refusal is None) == rights.assesses(roles)
        assert refusal is None or refusal.field == "advice"


@pytest.mark.parametrize("outcome", sorted(rights.UNTOLD))
@pytest.mark.parametrize(
    ("note", "will_do"), [("", False), (".", False), ("... wrong call", False), (WORDS, True)]
)
def test_what_is_grave_is_closed_unreached_only_with_a_few_words(
    outcome: str, note: str, will_do: bool
) -> None:
    for reason in REASONS:
        refusal = rights.refused({"nurse"}, reason, outcome, note=note, advice=(), tries=3)
        assert (refusal is None) == (will_do or reason not in rights.GRAVE), reason
        assert refusal is None or refusal.field == "note"
        assert bool(rights.says_why(reason, note)) == (refusal is not None)


def test_an_emergency_is_not_given_up_before_three_tries() -> None:
    for tries in range(5):
        refusal = rights.refused(
            {"supervisor"}, "emergency", "unreached_closed", note=WORDS, advice=(), tries=tries
        )
        assert (refusal is None) == (tries >= 3)
    assert rights.refused({"nurse"}, "urgent", "unreached_closed", note=WORDS, advice=(), tries=0) is None
