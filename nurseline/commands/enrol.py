"""``python -m nurseline enrol``: an injection from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime

import click

from nurseline.aftercare.service import Channel, EnrolError, Enrolled, Enrolment
from nurseline.aftercare.service import enrol as enrol_injection
from nurseline.messaging.contacts import contact_for
from nurseline.parts import Parts
from nurseline.phone import parse
from nurseline.zones import LocalTimeError, UnknownZoneError, instant, zone


@click.command()
@click.argument("number")
@click.option("--performed", required=True, help="When, on the clock of --zone, such as 2026-03-05T14:30.")
@click.option("--zone", "zone_name", help="IANA time zone of the patient. [default: the clinic's]")
@click.option("--language", default="en", show_default=True)
@click.option(
    "--channel",
    type=click.Choice(["text", "call"]),
    help="How the messages reach the patient. [default: as before, else text]",
)
@click.option(
    "--agreed", is_flag=True, help="The patient agreed to messages after hearing the consent wording."
)
@click.option("--by", default="command line", show_default=True, help="Who enrols, for the record.")
@click.option("--json", "as_json", is_flag=True)
@click.pass_obj
def enrol(
    build: Callable[[], Parts],
    number: str,
    performed: str,
    zone_name: str | None,
    language: str,
    channel: Channel | None,
    agreed: bool,
    by: str,
    as_json: bool,
) -> None:
    """Enrol an injection of the patient with NUMBER and plan its three messages."""
    parts = build()
    patient = parse(number, regions=parts.settings.regions)
    if patient.kind != "person":
        raise click.ClickException(f"NUMBER: a patient's own number is needed, this is {patient.kind}")
    if language not in parts.languages:
        raise click.ClickException(f"--language: choose from {', '.join(parts.languages)}")
    name = zone_name or parts.settings.clinic_timezone
    wording = parts.say("consent.wording", language)
    now = parts.clock.now()
    entry = Enrolment(
        _instant(performed, name),
        name,
        language,
        agreed,
        wording.text,
        str(wording.version),
        by[:64],
        channel,
    )
    try:
        with parts.db.begin() as session:
            contact = contact_for(session, parts.keyring, patient.e164, at=now)
            enrolled = enrol_injection(session, contact, entry, now=now, steps=parts.steps)
    except EnrolError as error:
        raise click.ClickException(f"{error.field}: {error}") from error
    _tell(enrolled, as_json)


def _instant(performed: str, zone_name: str) -> datetime:
    try:
        local = datetime.fromisoformat(performed)
        return local if local.tzinfo else instant(local, zone(zone_name))
    except UnknownZoneError as error:
        raise click.ClickException(f"--zone: {error}") from error
    except LocalTimeError as error:
        raise click.ClickException(f"--performed: {error}") from error
    except (ValueError, OverflowError) as error:
        raise click.ClickException("--performed: write it like 2026-03-05T14:30") from error


def _tell(enrolled: Enrolled, as_json: bool) -> None:
    planned = [
        (due.step.name, due.send_after.isoformat(), due.send_before.isoformat()) for due in enrolled.planned
    ]
    if as_json:
        keys = ("step", "send_after", "send_before")
        steps = [dict(zip(keys, row, strict=True)) for row in planned]
        found = {
            "injection": str(enrolled.injection_id),
            "planned": steps,
            "left_out": enrolled.left_out,
            "replaced": enrolled.replaced,
            "replaced_by_later": enrolled.replaced_by_later,
        }
        click.echo(json.dumps(found))
        return
    for step, after, before in planned:
        click.echo(f"{step}: from {after}, useful until {before}")
    for step in enrolled.left_out:
        click.echo(f"{step}: not planned, too late to be useful")
    if enrolled.replaced:
        click.echo(f"earlier injections: {enrolled.replaced} messages cancelled, these replace them")
    if enrolled.replaced_by_later:
        click.echo("cancelled: a later injection of this number has its messages planned")
