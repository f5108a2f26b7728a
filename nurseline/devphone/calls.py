"""All calls of the exchange: to the line, from the line, and their legs."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urljoin

from nurseline.devphone import codes, dialling
from nurseline.devphone.background import Background
from nurseline.devphone.call import FINAL, PICKED_UP, Call, Pace, Wait, save
from nurseline.devphone.errors import BadInput
from nurseline.devphone.faults import Faults
from nurseline.devphone.interpreter import Diverted, Fetch, Interpreter, Target
from nurseline.devphone.ledger import Ledger
from nurseline.devphone.message_store import new_sid
from nurseline.devphone.numbers import e164
from nurseline.devphone.reports import Report
from nurseline.devphone.runner import (
    Answered,
    Event,
    HungUp,
    Key,
    LegEnded,
    LegReady,
    Program,
    Refused,
    Runner,
    Speech,
)
from nurseline.devphone.settings import Settings
from nurseline.devphone.signing import Params
from nurseline.devphone.twiml import Element
from nurseline.devphone.webhook import Answer, WebhookFailed, Webhooks

WHISPER_VERBS = frozenset({"Say", "Play", "Pause", "Gather", "Hangup", "Redirect"})
KEPT = 300
_GEO = ("City", "State", "Zip", "Country")


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What the REST interface asked for. `machine_detection` is Enable, DetectMessageEnd or ""."""

    to: str
    shown: str
    target: Target
    timeout: float = 60.0
    report: Report | None = None
    fallback: str | None = None
    machine_detection: str = ""
    async_detection: str | None = None


@dataclass(frozen=True, slots=True)
class Detection:
    """Finding out who answered. `connects`: the call goes on meanwhile, and who it was is told to `told`.

    For a <Number> that is always so: https://www.twilio.com/docs/voice/twiml/number has no asyncAmd.
    """

    kind: str
    told: str | None
    connects: bool

    @property
    def machine(self) -> str:
        """Twilio's word for a machine."""
        return "machine_end_beep" if self.kind == "DetectMessageEnd" else "machine_start"


class Calls:
    """Starts calls, hands them events, and is the office their programs work with."""

    def __init__(
        self,
        settings: Settings,
        *,
        ledger: Ledger,
        background: Background,
        webhooks: Webhooks,
        faults: Faults,
        address: Callable[[], str],
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._background = background
        self._webhooks = webhooks
        self._faults = faults
        self._lock = threading.Lock()
        self._calls: dict[str, Call] = {}
        self._runners: dict[str, Runner] = {}
        self._reports: dict[str, Report] = {}
        self._outgoing: dict[str, Outgoing] = {}
        self._detections: dict[str, Detection] = {}
        self.voice_url = settings.line_url + "/voice"
        self.fallback_url: str | None = None
        self.status_url: str | None = settings.line_url + "/voice/status"
        self._address = address

    def forget_unfinished(self) -> None:
        """Calls that a restart cut off have failed."""
        self._ledger.write(
            "UPDATE calls SET status = 'failed', ended = ?, duration = 0 WHERE status NOT IN"
            " ('completed', 'busy', 'failed', 'no-answer', 'canceled')",
            [time.time()],
        )

    # --- starting ---

    def dial_line(self, caller: str, pace: Pace, *, hidden: bool = False) -> Call:
        """A handset calls the line, or hides its number while it does."""
        if e164(caller):
            self._ledger.add_handset(caller)
        shown = "anonymous" if hidden else caller
        call = Call("inbound", shown, self._settings.number, pace, hidden=caller, status="ringing")
        if self.status_url:
            self._reports[call.sid] = Report(self.status_url)
        interpreter = Interpreter(call, self)
        self._begin(call, self._incoming(interpreter))
        return call

    def _incoming(self, interpreter: Interpreter) -> Program:
        yield from interpreter.run(Fetch(self.voice_url))

    def call_out(self, wanted: Outgoing) -> Call:
        """The line calls a handset."""
        self._ledger.add_handset(wanted.to)
        call = Call("outbound-api", wanted.shown, wanted.to, self._pace(wanted.to))
        self._outgoing[call.sid] = wanted
        if wanted.machine_detection:
            told = wanted.async_detection
            self._detections[call.sid] = Detection(wanted.machine_detection, told, connects=bool(told))
        if wanted.report:
            self._reports[call.sid] = wanted.report
        interpreter = Interpreter(call, self)
        self._begin(call, self._outward(interpreter, wanted))
        self._scripted(call)
        return call

    def _outward(self, interpreter: Interpreter, wanted: Outgoing) -> Program:
        refused = yield from interpreter.ring(wanted.timeout)
        if refused:
            raise HungUp("handset", refused)
        yield from interpreter.run(wanted.target)

    def ring_leg(
        self, parent: Call, number: str, shown: str, noun: Element | None, base: str, timeout: float
    ) -> Call:
        """One number of a <Dial>."""
        self._ledger.add_handset(number)
        given = noun.attributes if noun else {}
        leg = Call("outbound-dial", shown, number, parent.pace, parent.sid)
        parent.legs.append(leg.sid)
        if "statusCallback" in given:
            events = frozenset(given.get("statusCallbackEvent", "completed").split())
            self._reports[leg.sid] = Report(urljoin(base, given["statusCallback"]), events)
        if given.get("machineDetection"):
            told = urljoin(base, given["amdStatusCallback"]) if "amdStatusCallback" in given else None
            self._detections[leg.sid] = Detection(given["machineDetection"], told, connects=True)
        whisper = (
            Fetch(urljoin(base, given["url"]), given.get("method", "POST").upper())
            if "url" in given
            else None
        )
        self._begin(leg, self._leg(leg, parent, whisper, timeout))
        self._scripted(leg)
        return leg

    def _leg(self, leg: Call, parent: Call, whisper: Fetch | None, timeout: float) -> Program:
        # The parent keeps the time; the leg's own limit is only a net.
        interpreter = Interpreter(leg, self, WHISPER_VERBS)
        refused = yield from interpreter.ring(timeout + 5)
        if refused:
            raise HungUp("handset", refused)
        if whisper:
            yield from interpreter.run(whisper)
        self._post(parent.sid, LegReady(leg.sid))
        while True:
            event = yield Wait("bridged", None)
            if isinstance(event, Speech):
                leg.add("speech", event.text)
                parent.add("say", event.text)
            elif isinstance(event, Key):
                leg.add("keys", event.digit)

    def _begin(self, call: Call, program: Program) -> None:
        runner = Runner(call, self._background, program, self._ended)
        with self._lock:
            self._calls[call.sid], self._runners[call.sid] = call, runner
            done = [sid for sid, old in self._calls.items() if old.status in FINAL]
            for sid in done[: max(0, len(done) - KEPT)]:
                for kept in (self._calls, self._runners, self._reports, self._outgoing, self._detections):
                    kept.pop(sid, None)
        self.changed(call)
        runner.start()

    def _pace(self, number: str) -> Pace:
        return "hand" if self._ledger.model(number).get("pace") == "hand" else "real"

    def _scripted(self, call: Call) -> None:
        """What the handset was told to do with calls; by default it rings until somebody acts."""
        model = self._ledger.model(call.callee).get("call", {})
        what, after = model.get("answer", "ask"), float(model.get("after", 0.5))
        if what in PICKED_UP:
            self._background.later(after, lambda: self.pick_up(call, what))
        elif what in {"busy", "no-answer", "failed"}:
            self._background.later(after, lambda: self._post(call.sid, Refused(what)))

    # --- events ---

    def find(self, sid: str) -> Call | None:
        return self._calls.get(sid)

    def leg(self, sid: str) -> Call:
        return self._calls[sid]

    def of_handset(self, number: str) -> list[Call]:
        """Calls of this handset that are known in full, newest last."""
        return [call for call in list(self._calls.values()) if call.handset == number]

    def all(self) -> list[Call]:
        return list(self._calls.values())

    def post(self, call: Call, event: Event) -> None:
        """Hands an event to the call.

        Raises:
            BadInput: when the call has ended.
        """
        if call.status in FINAL:
            raise BadInput("The call has ended.", 409)
        self._post(call.sid, event)

    def _post(self, sid: str, event: Event) -> None:
        runner = self._runners.get(sid)
        if runner:
            runner.post(event)

    def pick_up(self, call: Call, by: str = "human") -> None:
        """The handset is answered; `by` is one of PICKED_UP."""
        detection = self._detections.get(call.sid)
        if detection:
            found = detection.machine if by == "machine" else by
            if not detection.connects:
                call.answered_by = found
            elif detection.told:
                params = [*self.standard(call), ("AnsweredBy", found), ("MachineDetectionDuration", "1500")]
                self._tell(detection.told, params, "POST", call.sid)
            else:
                self.note(call, 21262, "machineDetection without an amdStatusCallback.", None)
        self._post(call.sid, Answered())

    def hang_up(self, call: Call, by: str, status: str = "completed") -> None:
        """Ends the call; before it was answered a handset that called just goes away."""
        if call.status in {"queued", "ringing"} and by == "handset":
            status = "no-answer" if call.direction == "inbound" else "busy"
        self._post(call.sid, HungUp(by, status))

    def divert(self, call: Call, target: Target) -> None:
        self._post(call.sid, Diverted(target))

    def end_leg(self, sid: str, status: str) -> None:
        leg = self._calls[sid]
        self._post(sid, HungUp("line", status if leg.answered_at is None else "completed"))

    def settle(self, call: Call, seconds: float) -> bool:
        """Waits until this call, its parent and its legs stand still."""
        ends = time.monotonic() + seconds
        while True:
            head = self._calls.get(call.parent or call.sid, call)
            family = [head.sid, *head.legs]
            runners = [self._runners[sid] for sid in family if sid in self._runners]
            before = [self._runners[sid].settle(0) for sid in family if sid in self._runners]
            if all(before):
                return True
            if time.monotonic() > ends:
                return False
            for runner in runners:
                runner.settle(max(0.0, ends - time.monotonic()))

    def _ended(self, call: Call) -> None:
        self.changed(call)
        if call.parent:
            self._post(call.parent, LegEnded(call.sid, call.status))
        for sid in call.legs:
            self._post(
                sid, HungUp("line", "canceled" if self._calls[sid].answered_at is None else "completed")
            )

    # --- the office of a call's program ---

    def standard(self, call: Call) -> Params:
        """The parameters of every request about a call."""
        params = [
            ("AccountSid", self._settings.account_sid), ("ApiVersion", "2010-04-01"), ("CallSid", call.sid),
            ("CallStatus", call.status), ("Direction", call.direction),
            ("From", call.caller), ("To", call.callee),
            ("Caller", call.caller), ("Called", call.callee),
        ]  # fmt: skip
        params += [(f"{who}{what}", "") for who in ("From", "To", "Caller", "Called") for what in _GEO]
        if call.parent:
            params.append(("ParentCallSid", call.parent))
        if call.answered_by:
            params.append(("AnsweredBy", call.answered_by))
        return params

    def ask(self, call: Call, fetch: Fetch) -> Answer:
        params = [*self.standard(call), *fetch.extra]
        return self._webhooks.document(
            fetch.url,
            params,
            "voice",
            method=fetch.method,
            sid=call.sid,
            key=f"call|{call.caller}|{call.callee}",
        )

    def ask_quietly(self, call: Call, fetch: Fetch) -> None:
        try:
            self.ask(call, fetch)
        except WebhookFailed as failure:
            self.note(call, failure.code, failure.detail, fetch.url)

    def note(self, call: Call, code: int, detail: str, url: str | None) -> None:
        self._ledger.note(code, codes.text(code), detail=detail, url=url, sid=call.sid)

    def numbers(self, call: Call) -> frozenset[str]:
        return frozenset({self._settings.number, call.caller, call.callee})

    def fallback(self, call: Call) -> str | None:
        wanted = self._outgoing.get(call.sid)
        return wanted.fallback if wanted else None if call.parent else self.fallback_url

    def changed(self, call: Call) -> None:
        """Writes the call down and reports its status."""
        save(self._ledger, call, json.dumps([asdict(line) for line in call.lines]))
        report = self._reports.get(call.sid)
        if report:
            report.now(call, self.standard(call), self._tell)

    def dial(self, call: Call, verb: Element, base: str) -> Generator[Wait, Event, Params]:
        return dialling.dial(self, call, verb, base)

    def record(self, call: Call, verb: Element, base: str, seconds: float, words: str) -> Params:
        """Keeps the recording and sends its callbacks; the words stand in for the sound."""
        sid, duration = new_sid("RE"), max(1, round(seconds))
        self._ledger.insert(
            "recordings",
            {"sid": sid, "seq": self._ledger.next(), "call": call.sid, "duration": duration, "words": words,
             "created": time.time()},
        )  # fmt: skip
        url = f"{self._address()}/2010-04-01/Accounts/{self._settings.account_sid}/Recordings/{sid}"
        params = [("RecordingUrl", url), ("RecordingSid", sid), ("RecordingDuration", str(duration))]
        account = [("AccountSid", self._settings.account_sid), ("CallSid", call.sid)]
        given = verb.attributes
        if "recordingStatusCallback" in given:
            extra = [
                ("RecordingStatus", "completed"),
                ("RecordingChannels", "1"),
                ("RecordingSource", "RecordVerb"),
            ]
            target = urljoin(base, given["recordingStatusCallback"])
            self._tell(
                target,
                [*account, *params, *extra],
                given.get("recordingStatusCallbackMethod", "POST"),
                call.sid,
            )
        if given.get("transcribe") == "true" and "transcribeCallback" in given:
            status = "completed" if words and 2 < duration < 120 else "failed"
            extra = [
                ("TranscriptionSid", new_sid("TR")), ("TranscriptionStatus", status),
                ("TranscriptionText", words if status == "completed" else ""), ("TranscriptionType", "fast"),
            ]  # fmt: skip
            target = urljoin(base, given["transcribeCallback"])
            self._tell(target, [*self.standard(call), *params[:2], *extra], "POST", call.sid)
        return params

    def _tell(self, url: str, params: Params, method: str, sid: str) -> None:
        given = dict(params)
        key = f"call|{given.get('From', '')}|{given.get('To', '')}|{given.get('CallStatus', '')}"
        # Reports of calls carry a SequenceNumber; they come late or not at all, but are not held back.
        for delay in self._faults.of_callback(key, final=True).delays:
            self._background.later(
                delay, lambda: self._webhooks.tell(url, params, "voice", method=method.upper(), sid=sid)
            )

    def stored(self, sid: str) -> dict[str, Any] | None:
        """A call that is only in the ledger any more."""
        rows = self._ledger.rows("SELECT * FROM calls WHERE sid = ?", [sid])
        return dict(rows[0]) if rows else None
