"""Which values the attributes of voice verbs may have, and the limits of their text.

https://www.twilio.com/docs/voice/twiml and the error pages of the codes. An attribute without a rule here may
have any value; that it exists at all is the grammar's matter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from nurseline.devphone.numbers import e164
from nurseline.devphone.twiml import Element, Problem

Test = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class _Value:
    code: int
    test: Test
    says: str


def _whole(low: int, high: int = 10**9) -> Test:
    return lambda text: bool(re.fullmatch(r"[0-9]{1,10}", text, re.ASCII)) and low <= int(text) <= high


def _pattern(pattern: str) -> Test:
    return lambda text: re.fullmatch(pattern, text, re.ASCII) is not None


_method = _pattern("GET|POST|get|post")
_truth = _pattern("true|false")
_voice = _pattern(
    r"man|woman|alice|Polly\.[A-Za-z]+(-Neural|-Generative)?|Google\.[a-z]{2,3}-[A-Z]{2}-[A-Za-z0-9-]+"
)
_language = _pattern(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2}|-[0-9]{3}|-[a-z]{2})?")


def _hints(text: str) -> bool:
    parts = text.split(",")
    return len(parts) <= 500 and all(len(part.strip()) <= 100 for part in parts)


_RULES: dict[tuple[str, str], _Value] = {
    ("Gather", "input"): _Value(
        13326, _pattern("dtmf|speech|dtmf speech|speech dtmf"), "dtmf, speech or both"
    ),
    ("Gather", "method"): _Value(13312, _method, "GET or POST"),
    ("Gather", "timeout"): _Value(13313, _whole(1), "a positive whole number"),
    ("Gather", "numDigits"): _Value(13314, _whole(1), "a positive whole number"),
    ("Gather", "finishOnKey"): _Value(13310, _pattern("[0-9#*]?"), "one key or empty"),
    ("Gather", "speechTimeout"): _Value(
        13327, lambda text: text == "auto" or _whole(1)(text), "seconds or auto"
    ),
    ("Gather", "maxSpeechTime"): _Value(13328, _whole(1, 60), "seconds up to 60"),
    ("Gather", "partialResultCallbackMethod"): _Value(13329, _method, "GET or POST"),
    ("Gather", "hints"): _Value(13330, _hints, "at most 500 entries of 100 characters"),
    ("Gather", "language"): _Value(13331, _language, "a language such as en-US"),
    ("Gather", "bargeIn"): _Value(13332, _truth, "true or false"),
    ("Gather", "profanityFilter"): _Value(13333, _truth, "true or false"),
    ("Gather", "actionOnEmptyResult"): _Value(12200, _truth, "true or false"),
    ("Say", "loop"): _Value(13510, _whole(0, 1000), "a whole number up to 1000"),
    ("Say", "voice"): _Value(13511, _voice, "man, woman, Polly.… or Google.…"),
    ("Say", "language"): _Value(13512, _language, "a language such as en-US"),
    ("Play", "loop"): _Value(13410, _whole(0, 1000), "a whole number up to 1000"),
    ("Play", "digits"): _Value(13430, _pattern("[0-9*#wW]+"), "keys and w"),
    ("Pause", "length"): _Value(13910, _whole(1), "a positive whole number"),
    ("Redirect", "method"): _Value(13710, _method, "GET or POST"),
    ("Reject", "reason"): _Value(12200, _pattern("rejected|busy"), "rejected or busy"),
    ("Record", "method"): _Value(13610, _method, "GET or POST"),
    ("Record", "timeout"): _Value(13611, _whole(0), "a whole number"),
    ("Record", "maxLength"): _Value(13612, _whole(1, 14400), "seconds up to 14400"),
    ("Record", "finishOnKey"): _Value(13613, _pattern("[0-9#*]*"), "keys"),
    ("Record", "transcribe"): _Value(13614, _truth, "true or false"),
    ("Record", "playBeep"): _Value(13616, _truth, "true or false"),
    ("Dial", "method"): _Value(13210, _method, "GET or POST"),
    ("Dial", "timeout"): _Value(13212, _whole(1, 600), "seconds up to 600"),
    ("Dial", "hangupOnStar"): _Value(13213, _truth, "true or false"),
    ("Dial", "timeLimit"): _Value(13216, _whole(1, 86400), "seconds up to 86400"),
    ("Dial", "answerOnBridge"): _Value(12200, _truth, "true or false"),
    ("Dial", "record"): _Value(
        13217,
        _pattern("(do-not-record|true|false|record-from-(answer|ringing)(-dual)?)"),
        "do-not-record or record-from-…",
    ),
    ("Number", "method"): _Value(13221, _method, "GET or POST"),
    ("Number", "machineDetection"): _Value(
        12200, _pattern("Enable|DetectMessageEnd"), "Enable or DetectMessageEnd"
    ),
    ("Number", "sendDigits"): _Value(13222, _pattern("[0-9*#wW]+"), "keys and w"),
}
_EVENTS = frozenset({"initiated", "ringing", "answered", "completed"})


def problems(verbs: Iterable[Element], ours: frozenset[str]) -> list[Problem]:
    """What is wrong with values; `ours` are the numbers a <Dial> may show as the caller."""
    return [problem for verb in verbs for problem in _check(verb, ours)]


def _check(verb: Element, ours: frozenset[str]) -> Iterator[Problem]:
    for name, value in verb.attributes.items():
        rule = _RULES.get((verb.name, name))
        if rule is not None and not rule.test(value):
            yield Problem(rule.code, f"<{verb.name}> {name} is {value!r}, not {rule.says}.")
    caller = verb.attributes.get("callerId") if verb.name == "Dial" else None
    if caller is not None and e164(caller) not in ours:
        yield Problem(13214, "<Dial> callerId is neither a number of this call nor of the account.")
    if verb.name in _CHECKS:
        yield from _CHECKS[verb.name](verb)
    for child in verb.children:
        yield from _check(child, ours)


def _say(verb: Element) -> Iterator[Problem]:
    voice = verb.attributes.get("voice", "man")
    most = 3000 if voice.startswith("Polly.") else 5000 if voice.startswith("Google.") else 4096
    if not verb.text:
        yield Problem(13520, "<Say> has no text.")
    elif len(verb.raw) > most:
        yield Problem(13521, f"<Say> has {len(verb.raw)} characters; {voice} takes {most}.")
    language = verb.attributes.get("language")
    if voice.startswith("Google.") and language and not voice.startswith(f"Google.{language}-"):
        yield Problem(13512, f"<Say> language {language} does not go with the voice {voice}.")


def _gather(verb: Element) -> Iterator[Problem]:
    if verb.attributes.get("speechTimeout") == "auto" and "speechModel" in verb.attributes:
        yield Problem(13335, "<Gather> speechTimeout auto does not go with a speechModel.")


def _play(verb: Element) -> Iterator[Problem]:
    if not verb.text and "digits" not in verb.attributes:
        yield Problem(12200, "<Play> has neither an address nor digits.")


def _record(verb: Element) -> Iterator[Problem]:
    longest = verb.attributes.get("maxLength", "")
    if verb.attributes.get("transcribe") == "true" and _whole(121)(longest):
        yield Problem(13615, "<Record> with transcribe takes at most 120 seconds.")


def _dial(verb: Element) -> Iterator[Problem]:
    numbers = [child for child in verb.children if child.name == "Number"]
    if len(numbers) > 10:
        yield Problem(13215, "<Dial> takes at most 10 <Number>.")
    if not verb.children and e164(verb.text) is None:
        yield Problem(13223, "<Dial> has no phone number.")


def _number(verb: Element) -> Iterator[Problem]:
    if e164(verb.text) is None:
        yield Problem(13223, "<Number> is not a phone number.")
    events = verb.attributes.get("statusCallbackEvent", "completed").split()
    if not set(events) <= _EVENTS:
        yield Problem(12200, "<Number> statusCallbackEvent has an unknown event.")


_CHECKS: dict[str, Callable[[Element], Iterator[Problem]]] = {
    "Say": _say,
    "Gather": _gather,
    "Play": _play,
    "Record": _record,
    "Dial": _dial,
    "Number": _number,
}
