"""From a turn of the dialogue to the clinic's words, promises filled in."""

from __future__ import annotations

from nurseline.content import Channel
from nurseline.dialogue import Message, Promise, Turn, compose, fill
from nurseline.parts import Parts
from nurseline.webhooks.effects import Done


def worded(parts: Parts, turn: Turn, done: Done, *, channel: Channel) -> tuple[Turn, tuple[Message, ...]]:
    """The turn as it was really said, and its words: texts of at most two segments, or runs of speech."""
    closed = not parts.hours.is_open(parts.clock.now())
    language = turn.state.language
    promises = {
        reason: Promise(parts.promise(due, language, channel=channel), reason in done.already, closed)
        for reason, due in done.promises.items()
    }
    filled = fill(turn, promises)
    facts = {**parts.settings.facts, "hours": parts.clinic.hours_text()}
    return filled, compose(filled, facts, channel=channel, content=parts.content)
