"""`python -m nurseline content …`: what is wrong with the clinic's words, and who has not signed."""

import json
import sys
from collections.abc import Callable, Collection

import click

from nurseline.content.checks import problems
from nurseline.content.entries import ContentError
from nurseline.content.load import load_content
from nurseline.content.released import write_released

SIGNATURES = "nurseline.signatures"
"""Where the command line leaves what reads signatures from the database: this room knows no database."""


def _stored_signatures() -> Collection[tuple[str, str, int]] | None:
    """What staff have signed, as (id, language, version); None where no database can be read."""
    read: Callable[[], Collection[tuple[str, str, int]] | None] | None
    read = click.get_current_context().meta.get(SIGNATURES)
    return read() if read else None


@click.group()
def content() -> None:
    """The clinic's words."""


@content.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--require-signed", is_flag=True, help="Also fail while an entry is unsigned.")
@click.option("--language", "languages", multiple=True, metavar="CODE", help="Only this language.")
def check(as_json: bool, require_signed: bool, languages: tuple[str, ...]) -> None:
    """Check every entry: length, alphabet, reserved words, reading grade, support in the clinic's text.

    Exits with 1 when something is wrong. Unsigned entries are listed; they fail only with --require-signed.
    """
    stored = _stored_signatures()
    try:
        words = load_content()
        codes = languages or words.languages
        unsigned = {code: words.unsigned(code, stored or ()) for code in codes}
    except ContentError as error:
        if as_json:
            click.echo(json.dumps({"ok": False, "error": str(error)}))
            sys.exit(1)
        raise click.ClickException(str(error)) from error
    found = [problem for problem in problems(words) if problem.language in codes]
    ok = not found and not (require_signed and any(unsigned.values()))
    if as_json:
        faults = [
            {"language": one.language, "id": one.id, "rule": one.rule, "detail": one.detail} for one in found
        ]
        counts = {code: len(words.language(code).entries) for code in codes}
        answer = {"ok": ok, "entries": counts, "problems": faults, "unsigned": unsigned}
        click.echo(json.dumps({**answer, "signatures_of_staff_read": stored is not None}))
    else:
        for one in found:
            click.echo(f"{one.language} {one.id}: {one.rule}: {one.detail}")
        for code, ids in unsigned.items():
            total = len(words.language(code).entries)
            click.echo(f"{code}: {total} entries, {total - len(ids)} signed, {len(ids)} unsigned")
            click.echo(click.wrap_text(" ".join(ids), 100, "  ", "  ") if ids else "", nl=bool(ids))
        if stored is None:
            click.echo("signatures that staff gave on their pages are not counted: no database was read")
        click.echo("all checks passed" if not found else f"{len(found)} problems")
    sys.exit(0 if ok else 1)


@content.command()
def release() -> None:
    """Record the words as released: from then on `check` fails when words change and the version does not."""
    words = load_content()
    if found := problems(words):
        reason = f"{len(found)} problems, see: content check"
        raise click.ClickException(reason)
    write_released(words)
    click.echo("recorded in released.json: commit it")
