"""Files of injections: handed in, looked at row by row, and imported only once confirmed."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from flask import Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session

from nurseline.aftercare import handed_in
from nurseline.aftercare.bringing import RefusedError, Standing, bring, counted, standing
from nurseline.aftercare.files import (
    COLUMNS,
    MOST_BYTES,
    MOST_ROWS,
    TEMPLATE,
    Fault,
    FileError,
    Sheet,
    Terms,
    read_sheet,
)
from nurseline.parts import Parts, current_parts
from nurseline.staff import audit
from nurseline.staff.access import allow, blueprint, viewer
from nurseline.staff.uploads import takes_file

CONSENT = "consent.wording"
GONE = "This file is not kept any more: it was imported, given up, or waited for two hours. Hand it in again."
CHANGED = "What the file would do has changed since you looked at it. Look again."
BUSY = "Another file is being imported. Nothing was changed. Try again in a moment."


@dataclass(frozen=True, slots=True)
class Look:
    """What a file would do. ``mark``: changes whenever that does, or the consent words do."""

    sheet: Sheet
    stands: Sequence[Standing]
    bad: Sequence[Fault]
    mark: str

    @property
    def good(self) -> list[Standing]:
        """The rows that would be enrolled."""
        return [one for one in self.stands if one.is_new]

    @property
    def bad_rows(self) -> int:
        """How many rows have something wrong."""
        return len({fault.line for fault in self.bad})


@blueprint.get("/imports")
@allow()
def imports() -> ResponseReturnValue:
    """Where a file is handed in, and what this person handed in before."""
    return _page()


@blueprint.get("/imports/template.csv")
@allow()
def import_template() -> ResponseReturnValue:
    """A file with the right columns and one made-up row, marked so that spreadsheets read it as UTF-8."""
    response = Response("\ufeff" + TEMPLATE, content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = 'attachment; filename="injections.csv"'
    return response


@blueprint.post("/imports")
@allow()
@takes_file(MOST_BYTES)
def hand_in() -> ResponseReturnValue:
    """Keep a file that can be read, and show what it would do."""
    parts, person = current_parts(), viewer()
    sent = request.files.get("file")
    content = sent.read() if sent else b""
    if not sent or not sent.filename:
        return _page("Choose a file."), 422
    try:
        read_sheet(content, _terms(parts))
    except FileError as error:
        return _page(str(error)), 422
    now = parts.clock.now()
    with parts.db.begin() as session:
        file_id = handed_in.keep(session, content, staff=person.id, now=now)
        audit.record(session, person.id, "handed_in_file", at=now)
    return redirect(url_for("staff.import_preview", file_id=file_id), 303)


@blueprint.get("/imports/<uuid:file_id>")
@allow()
def import_preview(file_id: uuid.UUID) -> ResponseReturnValue:
    """Every bad row, and what the good ones would do."""
    parts = current_parts()
    with parts.db.begin() as session:
        row = handed_in.waiting(session, file_id, staff=viewer().id, now=parts.clock.now())
        if row is None or row.content is None:
            flash(GONE, "info")
            return redirect(url_for("staff.imports"))
        look = _look(session, parts, row.content)
    return _show(parts, file_id, look)


@blueprint.post("/imports/<uuid:file_id>/confirm")
@allow()
def confirm_import(file_id: uuid.UUID) -> ResponseReturnValue:
    """Import all good rows of the file that was looked at, or none."""
    parts = current_parts()
    try:
        with parts.db.begin() as session:
            return _confirm(session, parts, file_id)
    except RefusedError:
        flash(CHANGED, "warning")
    except (OperationalError, IntegrityError):  # somebody else had a row for too long, or the same reference
        flash(BUSY, "warning")
    return redirect(url_for("staff.import_preview", file_id=file_id), 303)


@blueprint.post("/imports/<uuid:file_id>/give-up")
@allow()
def give_up_import(file_id: uuid.UUID) -> ResponseReturnValue:
    """Forget the file without importing it."""
    with current_parts().db.begin() as session:
        handed_in.give_up(session, file_id, staff=viewer().id)
    flash("Given up. Nothing was imported, and the file is forgotten.", "info")
    return redirect(url_for("staff.imports"), 303)


def _confirm(session: Session, parts: Parts, file_id: uuid.UUID) -> ResponseReturnValue:
    now, person = parts.clock.now(), viewer()
    again = redirect(url_for("staff.import_preview", file_id=file_id), 303)
    row = handed_in.waiting(session, file_id, staff=person.id, now=now)
    if row is None or row.content is None:
        flash(GONE, "info")
        return redirect(url_for("staff.imports"), 303)
    if not handed_in.only_one(session):
        flash(BUSY, "warning")
        return again
    look = _look(session, parts, row.content)
    if request.form.get("mark") != look.mark:
        flash(CHANGED, "warning")
        return again
    if request.form.get("agreed") != "yes":
        return _show(parts, file_id, look, "Tick this: messages need the patients' agreement."), 422
    brought = bring(
        session,
        parts.keyring,
        [one.asked for one in look.stands if one.refused is None],
        staff=person.id,
        wording=_wording(parts),
        now=now,
        steps=parts.steps,
    )
    handed_in.done(row, len(brought.enrolled), now=now)
    audit.record(session, person.id, "imported_injections", at=now)
    flash(_told(len(brought.enrolled), len(brought.already), look.bad_rows, brought.replaced), "success")
    return redirect(url_for("staff.injections"), 303)


def _told(enrolled: int, already: int, bad: int, replaced: int) -> str:
    parts = [f"Imported: {enrolled} injection{'s' if enrolled != 1 else ''} enrolled."]
    parts += [f"{already} {'were' if already != 1 else 'was'} enrolled already."] if already else []
    parts += [f"{bad} bad row{'s' if bad != 1 else ''} left out."] if bad else []
    parts += [f"{replaced} planned messages of earlier injections were cancelled."] if replaced else []
    return " ".join(parts)


def _look(session: Session, parts: Parts, content: bytes) -> Look:
    sheet = read_sheet(content, _terms(parts))
    wording = _wording(parts)
    stands = standing(
        session, parts.keyring, sheet.asked, wording=wording, now=parts.clock.now(), steps=parts.steps
    )
    refused = [Fault(one.asked.line, *one.refused) for one in stands if one.refused]
    bad = sorted([*sheet.faults, *refused], key=lambda fault: fault.line)
    seen = [
        (one.asked.line, [due.step.name for due in one.due], one.replaces) for one in stands if one.is_new
    ]
    versions = sorted((code, version) for code, (_, version) in wording.items())
    mark = hashlib.sha256(repr((seen, versions)).encode()).hexdigest()[:32]
    return Look(sheet, stands, bad, mark)


def _terms(parts: Parts) -> Terms:
    return Terms(parts.settings.regions, parts.languages, parts.settings.clinic_timezone)


def _wording(parts: Parts) -> dict[str, tuple[str, str]]:
    said = {code: parts.say(CONSENT, code) for code in parts.languages}
    return {code: (words.text, str(words.version)) for code, words in said.items()}


def _page(error: str = "") -> str:
    parts = current_parts()
    now = parts.clock.now()
    with parts.db.begin() as session:
        handed_in.forget_old(session, now=now)
        before = handed_in.of_staff(session, viewer().id, now=now)
    return render_template(
        "staff/imports.html",
        error=error,
        before=before,
        columns=COLUMNS,
        most_rows=MOST_ROWS,
        languages={code: parts.content.language(code).name for code in parts.languages},
    )


def _show(parts: Parts, file_id: uuid.UUID, look: Look, error: str = "") -> str:
    used = sorted({one.asked.language for one in look.good}, key=parts.languages.index)
    return render_template(
        "staff/import_preview.html",
        file_id=file_id,
        look=look,
        sums=counted(look.stands),
        wordings={code: parts.say(CONSENT, code) for code in used},
        language_names={code: parts.content.language(code).name for code in used},
        error=error,
        others=[one.asked.line for one in look.good if one.other_name],
    )
