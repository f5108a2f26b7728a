"""Carries out TwiML on a call. A document is a program that stops at each wait; runner.py drives it.

Verbs: https://www.twilio.com/docs/voice/twiml . What Twilio knows and this phone does not play is an
error, so that nothing passes here that was not looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urljoin

from nurseline.devphone import attributes, gathering, twiml
from nurseline.devphone.call import Call, Listening, Wait, spoken_seconds
from nurseline.devphone.runner import (
    Answered,
    Elapsed,
    Event,
    HungUp,
    Interrupt,
    Key,
    Program,
    Refused,
    Speech,
)
from nurseline.devphone.signing import Params
from nurseline.devphone.twiml import Element
from nurseline.devphone.webhook import Answer, WebhookFailed

APOLOGY = "We are sorry, an application error has occurred. Goodbye."
# Documents that follow each other and wait for nobody: our own guard against a circle.
MOST_SILENT_DOCUMENTS = 50
_UNANSWERED = frozenset({"Reject", "Redirect", "Pause"})


@dataclass(frozen=True, slots=True)
class Fetch:
    """A document to ask for; `extra` are the parameters beside the standard ones."""

    url: str
    method: str = "POST"
    extra: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Inline:
    """A document given with the request that started or changed the call; it has no address of its own."""

    text: str


@dataclass(frozen=True, slots=True)
class End:
    """Hang up, with this status."""

    status: str = "completed"


Target = Fetch | Inline
Next = Fetch | End | None
Step = Generator[Wait, Event, Next]


class Diverted(Interrupt):
    """The REST interface sent the call to another document."""

    def __init__(self, target: Target) -> None:
        super().__init__()
        self.target = target


class Office(Protocol):
    """What a call needs of the rest of the exchange."""

    def ask(self, call: Call, fetch: Fetch) -> Answer: ...

    def ask_quietly(self, call: Call, fetch: Fetch) -> None:
        """Asks although nobody will hear the answer; a failure goes to the debugger."""
        ...

    def note(self, call: Call, code: int, detail: str, url: str | None) -> None: ...

    def numbers(self, call: Call) -> frozenset[str]: ...

    def fallback(self, call: Call) -> str | None: ...

    def changed(self, call: Call) -> None: ...

    def dial(self, call: Call, verb: Element, base: str) -> Generator[Wait, Event, Params]:
        """Rings other parties and connects them: the parameters for the action."""
        ...

    def record(self, call: Call, verb: Element, base: str, seconds: float, words: str) -> Params:
        """Keeps a recording: the parameters for the action."""
        ...


class Interpreter:
    """The program of one call."""

    def __init__(self, call: Call, office: Office, allowed: frozenset[str] | None = None) -> None:
        self.call = call
        self._allowed = allowed
        self._office = office
        self._silent = 0
        self._stops = 0
        self._verbs: dict[str, Callable[[Element, str], Step]] = {
            "Say": self._say,
            "Play": self._say,
            "Pause": self._say,
            "Gather": self._gather,
            "Record": self._record,
            "Dial": self._dial,
            "Redirect": self._redirect,
            "Hangup": self._hangup,
            "Reject": self._reject,
        }

    def ring(self, timeout: float) -> Generator[Wait, Event, str | None]:
        """Rings the handset: None when it was answered, else the status the call ends with."""
        self.call.status = "ringing"
        self._office.changed(self.call)
        while True:
            event = yield Wait("ringing", timeout)
            if isinstance(event, Answered):
                self.call.answer()
                self.call.add("note", "The handset was picked up.")
                self._office.changed(self.call)
                return None
            if isinstance(event, Refused):
                return event.status
            if isinstance(event, Elapsed):
                return "no-answer"

    def run(self, start: Target) -> Program:
        """Document after document, until one ends or hangs up."""
        target: Target | None = start
        fallback = self._office.fallback(self.call)
        while target is not None:
            try:
                verbs, base = self._load(target)
                step = yield from self._perform(verbs, base)
                if isinstance(step, End):
                    raise HungUp("line", step.status)
                target = step
            except Diverted as diverted:
                target = diverted.target
            except WebhookFailed as failure:
                url = target.url if isinstance(target, Fetch) else None
                self._office.note(self.call, failure.code, failure.detail, url)
                if fallback is None:
                    yield from self._apologise(failure)
                    return
                extra = (("ErrorCode", str(failure.code)), ("ErrorUrl", url or ""))
                target, fallback = Fetch(fallback, "POST", extra), None

    def _apologise(self, failure: WebhookFailed) -> Generator[Wait, Event, None]:
        self.call.answer()
        self.call.add("error", f"{failure.code}: {failure.detail}")
        self.call.add("say", APOLOGY, "en-US")
        yield Wait("speaking", spoken_seconds(APOLOGY))
        raise HungUp("line")

    def _load(self, target: Target) -> tuple[tuple[Element, ...], str]:
        """The verbs of a document and its address ("" when it has none).

        Raises:
            WebhookFailed: when it cannot be had, or breaks a rule.
        """
        self.call.phase, self.call.wait = "connecting", None
        self._silent = self._silent + 1 if self.call.stops == self._stops else 0
        self._stops = self.call.stops
        if self._silent > MOST_SILENT_DOCUMENTS:
            raise WebhookFailed(11215, f"{MOST_SILENT_DOCUMENTS} documents in a row that wait for nobody.")
        if isinstance(target, Inline):
            return self._strict(target.text), ""
        answer = self._office.ask(self.call, target)
        kind = answer.kind
        if kind == "text":
            return (Element("Say", {}, answer.body),), answer.url
        if kind == "audio":
            return (Element("Play", {}, answer.url),), answer.url
        return self._strict(answer.body), answer.url

    def _strict(self, text: str) -> tuple[Element, ...]:
        document = twiml.read(text, "voice")
        found = document.problems + attributes.problems(document.verbs, self._office.numbers(self.call))
        if found:
            for problem in found[1:]:
                self._office.note(self.call, problem.code, problem.detail, None)
            raise WebhookFailed(found[0].code, found[0].detail)
        return document.verbs

    def _perform(self, verbs: tuple[Element, ...], base: str) -> Step:
        for verb in verbs:
            waits = verb.name == "Dial" and verb.attributes.get("answerOnBridge") == "true"
            if verb.name not in _UNANSWERED and not waits and self.call.answered_at is None:
                self.call.answer()
                self._office.changed(self.call)
            perform = self._verbs.get(verb.name)
            if self._allowed is not None and verb.name not in self._allowed:
                raise WebhookFailed(13215, f"<{verb.name}> may not stand in a document for the called side.")
            if perform is None:
                raise WebhookFailed(12200, f"This phone does not play <{verb.name}>.")
            step = yield from perform(verb, base)
            if step is not None:
                return step
        return None

    def _say(self, verb: Element, base: str) -> Step:
        yield from gathering.say(self.call, verb, base)
        return None

    def _gather(self, verb: Element, base: str) -> Step:
        found = yield from gathering.gather(self.call, verb, base)
        return None if found is None else action(verb, base, found)

    def _record(self, verb: Element, base: str) -> Step:
        """Beep, then words, until silence, a finish key, the longest time or the end of the call."""
        keys = verb.attributes.get("finishOnKey", "1234567890*#")
        if verb.attributes.get("playBeep") != "false":
            self.call.add("beep", "(beep)")
        listening = Listening(
            ("dtmf", "speech"), float(verb.attributes.get("timeout", "5")), finish_on_key=keys
        )
        said: list[str] = []
        seconds, ended_by = 0.0, ""
        try:
            while True:
                event = yield Wait("recording", listening.timeout, listening)
                if isinstance(event, Elapsed):
                    break
                if isinstance(event, Speech):
                    self.call.add("speech", event.text)
                    said.append(event.text)
                    seconds += spoken_seconds(event.text)
                elif isinstance(event, Key):
                    self.call.add("keys", event.digit)
                    if event.digit in keys:
                        ended_by = event.digit
                        break
        except HungUp:
            # The action is still requested, but what it answers is not played to anyone.
            extra = [
                *self._office.record(self.call, verb, base, seconds, " ".join(said)),
                ("Digits", "hangup"),
            ]
            self.call.finish("completed")
            self._office.ask_quietly(self.call, action(verb, base, extra))
            raise
        extra = self._office.record(self.call, verb, base, seconds, " ".join(said))
        return action(verb, base, [*extra, ("Digits", ended_by)])

    def _dial(self, verb: Element, base: str) -> Step:
        result = yield from self._office.dial(self.call, verb, base)
        return action(verb, base, result) if "action" in verb.attributes else None

    def _redirect(self, verb: Element, base: str) -> Step:
        yield from ()
        url = urljoin(base, verb.text)
        if not url.startswith(("http://", "https://")):
            raise WebhookFailed(11100, "<Redirect> needs an absolute address: its document has none.")
        return Fetch(url, verb.attributes.get("method", "POST").upper())

    def _hangup(self, _verb: Element, _base: str) -> Step:
        yield from ()
        return End()

    def _reject(self, verb: Element, _base: str) -> Step:
        yield from ()
        if self.call.answered_at is not None:
            return End()
        return End("busy" if verb.attributes.get("reason") == "busy" else "no-answer")


def action(verb: Element, base: str, extra: Params) -> Fetch:
    """The request for a verb's action; without one, its own document is asked again.

    Raises:
        WebhookFailed: when there is no absolute address.
    """
    url = urljoin(base, verb.attributes.get("action", ""))
    if not url.startswith(("http://", "https://")):
        raise WebhookFailed(11100, f"<{verb.name}> needs an absolute action: its document has no address.")
    return Fetch(url, verb.attributes.get("method", "POST").upper(), tuple(extra))
