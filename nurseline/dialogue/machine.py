"""The short menu as a pure state machine: where a conversation stands and what was meant give the
reply, the effects and the next place. The same machine serves texts and calls."""

from dataclasses import replace
from typing import Final

from nurseline.content import Channel
from nurseline.dialogue.listen import listen
from nurseline.dialogue.moves import ALL_BUSY, ANSWERED, Heard, alarm, arrive, request, waiting_for
from nurseline.dialogue.places import asked_again, names_a_person, prompt
from nurseline.dialogue.state import (
    CONNECTED,
    Can,
    Effect,
    FlagReview,
    Reason,
    RequestCallback,
    Say,
    SetLanguage,
    State,
    Turn,
    keys_alone,
)
from nurseline.language.meaning import Meaning

IDLE_SECONDS: Final = 30 * 60
REMINDER_OPEN_SECONDS: Final = 7 * 24 * 3600
"""A reminder's question stays open until the next one asks, and the last one's for a week."""
CORRECTION_OPEN_SECONDS: Final = 48 * 3600
"""So long after its answer a reminder may be given a worse one: as long as one waits for the first."""

_UNWELCOMED: Final = frozenset({"stop", "start", "help", "wrong_number", "emergency", "urgent"})
_NUMBER_KEYS: Final = 11
EVERYBODY: Final = Can()
_NOTHING: Final = Meaning(tier="none", topic="unknown", confidence=0.0)


def begin(
    *,
    channel: Channel,
    language: str = "en",
    new: bool = False,
    languages: tuple[str, ...] = ("en",),
    open_reason: Reason | None = None,
) -> Turn:
    """The first words of a call: emergency sentence, clinic's name, menu.

    `languages` are those the line may speak. `open_reason` names an open request of this number: then the
    way to a person comes first, and after it the promise.
    """
    start = State(language=language if language in languages else languages[0])
    turn = arrive(Heard(start, _NOTHING, channel, "", languages, EVERYBODY), "menu")
    if channel == "text":
        return _finished(replace(turn, say=(Say("welcome"), *turn.say)) if new else turn, start)
    first = [Say("voice.emergency_first"), Say("voice.greeting")]
    first += [Say("voice.language", language=code) for code in languages if code != start.language]
    menu = turn.say
    if open_reason:  # and no more than that: the number on the display proves nothing
        first += [Say("voice.for_a_nurse"), Say("voice.open_request", promise_for=open_reason)]
        menu = (Say("voice.menu.after_nurse"),)
    return replace(_finished(turn, start), say=(*first, *menu))


def respond(
    state: State,
    meaning: Meaning,
    *,
    channel: Channel,
    new: bool = False,
    idle_seconds: float | None = None,
    words: str = "",
    languages: tuple[str, ...] = ("en",),
    can: Can = EVERYBODY,
) -> Turn:
    """One step: what was meant, heard where the conversation stood.

    `idle_seconds` is the time since the last exchange; `words` is what was written, said or keyed;
    `languages` are those the line may use now; `can` is what else it can do.
    Never raises for any State or Meaning, and always says something.
    """
    kept = state if state.language in languages else replace(state, language=languages[0])
    known, switched = _language_of(kept, meaning, languages)
    at = Heard(known, meaning, channel, words, languages, can)
    if _alarming(meaning):
        turn = alarm(at)
    elif channel == "text" and idle_seconds is not None and idle_seconds > _patience(state):
        turn = _after_idle(at)
    else:
        turn = listen(at)
    if new and channel == "text":
        turn = _welcomed(at, turn)
    review: tuple[Effect, ...] = (FlagReview(),) if meaning.tier == "review" else ()
    return _finished(replace(turn, effects=(*switched, *turn.effects, *review)), kept)


def silence(state: State, *, can: Can = EVERYBODY, languages: tuple[str, ...] = ("en",)) -> Turn:
    """Nothing was heard on a call: help that rises, and the third time a recorded callback."""
    kept = state if state.language in languages else replace(state, language=languages[0])
    count = kept.silences + 1
    counted = replace(kept, silences=count)
    at = Heard(counted, _NOTHING, "voice", "", languages, can)
    urgent_words = kept.recall("alarm")
    if urgent_words in ("emergency", "crisis"):
        return _finished(Turn(counted, (Say(urgent_words),), ends=count >= 3), kept)
    if kept.place == "done":
        goodbye = count >= 2
        says = (Say("voice.goodbye"),) if goodbye else prompt(counted, "voice")
        return _finished(Turn(counted, says, ends=goodbye), kept)
    if kept.place == "connecting" and count < 3:
        return _finished(Turn(counted, prompt(kept, "voice"), then="connect"), kept)
    if count < 3:
        return _finished(Turn(counted, help_after_silence(counted)), kept)
    return _finished(_third_silence(at), kept)


def help_after_silence(state: State) -> tuple[Say, ...]:
    """What is said when nothing was heard for the first and the second time: more help each time."""
    says = (Say(f"voice.silence.{state.silences}"), *asked_again(state))
    return says if state.silences < 2 or names_a_person(state) else (*says, Say("voice.for_a_nurse"))


def _third_silence(at: Heard) -> Turn:
    state = at.state
    if state.place == "reminder":
        return Turn(state, (Say("voice.goodbye"),), ends=True)
    recorded = ("voice.callback_recorded", "voice.callback_recorded")
    reason = waiting_for(state)
    best_time, number = state.recall("best_time"), state.recall("number")
    if state.place == "confirm_number" and number:
        # Better a number nobody confirmed than no number at all.
        at = replace(at, state=state.remember(call_number=number))
    elif state.place in ("callback_number", "confirm_number"):
        told: Effect = RequestCallback(reason) if reason in CONNECTED else FlagReview()
        state = state.remember(pending=None)
        return Turn(state, (Say("voice.no_number"), Say("voice.goodbye")), (told,), ends=True)
    # Whoever does not answer is not rung through to a colleague.
    at = replace(at, can=replace(at.can, connect=False))
    return request(at, reason, best_time=best_time, before=(Say("voice.silence.3"),), words=recorded)


def connected(
    state: State, *, reached: bool, can: Can = EVERYBODY, languages: tuple[str, ...] = ("en",)
) -> Turn:
    """Telephones of the clinic rang: somebody spoke with the caller, or nobody answered.

    Who was not reached keeps the place in the queue, and hears by when somebody calls.
    """
    kept = state if state.language in languages else replace(state, language=languages[0])
    at = Heard(kept, _NOTHING, "voice", "", languages, replace(can, connect=False))
    if reached:
        return _finished(arrive(at, "done"), kept)
    at = replace(at, state=kept.remember(**{ALL_BUSY: "1"}))
    turn = request(at, waiting_for(kept), before=(Say("voice.nobody_free"),))
    return _finished(turn, kept)


def recorded(state: State, *, kept: bool, can: Can = EVERYBODY, languages: tuple[str, ...] = ("en",)) -> Turn:
    """The caller has spoken a message; ``kept`` False: nothing was said."""
    before = state if state.language in languages else replace(state, language=languages[0])
    at = Heard(before, _NOTHING, "voice", "", languages, replace(can, record=False))
    turn = arrive(at, "done")
    said = Say("voice.record_done" if kept else "voice.record_empty")
    return _finished(replace(turn, say=(said, *turn.say)), before)


def _alarming(meaning: Meaning) -> bool:
    return meaning.tier in ("emergency", "urgent") or meaning.topic in ("emergency", "urgent")


def _patience(state: State) -> int:
    if state.place == "reminder":
        return REMINDER_OPEN_SECONDS
    return CORRECTION_OPEN_SECONDS if state.recall(ANSWERED) else IDLE_SECONDS


def _language_of(
    state: State, meaning: Meaning, languages: tuple[str, ...]
) -> tuple[State, tuple[Effect, ...]]:
    """Follow a patient who writes in another language of ours; "en" is also what unclear texts get."""
    code = meaning.language
    clear = meaning.topic not in ("unknown", "language") and meaning.choice is None
    if code in (state.language, "en") or code not in languages or not clear:
        return state, ()
    return replace(state, language=code), (SetLanguage(code),)


def _after_idle(at: Heard) -> Turn:
    """Back to the top, then read the message. A late answer to "what time of day?" still counts.

    The request of somebody who never answered is raised by the caller (see `abandoned`), not here.
    """
    late_answer = at.meaning.daypart and at.meaning.choice is None and at.meaning.topic == "unknown"
    if at.state.place == "schedule_time" and late_answer:
        return request(at, "schedule", best_time=at.words or at.meaning.daypart)
    return listen(replace(at, state=State(language=at.state.language)))


def _welcomed(at: Heard, turn: Turn) -> Turn:
    """The first reply to a new number says what this is, then answers."""
    if at.meaning.topic in _UNWELCOMED or _alarming(at.meaning):
        return turn
    if turn.state.misses and turn.say[0].id == "not_understood":
        turn = replace(arrive(at, "menu"), effects=turn.effects)
        turn = replace(turn, state=replace(turn.state, misses=1))
    return replace(turn, say=(Say("welcome"), *turn.say))


def _finished(turn: Turn, before: State) -> Turn:
    """Remember what to repeat, and say what input the next step takes."""
    state = turn.state
    aside = state.misses > 0 or state.silences > 0 or turn.say[-1].id in ("thanks", "help")
    repair = aside and state.place == before.place
    last = before.last if repair else tuple(say for say in turn.say if say.id != "welcome")
    number = state.place == "callback_number"
    return replace(
        turn,
        state=replace(state, last=last),
        expects_input=not turn.ends,
        keys=_NUMBER_KEYS if number else 1,
        keys_only=keys_alone(state),
    )
