"""The clinic's answers: what stands in them, where it comes from, and who has signed it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from flask import abort, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import HiddenField, StringField

from nurseline.clinic import reviews
from nurseline.clinic.models import ContentReview
from nurseline.clinic.service import ClinicError
from nurseline.content import Entry
from nurseline.content.source import source_sections
from nurseline.parts import current_parts
from nurseline.staff import audit
from nurseline.staff.access import allow, blueprint, viewer
from nurseline.staff.forms import Textual, WallDate
from nurseline.staff.rights import KEEPERS

SHOWN = {"": "All", "unsigned": "Unsigned", "overdue": "Review overdue"}
CHANGED = "The words have changed since this page was opened. Read the new ones, then sign."


@dataclass(frozen=True, slots=True)
class Signature:
    """Who has signed a version: in the file of words, or on these pages."""

    reviewer: str
    on: date
    next_on: date | None
    overdue: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer with its signature, if it has one."""

    entry: Entry
    signature: Signature | None

    @property
    def state(self) -> str:
        """``unsigned``, ``overdue`` or ``signed``."""
        if self.signature is None:
            return "unsigned"
        return "overdue" if self.signature.overdue else "signed"


class SignForm(FlaskForm):  # type: ignore[misc]
    """A signature under the version that is shown."""

    reviewer = StringField(
        "Reviewer's name",
        validators=[Textual(reviews.REVIEWER_LONGEST)],
        description="Of the clinician, or the translator, who has read these words.",
        render_kw={"autocomplete": "off", "maxlength": reviews.REVIEWER_LONGEST, "dir": "auto"},
    )
    reviewed_on = WallDate("Date of the review")
    next_review_on = WallDate("Next review")
    version = HiddenField()

    def put(self, error: ClinicError) -> None:
        """Show a refusal at its field."""
        text = str(error)
        self._fields[error.field].errors = [f"{text[:1].upper()}{text[1:]}."]


@blueprint.get("/content")
@allow(*KEEPERS)
def answers() -> ResponseReturnValue:
    """Every answer in one language, with the state of its signature."""
    content = current_parts().content
    language = request.args.get("language", "en")
    show = request.args.get("show", "")
    if language not in content.languages or show not in SHOWN:
        abort(404)
    every = _answers(language)
    counts = {key: sum(1 for one in every if key in {"", one.state}) for key in SHOWN}
    return render_template(
        "staff/content.html",
        language=language,
        languages=content.by_language,
        offered=current_parts().languages,
        show=show,
        shown=SHOWN,
        counts=counts,
        answers=[one for one in every if show in {"", one.state}],
    )


@blueprint.get("/content/<string:language>/<string:content_id>")
@allow(*KEEPERS)
def answer(language: str, content_id: str) -> ResponseReturnValue:
    """The words of one answer, the clinic's text behind them, and the form to sign."""
    entry, today = _entry(language, content_id), _today()
    form = SignForm(
        formdata=None,
        data={
            "reviewer": session.get("reviewer", ""),
            "reviewed_on": today,
            "next_review_on": today + reviews.REVIEW_EVERY,
            "version": str(entry.version),
        },
    )
    return _page(language, entry, form)


@blueprint.post("/content/<string:language>/<string:content_id>")
@allow(*KEEPERS)
def sign_answer(language: str, content_id: str) -> ResponseReturnValue:
    """Sign the version that was shown, and go on to the next that nobody has signed."""
    entry, form, parts = _entry(language, content_id), SignForm(), current_parts()
    if form.version.data != str(entry.version):
        flash(CHANGED, "warning")
        form.version.data = str(entry.version)
        return _page(language, entry, form), 409
    if not form.validate():
        return _page(language, entry, form), 422
    now = parts.clock.now()
    try:
        with parts.db.begin() as rows:
            reviews.sign(
                rows,
                (entry.id, language, entry.version),
                reviewer=form.reviewer.data or "",
                reviewed_on=form.reviewed_on.data or date.min,
                next_review_on=form.next_review_on.data or date.min,
                today=_today(),
                now=now,
                staff=viewer().id,
            )
            audit.record(rows, viewer().id, "signed_content", at=now)
    except ClinicError as error:
        form.put(error)
        return _page(language, entry, form), 422
    session["reviewer"] = (form.reviewer.data or "").strip()
    flash(f"Signed: {entry.label}.", "success")
    return redirect(_after(language, entry.id))


def _after(language: str, content_id: str) -> str:
    """The next answer that nobody has signed; the list if every one is."""
    every = _answers(language)
    place = next(number for number, one in enumerate(every) if one.entry.id == content_id)
    for one in [*every[place + 1 :], *every[:place]]:
        if one.signature is None:
            return url_for("staff.answer", language=language, content_id=one.entry.id)
    return url_for("staff.answers", language=language)


def _answers(language: str) -> list[Answer]:
    parts, today = current_parts(), _today()
    with parts.db.begin() as rows:
        stored = reviews.latest(rows, language)
    entries = parts.content.language(language).entries.values()
    return [
        Answer(entry, _signature(entry, stored.get((entry.id, entry.version)), today)) for entry in entries
    ]


def _signature(entry: Entry, stored: ContentReview | None, today: date) -> Signature | None:
    if stored is not None:
        overdue = stored.next_review_on < today
        return Signature(stored.reviewer, stored.reviewed_on, stored.next_review_on, overdue)
    if not entry.signed:
        return None
    on = date.fromisoformat(entry.reviewed_on)
    return Signature(entry.reviewer, on, on + reviews.REVIEW_EVERY, on + reviews.REVIEW_EVERY < today)


def _entry(language: str, content_id: str) -> Entry:
    content = current_parts().content
    found = content.by_language[language].entries.get(content_id) if language in content.languages else None
    if found is None:
        abort(404)
    return found


def _page(language: str, entry: Entry, form: SignForm) -> str:
    parts = current_parts()
    with parts.db.begin() as rows:
        signatures = reviews.history(rows, entry.id, language)
    english = parts.content.language("en").entries.get(entry.id) if language != "en" else None
    return render_template(
        "staff/content_answer.html",
        language=language,
        entry=entry,
        english=english,
        source=source_sections().get(entry.section),
        signatures=signatures,
        answer=next(one for one in _answers(language) if one.entry.id == entry.id),
        form=form,
    )


def _today() -> date:
    parts = current_parts()
    return parts.clock.now().astimezone(parts.settings.zone).date()
