"""The search box of every page, and what it finds.

What is typed never stands in an address: it is posted, and the page of results has an address that holds it
encrypted, for this sign-in only. So going back to the results works, and logs hold neither number nor name.
"""

from __future__ import annotations

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from nurseline.crypto import UndecryptableError
from nurseline.parts import current_parts
from nurseline.staff import audit
from nurseline.staff.access import allow, blueprint, viewer
from nurseline.staff.page_rows import page_rows
from nurseline.staff.queries.search import search as find

TYPED_LONGEST = 80
HINTS = {
    "short_name": "Type at least two letters of a name.",
    "part_of_number": "A phone number is found by all of its ten digits: the last four are not enough.",
    "not_whole_number": "This is not a whole phone number. Type all ten digits, like 202-555-0123.",
    "": "Names are found by how their words begin, phone numbers by all ten digits.",
}


@blueprint.get("/search")
@allow()
def search_page() -> ResponseReturnValue:
    """The box by itself."""
    return render_template("staff/search.html", typed="", found=None, error="")


@blueprint.post("/search")
@allow()
def search() -> ResponseReturnValue:
    """Take what was typed to the address of its results; show the box again if it cannot be looked for."""
    typed = request.form.get("typed", "").strip()
    if error := _wrong(typed):
        return render_template("staff/search.html", typed=typed[:TYPED_LONGEST], found=None, error=error), 422
    sealed = current_parts().keyring.encrypt(f"{viewer().session_id}\n{typed}").decode()
    return redirect(url_for("staff.search_results", sealed=sealed), 303)


@blueprint.get("/search/<sealed>")
@allow()
def search_results(sealed: str) -> ResponseReturnValue:
    """What was found. That somebody looked, and whom they were shown, is recorded."""
    parts, person = current_parts(), viewer()
    typed = _opened(sealed)
    if not typed:
        return redirect(url_for("staff.search_page"))
    now = parts.clock.now()
    with page_rows() as session:
        found = find(session, parts.keyring, typed, regions=parts.settings.regions)
        for contact_id in found.seen or (None,):
            audit.record(session, person.id, "searched", at=now, contact_id=contact_id)
    return render_template(
        "staff/search.html",
        typed=typed,
        found=found,
        error="",
        hint=HINTS[found.hint] if found.nothing else "",
    )


def _opened(sealed: str) -> str:
    """What was typed in this sign-in; empty for anything else."""
    try:
        session_id, _, typed = current_parts().keyring.decrypt(sealed.encode()).partition("\n")
    except (UndecryptableError, ValueError):
        return ""
    return typed if session_id == str(viewer().session_id) and not _wrong(typed) else ""


def _wrong(typed: str) -> str:
    if not typed:
        return "Type a phone number, a name or a reference."
    if len(typed) > TYPED_LONGEST:
        return f"This is too long: {len(typed)} characters, {TYPED_LONGEST} fit."
    if any(ord(c) < 32 or ord(c) == 127 or 0xD800 <= ord(c) <= 0xDFFF for c in typed):
        return "This holds a character that is not text. Type it again."
    return ""
