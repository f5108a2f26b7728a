"""Carrying out what a Bundle asks for: each entry by itself, or, in a transaction, all of them or none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from http import HTTPStatus

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from nurseline.aftercare.bringing import RefusedError, Wording, bring
from nurseline.aftercare.calling_off import call_off, find_outside, take_back
from nurseline.intake.answers import Answer, Issue
from nurseline.intake.reading import Wish
from nurseline.parts import Parts

CONSENT = "consent.wording"
# A Procedure and an Appointment tell of one visit at slightly different times.
SAME_VISIT = timedelta(hours=12)
ANOTHER = "Taken back. Another identifier of this visit stands, so its messages stay planned."
TAKEN = Issue("duplicate", "This identifier is enrolled already, with another number or time.")
_CODES = {"phone": "business-rule", "reference": "duplicate", "date": "business-rule"}


class NotAllError(ValueError):
    """What kept a transaction from being carried out: nothing of it was."""

    def __init__(self, issues: Sequence[Issue]) -> None:
        super().__init__(f"{len(issues)} issues")
        self.issues = issues


def carry_out(parts: Parts, actor: str, wishes: Sequence[Wish], *, all_or_none: bool) -> list[Answer]:
    """The answer to each wish, in order. Raises NotAllError for a transaction that cannot be carried out."""
    wording = wording_of(parts)
    # In the order of the ledger, as everybody locks several of its rows.
    in_order = sorted(wishes, key=lambda wish: _key(parts, wish))
    answers: dict[int, Answer] = {}
    if not all_or_none:
        for wish in in_order:
            answers[wish.place] = _alone(parts, actor, wish, wording)
        return [answers[wish.place] for wish in wishes]
    wrong = [issue for wish in wishes if (issue := wish.failed)]
    if wrong:
        raise NotAllError(wrong)
    try:
        with parts.db.begin() as session:
            for wish in in_order:
                answers[wish.place] = answer = _do(session, parts, actor, wish, wording)
                if answer.issue.severity == "error":
                    raise NotAllError([answer.issue])
    except IntegrityError as error:  # the same identifier at the same moment
        raise NotAllError([TAKEN]) from error
    return [answers[wish.place] for wish in wishes]


def wording_of(parts: Parts) -> Wording:
    """The consent words in force, by language."""
    said = {code: parts.say(CONSENT, code) for code in parts.languages}
    return {code: (words.text, str(words.version)) for code, words in said.items()}


def _key(parts: Parts, wish: Wish) -> tuple[str, int]:
    return (parts.keyring.number_hash(wish.asked.number) if wish.asked else "", wish.place)


def _alone(parts: Parts, actor: str, wish: Wish, wording: Mapping[str, tuple[str, str]]) -> Answer:
    if wish.answer:
        return wish.answer
    try:
        with parts.db.begin() as session:
            answer = _do(session, parts, actor, wish, wording)
            if answer.issue.severity == "error":
                session.rollback()
            return answer
    except IntegrityError:
        return Answer(HTTPStatus.CONFLICT, TAKEN)


def _do(session: Session, parts: Parts, actor: str, wish: Wish, wording: Wording) -> Answer:
    if wish.answer:
        return wish.answer
    if wish.called_off:
        return _call_off(session, parts, actor, wish, wish.called_off)
    if wish.asked is None:
        raise ValueError("an entry asks for something")
    now = parts.clock.now()
    # One after another for a number: two that tell of one visit at once do not see each other.
    number = sa.func.hashtextextended(parts.keyring.number_hash(wish.asked.number), 0)
    session.execute(sa.select(sa.func.pg_advisory_xact_lock(number)))
    try:
        done = bring(
            session,
            parts.keyring,
            [wish.asked],
            staff=actor,
            wording=wording,
            now=now,
            steps=parts.steps,
            same_within=SAME_VISIT,
        )
    except RefusedError as error:
        ((_, column, why),) = error.refused
        code = _CODES.get(column, "business-rule")
        status = HTTPStatus.CONFLICT if code == "duplicate" else HTTPStatus.UNPROCESSABLE_ENTITY
        return Answer(status, Issue(code, f"{column.capitalize()}: {why}.", where=wish.where))
    if made := done.enrolled.get(wish.place):
        return Answer(
            HTTPStatus.CREATED, Issue("informational", "Enrolled.", "information", wish.where), str(made)
        )
    known = done.already.get(wish.place)
    text = "Enrolled already; nothing was changed."
    return Answer(
        HTTPStatus.OK, Issue("informational", text, "information", wish.where), str(known) if known else ""
    )


def _call_off(session: Session, parts: Parts, actor: str, wish: Wish, reference: tuple[str, str]) -> Answer:
    injection_id = find_outside(session, parts.keyring, *reference)
    if injection_id is None:
        return _told("Nothing is known under it.", wish)
    now = parts.clock.now()
    stands = take_back(session, parts.keyring, injection_id, *reference, now=now)
    if stands and not wish.has_died:
        return _told(ANOTHER, wish, str(injection_id))
    cancelled = call_off(session, injection_id, actor=actor, now=now, gives_back=not wish.has_died)
    return _told(f"Called off: {cancelled} planned messages were cancelled.", wish, str(injection_id))


def _told(text: str, wish: Wish, injection: str = "") -> Answer:
    return Answer(HTTPStatus.OK, Issue("informational", text, "information", wish.where), injection)
