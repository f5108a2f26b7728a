"""The parts of one process, as `nurseline.app` wires them together."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import cast

from flask import Flask, current_app

from nurseline.aftercare.plan import Step, steps_until
from nurseline.callbacks.calling import Telephone
from nurseline.carrier.recordings import Recordings
from nurseline.carrier.signature import SignatureCheck
from nurseline.clinic.hours import Hours
from nurseline.clinic.service import Clinic
from nurseline.clock import Clock
from nurseline.config import Settings
from nurseline.content import Channel, Content, Rendered, hours_words, promise_words
from nurseline.crypto import Keyring
from nurseline.db import Database
from nurseline.messaging.sending import Sender

_KEY = "nurseline"


@dataclass(frozen=True)
class Parts:
    """Everything a view, a task or a command works with. ``languages``: those offered to patients."""

    settings: Settings
    clock: Clock
    keyring: Keyring
    db: Database
    content: Content
    languages: tuple[str, ...]
    clinic: Clinic
    signature: SignatureCheck
    sender: Sender
    recordings: Recordings
    telephone: Telephone

    @property
    def steps(self) -> tuple[Step, ...]:
        """The aftercare messages, each with the clinic's latest useful time."""
        return steps_until(
            self.settings.aftercare_day_one_until_hours,
            self.settings.aftercare_day_three_until_hours,
            self.settings.aftercare_week_one_until_hours,
        )

    @property
    def hours(self) -> Hours:
        """The clinic's opening hours, holidays included."""
        return self.clinic.hours()

    def facts(self, language: str, channel: Channel = "text") -> dict[str, str]:
        """The clinic's facts in the words of ``language``: the parameters every entry may use."""
        hours = hours_words(self.clinic.hours_text(), self.content, language, channel=channel)
        return {**self.settings.facts, "hours": hours}

    def say(self, content_id: str, language: str, *, channel: Channel = "text", **params: str) -> Rendered:
        """The clinic's words for ``content_id``."""
        return self.content.render(
            content_id, language, channel=channel, **self.facts(language, channel), **params
        )

    def promise(self, due: datetime, language: str, *, channel: Channel = "text") -> str:
        """A due time as a patient hears it, in the clinic's zone."""
        zone = self.settings.zone
        now = self.clock.now().astimezone(zone)
        return promise_words(due.astimezone(zone), now, self.content, language, channel=channel)


def attach(app: Flask, parts: Parts) -> None:
    """Make ``parts`` reachable from the views of ``app``."""
    app.extensions[_KEY] = parts


def current_parts() -> Parts:
    """The parts of the app that handles this request."""
    return cast(Parts, current_app.extensions[_KEY])
