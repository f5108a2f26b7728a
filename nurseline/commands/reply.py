"""What the line would answer, for `explain`: needs no settings, so the clinic's facts stand in brackets."""

from __future__ import annotations

from nurseline.dialogue import Promise, State, compose, fill, promises_needed, respond
from nurseline.language import Meaning

_FACTS = {name: f"[{name}]" for name in ("clinic", "phone", "phone_spoken", "address", "hours")}


def reply(meaning: Meaning, language: str) -> str:
    """The texts that a contact at the menu would get for ``meaning``."""
    turn = respond(State(place="menu", language=language), meaning, channel="text", languages=("en", "es"))
    promised = {reason: Promise("[promised time]") for reason in promises_needed(turn)}
    return "\n".join(message.text for message in compose(fill(turn, promised), _FACTS, channel="text"))
