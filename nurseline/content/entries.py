"""The shapes of the clinic's words: one entry per thing the line can say, per language."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Channel = Literal["text", "voice"]

CLINIC_PARAMS = frozenset({"clinic", "phone", "phone_spoken", "address", "hours"})
"""Facts the clinic gives about itself; every entry may use them."""

# Longest values that messages are checked with, in GSM-7 septets.
LONGEST = MappingProxyType({"clinic": 30, "phone": 14, "address": 60, "hours": 50})

_SLOT = re.compile(r"\{([a-z_]+)\}")
_BRACE = re.compile(r"[{}]")


class ContentError(Exception):
    """A fault in the clinic's words: in which file, at which entry, and what is wrong."""

    def __init__(self, file: str, entry: str, what: str) -> None:
        super().__init__(f"{file}: {entry}: {what}" if entry else f"{file}: {what}")
        self.file, self.entry, self.what = file, entry, what


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing the line can say. `voice` is None where the text can be read aloud as it stands."""

    id: str
    text: str
    voice: str | None
    label: str
    section: str
    source: str
    version: int
    author: str
    reviewer: str
    reviewed_on: str
    quotes: tuple[str, ...] = ()

    @property
    def signed(self) -> bool:
        """True once a clinician's (or translator's) name and date stand in the file."""
        return bool(self.reviewer and self.reviewed_on)

    def template(self, channel: Channel) -> str:
        """The words for a channel, slots unfilled."""
        return self.voice if channel == "voice" and self.voice is not None else self.text

    def slots(self, channel: Channel) -> frozenset[str]:
        """Names of the parameters that the words for a channel need."""
        return frozenset(_SLOT.findall(self.template(channel)))


@dataclass(frozen=True, slots=True)
class Rendered:
    """Words ready to send or say, with what is stored beside an outbound message."""

    id: str
    version: int
    language: str
    text: str


@dataclass(frozen=True, slots=True)
class Calendar:
    """How a language says moments and opening hours; patterns hold slots such as {time}.

    `parts` are the parts of the day: the hour each begins (the first at 0) and the words after the clock.
    """

    weekdays: tuple[str, ...]
    months: tuple[str, ...]
    short_weekdays: tuple[str, ...]
    parts: tuple[tuple[int, str], ...]
    one: str
    hour: str
    today: str
    tomorrow: str
    tonight: str
    midnight: str
    day: str
    range: str
    days: str


@dataclass(frozen=True, slots=True)
class Language:
    """All the words of one language and the few facts about the file.

    `hints` are words callers are likely to say at any place; `replies` are words with which a reminder
    is answered instead of a number: well, question, worse.
    """

    code: str
    name: str
    file: str
    entries: Mapping[str, Entry]
    forbidden_words: frozenset[str]
    hints: tuple[str, ...]
    replies: Mapping[str, tuple[str, ...]]
    calendar: Mapping[Channel, Calendar]


@dataclass(frozen=True, slots=True)
class Content:
    """Every word the line may say. Immutable; loaded once per process."""

    by_language: Mapping[str, Language]

    @property
    def languages(self) -> tuple[str, ...]:
        """Codes of the languages with a file, English first."""
        return tuple(self.by_language)

    def language(self, code: str) -> Language:
        """The words of one language; ContentError when there is no such file."""
        found = self.by_language.get(code)
        if found is None:
            file = f"{code}.toml"
            raise ContentError(file, "", "no content in this language")
        return found

    def get(self, entry_id: str, language: str = "en") -> Entry:
        """The entry with this id; ContentError when it is missing."""
        words = self.language(language)
        entry = words.entries.get(entry_id)
        if entry is None:
            raise ContentError(words.file, entry_id, "no such entry")
        return entry

    def render(
        self, entry_id: str, language: str = "en", *, channel: Channel = "text", **params: str
    ) -> Rendered:
        """The words of an entry with every slot filled.

        Clinic facts may always be given; any other parameter must be one the entry uses.
        ContentError on a missing, empty, unknown or unusable parameter: no slot is ever left open.
        """
        entry = self.get(entry_id, language)
        file = self.language(language).file
        slots = entry.slots(channel)
        known = CLINIC_PARAMS | entry.slots("text") | entry.slots("voice")
        for name in params:
            if name not in known:
                raise ContentError(file, entry_id, f"does not use a parameter {name!r}")
        for name in sorted(slots):
            value = params.get(name, "")
            if not value.strip():
                raise ContentError(file, entry_id, f"needs a value for {{{name}}}")
            if _BRACE.search(value) or not value.isprintable():
                raise ContentError(
                    file, entry_id, f"the value for {{{name}}} has a brace or control character"
                )
        text = _SLOT.sub(lambda match: params[match[1]], entry.template(channel))
        return Rendered(id=entry_id, version=entry.version, language=language, text=text)

    def unsigned(self, language: str, also: Collection[tuple[str, str, int]] = ()) -> list[str]:
        """Ids of the entries that nobody qualified has signed yet.

        ``also``: what is signed outside the file, as (id, language, version), for that version alone.
        """
        entries = self.language(language).entries.values()
        return [one.id for one in entries if not one.signed and (one.id, language, one.version) not in also]

    def signed_languages(self) -> tuple[str, ...]:
        """Languages whose every entry is signed."""
        return tuple(code for code in self.languages if not self.unsigned(code))
