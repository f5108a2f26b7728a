"""A call of ours that reads a reminder. Who answered decides what is said.

A person hears the reminder: who calls, the emergency sentence, one question. A machine hears who calls and
"please call", and nothing else (HHS FAQ 198). Where the carrier could not tell, the call says who it is and
waits for a key: words alone prove nobody, since a greeting is words too. Emergency words count all the same.
From the question on the call is the same as any other, except that 9 always ends messages, as the reminder
says, and that nobody who stays silent is asked for a callback: they did not call us.
"""

from dataclasses import replace
from typing import Final, Literal

from nurseline.dialogue.machine import help_after_silence, respond, silence
from nurseline.dialogue.state import Say, State, Turn
from nurseline.language.meaning import Meaning

AnsweredBy = Literal["human", "machine", "unknown"]

PLEASE_CALL: Final = "voice.please_call"
PRESS_ONE: Final = "voice.press_one"
MOST_SILENCES: Final = 3
_WAITS: Final = "waits_for_a_key"
_END_MESSAGES: Final = 9
_ALARMS: Final = frozenset({"emergency", "urgent"})
_ASKED_BACK: Final = ("confirm_stop", "confirm_wrong", "confirm_start")
# Where nothing was asked for: who falls silent here is not called back.
_WITHOUT_A_WISH: Final = frozenset({"menu", "aftercare", "about", "topic", "unsure", *_ASKED_BACK})
_HEARD_FROM_ANYBODY: Final = frozenset({"stop", "wrong_number"})


def called(by: AnsweredBy, reminder: str, *, language: str, languages: tuple[str, ...] = ("en",)) -> Turn:
    """The first words of a call that reads the entry `reminder`, in a language that is offered."""
    state = State(place="reminder", language=language if language in languages else languages[0])
    if by == "machine":
        return Turn(state, (Say(PLEASE_CALL),), expects_input=False, ends=True)
    if by == "human":
        return _read(state, reminder)
    return _ask_for_a_key(state.remember(**{_WAITS: reminder}))


def respond_called(
    state: State, meaning: Meaning, *, by_key: bool, words: str = "", languages: tuple[str, ...] = ("en",)
) -> Turn:
    """One step of such a call. `by_key`: a key was pressed, else `words` were said."""
    waits = state.recall(_WAITS)
    if waits is not None and not _alarming(meaning):
        reminder, state = waits, state.remember(**{_WAITS: None})
        if by_key and meaning.command == "repeat":
            return _ask_for_a_key(state.remember(**{_WAITS: reminder}))
        if by_key and meaning.choice not in (0, _END_MESSAGES):
            return _read(state, reminder)
        if not by_key and meaning.topic not in _HEARD_FROM_ANYBODY:
            return silence_called(state.remember(**{_WAITS: reminder}), languages=languages)
    if by_key and meaning.choice == _END_MESSAGES:
        state = replace(state, place="reminder")  # where 9 means what the reminder said it does
    return respond(
        state.remember(**{_WAITS: None}), meaning, channel="voice", words=words, languages=languages
    )


def silence_called(state: State, *, languages: tuple[str, ...] = ("en",)) -> Turn:
    """Nothing was heard. The question is asked three times; then who stays silent is asked to call."""
    count = state.silences + 1
    quiet = replace(state, silences=count)
    if state.place in _WITHOUT_A_WISH and count >= MOST_SILENCES and not state.recall("alarm"):
        return Turn(quiet, (Say("voice.goodbye"),), expects_input=False, ends=True)
    if state.place != "reminder":
        return silence(state, languages=languages)
    if count >= MOST_SILENCES:
        return Turn(quiet, (Say(PLEASE_CALL),), expects_input=False, ends=True)
    if state.recall(_WAITS) is not None:
        return Turn(quiet, (Say(PRESS_ONE),))
    return Turn(quiet, help_after_silence(quiet))


def _read(state: State, reminder: str) -> Turn:
    says = (Say(reminder),)
    return Turn(replace(state, silences=0, last=says), says)


def _ask_for_a_key(state: State) -> Turn:
    says = (Say(PRESS_ONE),)
    return Turn(replace(state, silences=0, last=says), says)


def _alarming(meaning: Meaning) -> bool:
    return meaning.tier in _ALARMS or meaning.topic in _ALARMS
