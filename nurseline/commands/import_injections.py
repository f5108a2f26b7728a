"""``python -m nurseline import-injections``: a file of injections, looked at first."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from nurseline.aftercare.bringing import Asked, Brought, RefusedError, Standing, bring, counted, standing
from nurseline.aftercare.files import Fault, FileError, Sheet, Terms, read_sheet
from nurseline.parts import Parts
from nurseline.zones import UnknownZoneError, zone


@click.command("import-injections")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--zone", "zone_name", help="IANA zone of rows that name none. [default: the clinic's]")
@click.option("--yes", is_flag=True, help="Import without asking. Otherwise a terminal is asked.")
@click.option("--leave-out-bad", is_flag=True, help="Import the good rows although others cannot be read.")
@click.option("--by", default="command line", show_default=True, help="Who imports, for the record.")
@click.option("--json", "as_json", is_flag=True)
@click.pass_obj
def import_injections(
    build: Callable[[], Parts],
    file: Path,
    zone_name: str | None,
    yes: bool,
    leave_out_bad: bool,
    by: str,
    as_json: bool,
) -> None:
    """Enrol the injections of FILE.csv, all of its good rows or none.

    Shows every bad row first. Fails, and imports nothing, while there are bad rows, unless --leave-out-bad.
    """
    parts = build()
    sheet = _read(parts, file, zone_name)
    stands = _looked_at(parts, sheet)
    bad = sorted([*sheet.faults, *_refused(stands)], key=lambda fault: fault.line)
    new = counted(stands)["new"]
    if not as_json:
        _show(sheet, stands, bad)
    if bad and not leave_out_bad:
        _end(f"nothing was imported: {len({one.line for one in bad})} rows are bad", bad, as_json)
    if new and not yes and not (sys.stdin.isatty() and not as_json and click.confirm(f"Import {new}?")):
        _end("nothing was imported: it was not confirmed (--yes)", bad, as_json)
    try:
        brought = _imported(parts, [one.asked for one in stands if one.refused is None], by)
    except RefusedError as error:
        more = [Fault(line, column, why) for line, column, why in error.refused]
        _end("nothing was imported: the file was overtaken while it was looked at", more, as_json)
    _tell(brought, bad, as_json)


def _read(parts: Parts, file: Path, zone_name: str | None) -> Sheet:
    try:
        default = zone_name or parts.settings.clinic_timezone
        zone(default)
        return read_sheet(file.read_bytes(), Terms(parts.settings.regions, parts.languages, default))
    except UnknownZoneError as error:
        raise click.ClickException(f"--zone: {error}") from error
    except FileError as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"{file.name} cannot be read") from error


def _looked_at(parts: Parts, sheet: Sheet) -> list[Standing]:
    with parts.db.begin() as session:
        wording, now = _wording(parts), parts.clock.now()
        return standing(session, parts.keyring, sheet.asked, wording=wording, now=now, steps=parts.steps)


def _imported(parts: Parts, asked: Sequence[Asked], by: str) -> Brought:
    with parts.db.begin() as session:
        wording, now = _wording(parts), parts.clock.now()
        return bring(
            session, parts.keyring, asked, staff=by[:64], wording=wording, now=now, steps=parts.steps
        )


def _wording(parts: Parts) -> dict[str, tuple[str, str]]:
    said = {code: parts.say("consent.wording", code) for code in parts.languages}
    return {code: (words.text, str(words.version)) for code, words in said.items()}


def _refused(stands: Sequence[Standing]) -> list[Fault]:
    return [Fault(one.asked.line, *one.refused) for one in stands if one.refused]


def _show(sheet: Sheet, stands: Sequence[Standing], bad: Sequence[Fault]) -> None:
    for fault in bad:
        click.echo(f"line {fault.line}: {fault.column} {fault.reason}")
    sums = counted(stands)
    click.echo(
        f"{sheet.rows} rows: {sums['new']} to enrol with {sums['messages']} messages,"
        f" {sums['already']} enrolled already, {len(sheet.repeated)} repeated in the file,"
        f" {len({fault.line for fault in bad})} bad"
    )


def _end(why: str, bad: Sequence[Fault], as_json: bool) -> None:
    """Stop, having imported nothing."""
    if as_json:
        click.echo(json.dumps({"enrolled": 0, "error": why, "bad": _plain(bad)}))
        sys.exit(1)
    raise click.ClickException(why)


def _tell(brought: Brought, bad: Sequence[Fault], as_json: bool) -> None:
    done = {
        "enrolled": len(brought.enrolled),
        "already": len(brought.already),
        "replaced": brought.replaced,
        "bad": _plain(bad),
    }
    click.echo(json.dumps(done) if as_json else f"enrolled {done['enrolled']}, already {done['already']}")


def _plain(bad: Sequence[Fault]) -> list[dict[str, Any]]:
    return [{"line": one.line, "column": one.column, "reason": one.reason} for one in bad]
