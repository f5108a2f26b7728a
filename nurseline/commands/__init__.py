"""The command line: ``python -m nurseline …``. Collects the commands of the rooms."""

from __future__ import annotations

import os
import sys

import click

from nurseline.app import build
from nurseline.clinic import reviews
from nurseline.commands.enrol import enrol
from nurseline.commands.import_injections import import_injections
from nurseline.commands.reply import reply
from nurseline.config import Settings, SettingsError, load_database_url, load_settings
from nurseline.content.commands import SIGNATURES, content
from nurseline.crypto import new_key
from nurseline.db import upgrade
from nurseline.intake.commands import keys
from nurseline.language.commands import evaluate, explain_command
from nurseline.local.state import read_env
from nurseline.logs import configure_logging
from nurseline.parts import Parts
from nurseline.staff.commands import staff


def _left(*names: str) -> dict[str, str]:
    """Settings that the last `make run` left, for a shell that has none of its own."""
    left = {} if "DATABASE_URL" in os.environ else read_env()
    return {name: left[name.upper()] for name in names if name.upper() in left.keys() - os.environ.keys()}


def _parts() -> Parts:
    try:
        return build(load_settings(**_left(*Settings.model_fields)))
    except SettingsError as error:
        raise click.ClickException(f"settings: {'; '.join(str(error).splitlines())}") from error


def _signatures() -> frozenset[reviews.Version] | None:
    """What staff have signed on their pages; None without a database that can be read."""
    try:
        return reviews.stored(load_database_url(**_left("database_url")))
    except SettingsError:
        return None


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.pass_context
def cli(context: click.Context) -> None:
    """The nurse line's commands. Settings come from the environment, else from the last `make run`."""
    configure_logging("WARNING")
    context.obj = _parts
    context.meta[SIGNATURES] = _signatures


@cli.group()
def db() -> None:
    """The database schema."""


@db.command("upgrade")
def db_upgrade() -> None:
    """Bring the schema up to date. Needs only DATABASE_URL; safe to repeat and from several hosts."""
    try:
        upgrade(load_database_url(**_left("database_url")))
    except SettingsError as error:
        raise click.ClickException(f"settings: {error}") from error
    click.echo("schema is up to date")


@cli.command("new-key")
def new_key_command() -> None:
    """Print a fresh key for NURSELINE_KEYS."""
    click.echo(new_key())


for command in (content, staff, keys, enrol, import_injections, explain_command(reply), evaluate):
    cli.add_command(command)


def main() -> None:
    """Run; an unforeseen error is one line, never a stack trace with patients' words in it."""
    try:
        cli(prog_name="python -m nurseline")
    except Exception as error:
        if os.environ.get("NURSELINE_TRACE"):
            raise
        click.echo(f"Error: {type(error).__name__}; set NURSELINE_TRACE=1 to see where", err=True)
        sys.exit(1)
