"""The moves a turn is made of: arriving at a place, answering, taking a request, not understanding."""

from dataclasses import dataclass, replace
from typing import Final

from nurseline.content import TWO_PARTS, Channel, gsm7_length, load_content
from nurseline.dialogue.places import (
    LISTS,
    answer_id,
    asked_again,
    followup,
    home_of,
    label,
    parts,
    prompt,
)
from nurseline.dialogue.state import (
    ANSWERS,
    CONNECTED,
    REASONS,
    AnswerReminder,
    Can,
    Effect,
    OptOut,
    Reason,
    RequestCallback,
    Say,
    SetLanguage,
    State,
    Turn,
)
from nurseline.language.meaning import Meaning

# In memory:
BEFORE_NINE: Final = "before_nine"  # the language before the key 9 changed it
ANSWERED: Final = "answered"  # texts: what a reminder was answered with, while a worse number may correct it
ALL_BUSY: Final = "all_busy"  # every telephone has rung for this request, and nobody took the call
_NURSE_WORDS: Final = ("nurse.done", "nurse.already")
_WORDS: Final = {
    "schedule": ("schedule.done", "schedule.already"),
    "admin": ("admin.done", "admin.already"),
    "urgent": ("urgent", "urgent"),
}
_FORGET: Final = dict.fromkeys(
    (
        *("alarm", ALL_BUSY, ANSWERED, "best_time", "candidates", "list", "number", "pending", "reason"),
        *("record", "second", "text"),
    )
)
_LONGEST_BEST_TIME = 300


@dataclass(frozen=True, slots=True)
class Heard:
    """One message or key, where it was heard, and what the channel allows."""

    state: State
    meaning: Meaning
    channel: Channel
    words: str
    languages: tuple[str, ...]
    can: Can

    @property
    def voice(self) -> bool:
        """True on a call."""
        return self.channel == "voice"


def calm(state: State) -> State:
    """The state once something was understood: counters at zero, topic and open questions forgotten."""
    return replace(state, topic=None, part=0, misses=0, silences=0).remember(**_FORGET)


def arrive(at: Heard, place: str) -> Turn:
    """Go to a place and say what it asks."""
    state = replace(calm(at.state), place=place)
    return Turn(state, prompt(state, at.channel))


def answer(at: Heard, topic: str, part: int = 0, second: str | None = None) -> Turn:
    """Give a part of the answer to a topic; with a second topic both, or the first and an offer."""
    shown = at.state.place if at.state.place in LISTS else at.state.recall("list")
    state = replace(calm(at.state), place="topic", topic=topic, part=part + 1)
    state = state.remember(list=shown, text="1" if at.voice and at.can.text else None)
    first = Say(answer_id(topic, part))
    if second in ANSWERS and second != topic:
        both = (first, Say(answer_id(second, 0)), followup(replace(state, topic=second), at.channel))
        if not at.voice and _fit(both, state.language):
            return Turn(replace(state, topic=second), both)
        offer = Say("offer_second", (("second", label(second, state.language)),))
        return Turn(state.remember(second=second), (first, offer))
    return Turn(state, (first, followup(state, at.channel)))


def more(at: Heard) -> Turn:
    """The second answer that was offered, else the next part, else the list the topic stands in."""
    topic, second = at.state.topic, at.state.recall("second")
    if second in ANSWERS:
        return answer(at, second)
    if topic and at.state.place == "topic" and at.state.part < parts(topic):
        return answer(at, topic, at.state.part)
    return arrive(at, home_of(topic))


def repeat(at: Heard) -> Turn:
    """Say again what was said last, or what the place asks."""
    state = replace(at.state, misses=0, silences=0)
    return Turn(state, state.last or prompt(state, at.channel))


def offer(at: Heard, reason: Reason, *before: Say) -> Turn:
    """Offer a call; for `clinical` and `admin` with the words that say why."""
    state = replace(calm(at.state), place="offer_person").remember(reason=reason)
    return Turn(state, before or prompt(state, at.channel))


def request(
    at: Heard,
    reason: Reason,
    *,
    best_time: str | None = None,
    before: tuple[Say, ...] = (),
    words: tuple[str, str] | None = None,
    effects: tuple[Effect, ...] = (),
) -> Turn:
    """Take a request for a person, who is rung at once where somebody is on shift.

    A caller whose number is hidden is asked for one first, unless somebody can be rung. Telephones that
    have all rung for this request do not ring for it again.
    """
    kept = best_time.strip()[:_LONGEST_BEST_TIME] or None if best_time else None
    number = at.state.recall("call_number")
    busy = at.state.recall(ALL_BUSY)
    if at.voice and at.can.connect and reason in CONNECTED and not busy:
        return _connect(at, reason, number, before, effects)
    if at.voice and not at.can.call_back and not number:
        state = replace(calm(at.state), place="callback_number")
        state = state.remember(pending=reason, best_time=kept, **{ALL_BUSY: busy})
        return Turn(state, (*before, *prompt(state, at.channel)), effects)
    done, already = words or _WORDS.get(reason, _NURSE_WORDS)
    state = replace(calm(at.state), place="done" if at.voice else "menu")
    state = state.remember(record="1" if at.voice and at.can.record else None)
    said = (*before, Say(done, promise_for=reason, already=already))
    return Turn(
        state,
        (*said, *prompt(state, at.channel)) if at.voice else said,
        (*effects, RequestCallback(reason, kept, number)),
    )


def _connect(
    at: Heard, reason: Reason, number: str | None, before: tuple[Say, ...], effects: tuple[Effect, ...]
) -> Turn:
    """Ring the clinic's telephones. The request is stored first, so that hanging up loses nothing."""
    state = replace(calm(at.state), place="connecting").remember(reason=reason)
    said = (*before, *((Say("voice.urgent_first"),) if reason == "urgent" and not before else ()))
    asked = (RequestCallback(reason, None, number),) if at.can.call_back or number else ()
    state = state.remember(pending=None if asked else reason)
    return Turn(state, (*said, Say("voice.connecting")), (*effects, *asked), then="connect")


def alarm(at: Heard) -> Turn:
    """Emergency words at once, from every place; the item does not depend on the reply arriving."""
    # On a call "stop" is asked back, since people say it to a machine that talks; an alarm comes first.
    stop = not at.voice and "stop" in (at.meaning.topic, at.meaning.second_topic)
    opted_out: tuple[Effect, ...] = (OptOut(),) if stop else ()
    if at.meaning.tier == "urgent" or (at.meaning.tier != "emergency" and at.meaning.topic == "urgent"):
        hidden = at.voice and not at.can.call_back and not at.state.recall("call_number")
        before = (Say("voice.urgent_first"),) if hidden else ()
        return request(at, "urgent", effects=opted_out, before=before)
    if at.voice and at.words.isdigit():
        return _alarm_by_keys(at)
    if any(evidence.rule.startswith("crisis") for evidence in at.meaning.evidence):
        words = "crisis"
    elif not at.voice and at.meaning.language != at.state.language:
        words = "emergency.both"
    else:
        words = "emergency"
    state = replace(calm(at.state), place="menu").remember(alarm=words)
    number = at.state.recall("call_number") or at.state.recall("number")
    return Turn(state, (Say(words),), (*opted_out, RequestCallback("emergency", None, number)))


def _alarm_by_keys(at: Heard) -> Turn:
    """9-1-1 was keyed in. Keys tell no language, and the 9 may have changed it: all are said.

    Who presses one key after another ends with a "1"; the 9 remembered the language before it.
    """
    before = at.state.recall(BEFORE_NINE) if at.words == "1" else None
    code = before if before in at.languages else at.state.language
    said = (Say("emergency"), *(Say("emergency", language=one) for one in at.languages if one != code))
    number = at.state.recall("call_number") or at.state.recall("number")
    state = replace(calm(at.state), place="menu", language=code).remember(alarm="emergency")
    back: tuple[Effect, ...] = (SetLanguage(code),) if code != at.state.language else ()
    return Turn(state, said, (*back, RequestCallback("emergency", None, number)))


def remind(at: Heard, said: str) -> Turn:
    """Take the answer to a reminder: 1 well, 2 a question, 3 worse."""
    if said == "worse":
        effects: tuple[Effect, ...] = (AnswerReminder("worse"),)
        return request(at, "clinical", words=("reminder.worse", "reminder.worse"), effects=effects)
    if said == "question":
        effects = (AnswerReminder("question"),)
        turn = request(at, "nurse", words=("reminder.question", "reminder.question"), effects=effects)
        return turn if at.voice else _correctable(turn, said)
    state = replace(calm(at.state), place="done" if at.voice else "menu")
    hint = prompt(state, at.channel) if at.voice else ()
    turn = Turn(state, (Say("reminder.well"), *hint), (AnswerReminder("well"),))
    return turn if at.voice else _correctable(turn, "well")


def _correctable(turn: Turn, said: str) -> Turn:
    """The reminder stands in the thread, and our reply shows no other numbers: a worse one still counts."""
    return replace(turn, state=turn.state.remember(**{ANSWERED: said}))


def miss(at: Heard) -> Turn:
    """Not understood. First a hint, or the likeliest meanings; twice in a row a person; never silence."""
    state = replace(at.state, misses=at.state.misses + 1, silences=0)
    if state.place in ("callback_number", "confirm_number"):
        return _number_miss(replace(at, state=state))
    if state.misses == 1:
        return _first_miss(replace(at, state=state))
    reason = _reason_here(state)
    if state.misses == 2:
        offered = _moved(state, "offer_person").remember(reason=reason)
        return Turn(offered, (Say("offer_person"),))
    if at.voice:
        words = ("voice.callback_recorded", "voice.callback_recorded")
        return request(replace(at, state=state), reason, before=(Say("voice.silence.3"),), words=words)
    again = _moved(state, "offer_person").remember(reason=reason)
    return Turn(again, (Say("offer_person.again"),))


def without_number(at: Heard) -> Turn:
    """Somebody who hides the number wants a person rather than key one in: staff learn of the call.

    They hear where they can call; a message can be left, where the clinic takes them.
    """
    reason = waiting_for(at.state)
    state = replace(calm(at.state), place="done").remember(record="1" if at.can.record else None)
    told = RequestCallback(reason if reason in CONNECTED else "nurse")
    return Turn(state, (Say("voice.no_number"), *prompt(state, at.channel)), (told,))


def waiting_for(state: State) -> Reason:
    """What a caller who falls silent, or is not understood, most likely wants a person for."""
    return _reason_here(state)


def _first_miss(at: Heard) -> Turn:
    # A nurse stands in the list anyway.
    askable = (ANSWERS | _ASKABLE) - {"nurse"}
    likely = [topic for topic in at.meaning.candidates if topic in askable][:2]
    if likely and at.meaning.choice is None:
        state = _moved(at.state, "unsure").remember(candidates=",".join(likely))
        return Turn(state, prompt(state, at.channel))
    if at.state.place == "reminder" and not at.voice:
        return Turn(at.state, prompt(at.state, at.channel))
    again = at.voice or at.state.place in ("schedule_time", "unsure", "offer_person")
    asked = asked_again(at.state) if at.voice else prompt(at.state, at.channel)
    return Turn(at.state, (Say("not_understood"), *(asked if again else ())))


def _moved(state: State, place: str) -> State:
    """Another place, the misunderstandings still counted."""
    return replace(calm(state), place=place, misses=state.misses)


def _number_miss(at: Heard) -> Turn:
    if at.state.misses < 3:
        hint = Say("voice.number_bad")
        if at.state.place == "confirm_number":
            return Turn(at.state, (Say("not_understood"), *prompt(at.state, at.channel)))
        return Turn(at.state, (hint,))
    turn = arrive(at, "menu")
    wanted = at.state.recall("pending")
    told = (RequestCallback(_reason_here(at.state)),) if wanted in CONNECTED else ()
    return replace(turn, say=(Say("voice.no_number"), *turn.say), effects=told)


def _reason_here(state: State) -> Reason:
    if state.place == "schedule_time":
        return "schedule"
    wanted = state.recall("pending") or state.recall("reason") or "nurse"
    return wanted if wanted in REASONS else "nurse"  # type: ignore[return-value]


_ASKABLE: Final = frozenset({"schedule", "nurse", "clinical", "admin"})


def _fit(says: tuple[Say, ...], language: str) -> bool:
    """True when the words fit one message of two parts, joined by line breaks."""
    content = load_content()
    return sum(gsm7_length(content.get(say.id, language).text) + 1 for say in says) - 1 <= TWO_PARTS
