"""What a conversation remembers, what a turn says, and what it asks the rest of the house to do."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal

from nurseline.content import Channel

Reason = Literal["emergency", "urgent", "clinical", "schedule", "nurse", "admin"]
REASONS: Final[frozenset[str]] = frozenset({"emergency", "urgent", "clinical", "schedule", "nurse", "admin"})
# Whoever is on shift takes these at once.
CONNECTED: Final[frozenset[str]] = frozenset({"nurse", "urgent", "clinical"})

PLACES: Final[frozenset[str]] = frozenset(
    {
        "start",  # nothing said yet, or silent so long that the top is read again
        "menu",
        "aftercare",
        "about",
        "topic",  # an answer was given
        "unsure",  # "which one is it?" was asked
        "schedule_time",  # the best time of day was asked
        "offer_person",  # a call was offered
        "reminder",  # a reminder asked how the patient is
        "callback_number",  # voice: a number was asked for
        "confirm_number",  # voice: the number was read back
        "connecting",  # voice: telephones of the clinic ring
        "record_consent",  # voice: may a message be recorded?
        "recording",  # voice: the caller speaks a message
        "text_consent",  # voice: may the answer be texted?
        "confirm_stop",  # voice: end all automatic messages?
        "confirm_wrong",  # voice: end them, because the number is somebody else's?
        "confirm_start",  # voice: begin them again?
        "done",  # voice: a request was taken, the caller may hang up
    }
)
ANSWERS: Final[frozenset[str]] = frozenset(
    {"what", "conditions", "expect", "recovery", "onset", "duration", "risks", "suitability"}
)


class _StateError(Exception):
    """What was stored is not a state of this version."""


_UNSAVED: Final = frozenset({"callback_number", "confirm_number", "connecting"})
_LANGUAGE = re.compile(r"[a-z]{2}")
_MOST = 10_000
Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Say:
    """One thing to say: a content id and the values for its slots.

    `promise_for` names the callback item whose promised time fills {promise}; `already` is the id
    to say instead when that item was open before; `language` overrides the conversation's.
    An `optional` one is left out when the clinic has given no value for one of its slots.
    """

    id: str
    params: Pairs = ()
    promise_for: Reason | None = None
    already: str | None = None
    language: str | None = None
    optional: bool = False


@dataclass(frozen=True, slots=True)
class RequestCallback:
    """Open, or join, the callback item for this number and reason.

    `number` is set when an anonymous caller keyed one in (digits, ten, without the country code).
    """

    reason: Reason
    best_time: str | None = None
    number: str | None = None


@dataclass(frozen=True, slots=True)
class OptOut:
    """End all automated messages to this number."""


@dataclass(frozen=True, slots=True)
class OptIn:
    """Allow automated messages to this number again; brings no cancelled one back."""


@dataclass(frozen=True, slots=True)
class WrongNumber:
    """The number does not belong to who we thought: suppress it and tell staff."""


@dataclass(frozen=True, slots=True)
class SetLanguage:
    """Remember the language this number wants."""

    code: str


@dataclass(frozen=True, slots=True)
class FlagReview:
    """Staff should look at this message although it got an ordinary reply."""


@dataclass(frozen=True, slots=True)
class AnswerReminder:
    """What the patient answered to the last reminder."""

    answer: Literal["well", "question", "worse"]


@dataclass(frozen=True, slots=True)
class SendText:
    """Text what was just said on the call to the caller's number: once, as they agreed to."""

    ids: tuple[str, ...]  # content ids


@dataclass(frozen=True, slots=True)
class Can:
    """What the line can do for this patient now. Only calls use all but the first.

    ``call_back``: their number is known. ``connect``: somebody is on shift who takes calls. ``record``: the
    clinic takes voicemail. ``text``: the number can be texted.
    """

    call_back: bool = True
    connect: bool = False
    record: bool = False
    text: bool = False


Effect = SendText | RequestCallback | OptOut | OptIn | WrongNumber | SetLanguage | FlagReview | AnswerReminder


@dataclass(frozen=True, slots=True)
class State:
    """Where a conversation stands. Small, JSON-able, and safe to lose."""

    place: str = "start"
    topic: str | None = None
    part: int = 0  # parts of the topic's answer already given
    misses: int = 0  # misunderstandings in a row
    silences: int = 0  # voice: silences in a row
    language: str = "en"
    memory: Pairs = ()
    last: tuple[Say, ...] = ()  # what was said last, for "repeat"

    def recall(self, name: str) -> str | None:
        """A remembered value, or None."""
        return dict(self.memory).get(name)

    def remember(self, **values: str | None) -> "State":
        """The state with these values remembered; None forgets one."""
        merged: dict[str, str | None] = {**dict(self.memory), **values}
        return replace(self, memory=tuple(sorted((k, v) for k, v in merged.items() if v is not None)))

    def to_json(self) -> str:
        """The state as one JSON object."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, value: object) -> "State":
        """A state from to_json (text, bytes or the parsed object). Anything else gives a fresh one."""
        try:
            data = json.loads(value) if isinstance(value, str | bytes) else value
            return _state(data)
        except (_StateError, ValueError, TypeError, KeyError, RecursionError):
            return cls()


@dataclass(frozen=True, slots=True)
class Turn:
    """One step of a conversation: what is said, what is to be done, and where it stands then.

    Voice only: `keys` is how many keys to take at once (more than one: a phone number, ended by #),
    `keys_only` says that only keys choose (speech is heard for alarms alone), `ends` hangs up after the
    words; it is only ever set for a caller who was served. `then` is what follows the words: listening,
    ringing the clinic's telephones (`connected` goes on from there), or recording a message (`recorded`).
    """

    state: State
    say: tuple[Say, ...]
    effects: tuple[Effect, ...] = ()
    expects_input: bool = True
    ends: bool = False
    keys: int = 1
    keys_only: bool = False
    then: Literal["listen", "connect", "record"] = "listen"


@dataclass(frozen=True, slots=True)
class Promise:
    """What became of a callback request, for the words: when, whether it was open already, and
    whether nobody is at work now."""

    words: str
    already: bool = False
    closed: bool = False


def reminded(state: State) -> State:
    """The state after a reminder went out: the next "1", "2" or "3" answers it."""
    return State(place="reminder", language=state.language)


def wants_a_person(turn: Turn) -> bool:
    """Whether the turn takes a request that somebody on shift would take at once, or asks for its number."""
    if any(isinstance(one, RequestCallback) and one.reason in CONNECTED for one in turn.effects):
        return True
    return turn.state.place == "callback_number" and turn.state.recall("pending") in CONNECTED


def keys_alone(state: State) -> bool:
    """Whether only keys choose: at a number, and after two misunderstandings. Alarms are heard anyway."""
    return state.place == "callback_number" or state.misses >= 2


def asks_yes_no(state: State) -> bool:
    """True where "yes" answers our own question. Carriers also read a bare "yes" as START: not here."""
    return state.place in ("offer_person", "unsure", "confirm_number")


def abandoned(state: State, *, channel: Channel) -> tuple[Effect, ...]:
    """What to save when a patient leaves in the middle: hangs up, or stays silent past the idle time.

    Somebody who asked for a visit but gave no time of day still gets the call. Who hides the number and
    is in need leaves an item without a number.
    """
    if state.place == "schedule_time":
        return (RequestCallback("schedule"),)
    number = state.recall("number")
    reason = state.recall("pending")
    if channel == "voice" and state.place == "confirm_number" and number and reason in REASONS:
        return (RequestCallback(_reason(reason), state.recall("best_time"), number),)
    if channel == "voice" and state.place in _UNSAVED and reason in CONNECTED:
        # No number to call; but staff see that somebody was in need, and what was said.
        return (RequestCallback(_reason(reason), state.recall("best_time"), state.recall("call_number")),)
    return ()


def _reason(value: object) -> Reason:
    if value not in REASONS:
        raise _StateError
    return value  # type: ignore[return-value]


def _state(data: Any) -> State:
    if not isinstance(data, Mapping):
        raise _StateError
    state = State(
        place=_text(data["place"]),
        topic=None if data["topic"] is None else _text(data["topic"]),
        part=_count(data["part"]),
        misses=_count(data["misses"]),
        silences=_count(data["silences"]),
        language=_text(data["language"]),
        memory=_pairs(data["memory"]),
        last=tuple(_say(item) for item in data["last"]),
    )
    known_topic = state.topic is None or state.topic in ANSWERS
    if state.place not in PLACES or not known_topic or not _LANGUAGE.fullmatch(state.language):
        raise _StateError
    return state


def _say(data: Any) -> Say:
    return Say(
        id=_text(data["id"]),
        params=_pairs(data["params"]),
        promise_for=None if data["promise_for"] is None else _reason(data["promise_for"]),
        already=None if data["already"] is None else _text(data["already"]),
        language=None if data["language"] is None else _text(data["language"]),
        optional=data["optional"] is True,
    )


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > _MOST:
        raise _StateError
    return value


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _MOST:
        raise _StateError
    return value


def _pairs(value: Any) -> Pairs:
    pairs = tuple((_text(name), _text(item)) for name, item in value)
    if len(pairs) > 100:
        raise _StateError
    return pairs
