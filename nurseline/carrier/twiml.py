"""TwiML documents, built with Twilio's own classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from twilio.twiml.messaging_response import MessagingResponse
from twilio.twiml.voice_response import Dial, Gather, VoiceResponse

VOICES = {"en": ("Polly.Joanna", "en-US"), "es": ("Polly.Lupe", "es-US")}
PAUSE_SECONDS = 2  # of silence after words; by default the carrier waits as long as for the first word
BREATH_SECONDS = 1  # between two prompts of one document; the shortest that the carrier takes
MOST_HINTS, HINT_LONGEST = 500, 100  # Twilio, "Gather", hints


@dataclass(frozen=True, slots=True)
class Reply:
    """One text in answer to a text. ``callback``: address for its status reports, if any."""

    body: str
    callback: str | None = None


@dataclass(frozen=True, slots=True)
class Prompt:
    """Words for a caller, in one language. ``breath``: of which prompt of the document they are, from 0."""

    text: str
    language: str
    breath: int = 0


@dataclass(frozen=True, slots=True)
class Speech:
    """Listening to words: in which language, and which are likely here."""

    language: str
    hints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Listen:
    """How to wait for keys: where they go, how many, and for how many seconds of silence.

    ``speech``: words are taken too, whichever comes first. ``waits`` False: after a silence the document
    goes on, else the silence is told to ``action``.
    """

    action: str
    digits: int | None = 1
    seconds: int = 10
    speech: Speech | None = None
    waits: bool = True


@dataclass(frozen=True, slots=True)
class Ring:
    """A telephone of the clinic that rings for a caller.

    ``whisper``: address of what whoever picks up hears alone; ``action``: where the caller goes on;
    ``seconds``: how long it rings.
    """

    number: str
    caller_id: str
    whisper: str
    action: str
    seconds: int = 20


@dataclass(frozen=True, slots=True)
class Record:
    """A message to be recorded: where the call goes on, where the carrier tells of the recording and, if
    wanted, of its transcript; at most ``longest`` seconds, ended by ``silence`` seconds without a word."""

    action: str
    recorded: str
    transcribed: str | None
    longest: int
    silence: int


@dataclass(frozen=True, slots=True)
class Bridge:
    """A patient whom a staff member calls, who has picked up already.

    ``action``: where the staff member's call goes on; ``status``: for reports about the patient's call;
    ``machine``: where the carrier tells who answered; ``seconds``: how long it rings; ``longest``: after how
    many seconds the carrier ends the conversation.
    """

    number: str
    caller_id: str
    action: str
    status: str
    machine: str
    seconds: int
    longest: int


def messages(replies: Sequence[Reply]) -> str:
    """A document that answers a text with ``replies``; none gives an empty response."""
    response = MessagingResponse()
    for reply in replies:
        response.message(reply.body, status_callback=reply.callback)
    return str(response)


def ask(prompts: Sequence[Prompt], listen: Listen) -> str:
    """Say ``prompts``, which a key may interrupt, then wait; keys and silence both go to the same address."""
    response = VoiceResponse()
    *before, last = _breaths(prompts) or [[]]
    for breath in before:
        response.append(_gather(breath, _passing(listen)))
    response.append(_gather(last, listen))
    # Reached only if the gather itself is refused: never leave a caller on a dead line.
    response.redirect(listen.action, method="POST")
    return str(response)


def last_words(prompts: Sequence[Prompt], listen: Listen) -> str:
    """Say ``prompts``, which a key may interrupt, then wait; after a silence the call ends."""
    response = VoiceResponse()
    *before, last = _breaths(prompts) or [[]]
    for breath in before:
        response.append(_gather(breath, _passing(listen)))
    response.append(_gather(last, replace(listen, waits=False)))
    response.hangup()
    return str(response)


def ring(prompts: Sequence[Prompt], to: Ring, listen: Listen) -> str:
    """Say ``prompts``, which a key may interrupt, then ring a telephone until somebody takes the call."""
    response = VoiceResponse()
    for breath in _breaths(prompts):
        response.append(_gather(breath, _passing(listen)))
    dial = Dial(action=to.action, method="POST", timeout=to.seconds, caller_id=to.caller_id)
    dial.number(to.number, url=to.whisper, method="POST")
    response.append(dial)
    return str(response)


def _breaths(prompts: Sequence[Prompt]) -> list[list[Prompt]]:
    return [list(group) for _, group in groupby(prompts, key=lambda prompt: prompt.breath)]


def _passing(listen: Listen) -> Listen:
    """How to listen to words after which the document goes on by itself: to one key, for a moment."""
    return replace(listen, digits=1, seconds=BREATH_SECONDS, waits=False)


def _gather(prompts: Sequence[Prompt], listen: Listen) -> Gather:
    # Without an own finishOnKey the pound key ends the input and is never told: it could not be a choice.
    one_key: dict[str, object] = {"num_digits": listen.digits, "finish_on_key": ""}
    options: dict[str, object] = one_key if listen.digits else {"finish_on_key": "#"}
    if listen.speech:
        options = {**options, **_words(listen.speech)}
    if listen.waits:
        options["action_on_empty_result"] = True
    gather = Gather(
        input="dtmf speech" if listen.speech else "dtmf",
        action=listen.action,
        method="POST",
        timeout=listen.seconds,
        **options,
    )
    for prompt in prompts:
        _say(gather, prompt)
    return gather


def bridge(prompts: Sequence[Prompt], to: Bridge) -> str:
    """Say ``prompts``, then ring a patient, who is connected at once with whoever listens.

    Twilio tells whether a machine answered while the two are connected already: on a ``<Number>`` it has
    no other way (there is no ``asyncAmd`` to turn off). So nothing waits for it.
    """
    response = VoiceResponse()
    for prompt in prompts:
        _say(response, prompt)
    dial = Dial(
        action=to.action, method="POST", timeout=to.seconds, time_limit=to.longest, caller_id=to.caller_id
    )
    dial.number(
        to.number,
        status_callback=to.status,
        status_callback_event="initiated answered completed",
        status_callback_method="POST",
        machine_detection="Enable",
        amd_status_callback=to.machine,
        amd_status_callback_method="POST",
    )
    response.append(dial)
    return str(response)


def whisper(prompt: Prompt, action: str, *, seconds: int = 10) -> str:
    """Say who calls to whoever picked up; without a key the call is not connected: a mailbox presses none."""
    response = VoiceResponse()
    gather = Gather(input="dtmf", num_digits=1, action=action, method="POST", timeout=seconds)
    _say(gather, prompt)
    _say(gather, prompt)  # a person may only listen to the end of the first
    response.append(gather)
    response.hangup()
    return str(response)


def connect() -> str:
    """End a whisper so that both sides are connected."""
    return str(VoiceResponse())


def record(prompts: Sequence[Prompt], how: Record) -> str:
    """Say ``prompts``, then a tone, then record until a key, a silence or the end of the time."""
    response = VoiceResponse()
    for prompt in prompts:
        _say(response, prompt)
    transcript = {"transcribe": True, "transcribe_callback": how.transcribed} if how.transcribed else {}
    response.record(
        action=how.action,
        method="POST",
        max_length=how.longest,
        timeout=how.silence,
        play_beep=True,
        recording_status_callback=how.recorded,
        recording_status_callback_method="POST",
        **transcript,
    )
    return str(response)


def hang_up() -> str:
    """End the call without a word."""
    response = VoiceResponse()
    response.hangup()
    return str(response)


def farewell(prompts: Sequence[Prompt]) -> str:
    """Say ``prompts`` and end the call."""
    response = VoiceResponse()
    for prompt in prompts:
        _say(response, prompt)
    response.hangup()
    return str(response)


def _words(speech: Speech) -> dict[str, object]:
    hints = (hint.replace(",", " ")[:HINT_LONGEST] for hint in speech.hints[:MOST_HINTS])
    return {
        "language": VOICES[speech.language][1],
        "hints": ", ".join(hints),
        "speech_timeout": str(PAUSE_SECONDS),
        "profanity_filter": False,  # stars in place of a word could hide what is wrong
    }


def _say(parent: VoiceResponse | Gather, prompt: Prompt) -> None:
    voice, language = VOICES[prompt.language]
    parent.say(prompt.text, voice=voice, language=language)
