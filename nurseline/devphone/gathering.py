"""Words that are said on a call, and what is heard meanwhile: <Say>, <Play>, <Pause> and <Gather>.

https://www.twilio.com/docs/voice/twiml/gather
"""

from __future__ import annotations

from collections.abc import Generator
from urllib.parse import urljoin

from nurseline.devphone.call import Call, Listening, Wait, spoken_seconds
from nurseline.devphone.runner import Elapsed, Event, Key, Speech
from nurseline.devphone.signing import Params
from nurseline.devphone.twiml import Element

# loop="0" means until the caller hangs up; Twilio stops after this many.
MOST_LOOPS = 1000
# How long a recording plays is not looked up.
PLAY_SECONDS = 5.0

Heard = Key | Speech | None


def loops(verb: Element) -> int:
    return int(verb.attributes.get("loop", "1")) or MOST_LOOPS


def utter(call: Call, verb: Element, base: str) -> float:
    """Writes down what is said or played and returns about how long it takes, in seconds."""
    if verb.name == "Say":
        words = verb.attributes
        call.add("say", verb.text, words.get("language", "en-US"), words.get("voice"))
        return spoken_seconds(verb.text)
    if verb.name == "Pause":
        return float(verb.attributes.get("length", "1"))
    if "digits" in verb.attributes:
        call.add("tones", verb.attributes["digits"])
        return 0.2 * len(verb.attributes["digits"])
    call.add("play", urljoin(base, verb.text))
    return PLAY_SECONDS


def say(call: Call, verb: Element, base: str) -> Generator[Wait, Event, None]:
    """Says, plays or pauses; keys and words in the meantime are not heard."""
    for _ in range(loops(verb)):
        seconds = utter(call, verb, base)
        yield from _heard(call, Wait("pausing" if verb.name == "Pause" else "speaking", seconds), None)


def gather(call: Call, verb: Element, base: str) -> Generator[Wait, Event, Params | None]:
    """Prompts and listens: the parameters for the action, or None when nothing was heard."""
    listening = _listening(verb)
    call.digits = ""
    event = yield from _prompts(call, verb, base, listening)
    found = yield from _listen(call, listening, event)
    if found is None and verb.attributes.get("actionOnEmptyResult") == "true":
        found = [("Digits", "")] if "dtmf" in listening.inputs else [("SpeechResult", "")]
    call.digits = ""
    return found


def _listening(verb: Element) -> Listening:
    given = verb.attributes
    return Listening(
        inputs=tuple(given.get("input", "dtmf").split()),
        timeout=float(given.get("timeout", "5")),
        num_digits=int(given["numDigits"]) if "numDigits" in given else None,
        finish_on_key=given.get("finishOnKey", "#"),
        hints=given.get("hints", ""),
        language=given.get("language", "en-US"),
    )


def _prompts(call: Call, verb: Element, base: str, listening: Listening) -> Generator[Wait, Event, Heard]:
    """Plays what is nested, until somebody presses or says something."""
    for child in verb.children:
        for _ in range(loops(child)):
            seconds = utter(call, child, base)
            wait = Wait("pausing" if child.name == "Pause" else "speaking", seconds, listening)
            event = yield from _heard(call, wait, listening)
            if event:
                return event
    return None


def _heard(call: Call, wait: Wait, listening: Listening | None) -> Generator[Wait, Event, Heard]:
    """Waits for a key or words of a kind that is listened for; None when the time is over."""
    before = call.clock()
    while True:
        passed = call.clock() - before if call.pace == "real" else 0.0
        event = yield Wait(wait.phase, max(0.0, (wait.seconds or 0.0) - passed), listening)
        if isinstance(event, Elapsed):
            return None
        if isinstance(event, Key):
            call.add("keys", event.digit)
            if listening and "dtmf" in listening.inputs:
                return event
            call.add("note", "The line was not listening for keys.")
        elif isinstance(event, Speech):
            call.add("speech", event.text, listening.language if listening else None)
            if listening and "speech" in listening.inputs:
                return event
            call.add("note", "The line was not listening for words.")


def _listen(call: Call, listening: Listening, event: Heard) -> Generator[Wait, Event, Params | None]:
    """Collects the input: parameters for the action, or None when there was none."""
    while True:
        if event is None:
            event = yield from _heard(call, Wait("listening", listening.timeout), listening)
        if event is None:
            if not call.digits:
                call.add("silence", "(silence)")
            return _digits(call.digits, "") if call.digits else None
        if isinstance(event, Speech):
            if not call.digits:
                return _speech(event)
            # The first kind that is noticed wins.
            call.add("note", "Keys came first; the words are not used.")
        elif event.digit == listening.finish_on_key:
            return _digits(call.digits, event.digit) if call.digits else None
        else:
            call.digits += event.digit
            if len(call.digits) == listening.num_digits:
                return _digits(call.digits, "")
        event = None


def _digits(digits: str, finished_on: str) -> Params:
    return [("msg", "Gather End"), ("Digits", digits), ("FinishedOnKey", finished_on)]


def _speech(event: Speech) -> Params:
    found = [("SpeechResult", event.text)]
    return found if event.confidence is None else [*found, ("Confidence", str(event.confidence))]
