"""What staff text, put together: the clinic's name, a ready reply or their own words, the 911 line; its cost.

Each text begins with the clinic's name (clinic.md 0.10: carriers want it in every message). It ends with the
911 line where the content rules ask for it (clinic.md 3.1): on every ready reply, on every text while the
clinic is closed, and while grave words of the patient are less than a day old; else the writer chooses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from nurseline.content import CLINIC_PARAMS, is_gsm7, segments
from nurseline.content.ids import STAFF_REPLY
from nurseline.content.segments import outside_gsm7
from nurseline.parts import Parts

OPENING, EMERGENCY = "staff.opening", "staff.emergency"
OWN_WORDS: Final = "staff.words"  # stands in the place of a content id where a person wrote
ANSWERS: Final = "answer."
NUMBER_OF_EMERGENCY: Final = "911"
MOST_PARTS = 5  # clinic.md 6: the carrier advises two; what is longer is better said on the phone
LONGEST = 1000  # letters that may be typed


@dataclass(frozen=True, slots=True)
class Ready:
    """A ready reply in the words of the content files."""

    id: str
    label: str
    text: str
    version: int


@dataclass(frozen=True, slots=True)
class Draft:
    """The exact words that would be texted, and what they cost. ``unusual``: letters that make it long."""

    body: str
    content: str
    language: str
    parts: int
    cost: str
    unusual: tuple[str, ...]

    @property
    def too_long(self) -> bool:
        """Whether it takes more parts than one text may."""
        return self.parts > MOST_PARTS


def language_of(parts: Parts, wanted: str) -> str:
    """The language in which a contact is texted: theirs if the clinic offers it, else English."""
    return wanted if wanted in parts.languages else parts.languages[0]


def ready_replies(parts: Parts, language: str) -> Mapping[str, tuple[Ready, ...]]:
    """The ready replies by group: what staff say often, and the answers of the clinic's text."""
    groups: dict[str, list[Ready]] = {"Replies": [], "From the clinic's text": []}
    facts = parts.facts(language)
    for entry in parts.content.language(language).entries.values():
        group = "Replies" if entry.id.startswith(STAFF_REPLY) else "From the clinic's text"
        fits = entry.id.startswith((STAFF_REPLY, ANSWERS)) and entry.slots("text") <= CLINIC_PARAMS
        if fits and all(facts[slot].strip() for slot in entry.slots("text")):
            said = parts.say(entry.id, language)
            groups[group].append(Ready(entry.id, entry.label, said.text, said.version))
    return {group: tuple(replies) for group, replies in groups.items() if replies}


def draft(parts: Parts, language: str, words: str, ready: Ready | None, *, emergency: bool) -> Draft:
    """The text that ``words`` make. ``ready``: the reply whose words they are, unchanged; else their own."""
    opening, ending = parts.say(OPENING, language), parts.say(EMERGENCY, language)
    said, content = [words], [f"{ready.id}:{ready.version}" if ready else OWN_WORDS]
    if parts.settings.clinic_name not in words:
        said.insert(0, opening.text)
        content.insert(0, f"{opening.id}:{opening.version}")
    if (emergency or ready) and NUMBER_OF_EMERGENCY not in words:
        said.append(ending.text)
        content.append(f"{ending.id}:{ending.version}")
    body = " ".join(said)
    count = segments(body)
    return Draft(
        body,
        " ".join(content),
        language,
        count,
        cost_of(count, parts.settings.text_price),
        () if is_gsm7(body) else tuple(outside_gsm7(body)),
    )


def cost_of(count: int, price: float) -> str:
    """What ``count`` parts cost, in dollars, as a person reads it."""
    dollars = count * price
    return f"${dollars:.2f}" if dollars >= 0.1 or dollars == 0 else f"${dollars:.3f}"
