"""``python -m nurseline keys``: keys with which other systems hand in injections."""

from __future__ import annotations

import json
from collections.abc import Callable

import click

from nurseline.intake.keys import KeyNameError, add, all_keys, revoke
from nurseline.parts import Parts

Build = Callable[[], Parts]
ACTOR = "command"
as_json = click.option("--json", "json_", is_flag=True, help="Answer as JSON.")


@click.group()
def keys() -> None:
    """Keys with which the clinic's own system hands in injections (docs/intake.md)."""


@keys.command("add")
@click.argument("name")
@as_json
@click.pass_obj
def add_key(build: Build, name: str, json_: bool) -> None:
    """Make a key for the system NAME and print it, once."""
    parts = build()
    try:
        with parts.db.begin() as session:
            key = add(session, parts.keyring, name, by=ACTOR, now=parts.clock.now())
    except KeyNameError as error:
        raise click.ClickException(str(error)) from error
    click.echo(json.dumps({"name": name, "key": key}) if json_ else f"key of {name}: {key}")


@keys.command("list")
@as_json
@click.pass_obj
def list_keys(build: Build, json_: bool) -> None:
    """Show which systems have keys, and when each was last used."""
    with build().db.begin() as session:
        rows = [
            {
                "name": key.name,
                "made": key.created_at.isoformat(timespec="seconds"),
                "used": key.last_used_at.isoformat(timespec="seconds") if key.last_used_at else None,
                "revoked": key.revoked_at.isoformat(timespec="seconds") if key.revoked_at else None,
            }
            for key in all_keys(session)
        ]
    if json_:
        click.echo(json.dumps(rows))
        return
    for row in rows:
        state = f"revoked {row['revoked']}" if row["revoked"] else f"last used {row['used'] or 'never'}"
        click.echo(f"{row['name']}  made {row['made']}  {state}")
    if not rows:
        click.echo("no keys")


@keys.command("revoke")
@click.argument("name")
@as_json
@click.pass_obj
def revoke_key(build: Build, name: str, json_: bool) -> None:
    """End the key of the system NAME at once."""
    parts = build()
    try:
        with parts.db.begin() as session:
            revoke(session, name, now=parts.clock.now())
    except KeyNameError as error:
        raise click.ClickException(str(error)) from error
    click.echo(json.dumps({"name": name, "revoked": True}) if json_ else f"revoked the key of {name}")
