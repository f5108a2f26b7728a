"""The life of a message: accepted, sent, delivered, with callbacks; and texts that arrive from handsets."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nurseline.devphone import codes, optout
from nurseline.devphone.background import Background
from nurseline.devphone.delivery import Delivery, read_delivery
from nurseline.devphone.faults import Faults
from nurseline.devphone.ledger import Ledger
from nurseline.devphone.message_store import FINAL, Message, MessageStore
from nurseline.devphone.settings import Settings
from nurseline.devphone.signing import Params
from nurseline.devphone.text_reply import Reply, replies
from nurseline.devphone.webhook import WebhookFailed, Webhooks

API_VERSION = "2010-04-01"


@dataclass(frozen=True, slots=True)
class Picture:
    """Media that came with a text."""

    content_type: str
    data: bytes


class Texting:
    """Everything that happens to texts between the line and the handsets."""

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
        self._address = address
        self.store = MessageStore(ledger)
        self.default_delivery = Delivery()
        self.sms_url = settings.line_url + "/sms"
        self.fallback_url: str | None = None
        self._held: dict[str, list[Callable[[], None]]] = {}
        self._held_lock = threading.Lock()

    # --- outbound ---

    def send(
        self,
        *,
        recipient: str,
        body: str,
        direction: str,
        status_callback: str | None = None,
        media: Sequence[str] = (),
        service: str | None = None,
        due: float | None = None,
        by_carrier: bool = False,
        list_lag: float = 0.0,
    ) -> Message:
        """Takes a message for sending; what follows happens in the background."""
        status = "scheduled" if due is not None else "accepted" if service else "queued"
        message = self.store.add(
            direction=direction,
            sender=None if service else self._settings.number,
            recipient=recipient,
            body=body,
            status=status,
            media=media,
            service=service,
            status_callback=status_callback,
            by_carrier=by_carrier,
            due=due,
            list_lag=list_lag,
        )
        self._ledger.add_handset(recipient)
        self._go_on(message)
        return message

    def resume(self) -> None:
        """Takes up what a restart interrupted."""
        for message in self.store.unfinished():
            self._go_on(message)

    def delivery(self, handset: str) -> Delivery:
        given = self._ledger.model(handset).get("delivery")
        return read_delivery(given, self.default_delivery) if given else self.default_delivery

    def cancel(self, sid: str) -> Message | None:
        """Cancels a scheduled message; None when it is no longer scheduled."""
        message = self.store.advance(sid, "canceled")
        if message:
            self._report(message)
        return message

    def blocked(self, handset: str) -> bool:
        """Whether the handset opted out of the line's number."""
        return self._ledger.blocked(self._settings.number, handset)

    def _go_on(self, message: Message) -> None:
        """Plans the next step of a message that is not final."""
        step = self._next(message)
        if step:
            seconds, status = step
            self._background.later(seconds, lambda: self._step(message.sid, status))

    def _next(self, message: Message) -> tuple[float, str] | None:
        """In how many seconds the message gets which status."""
        model = self.delivery(message.recipient)
        if message.status == "scheduled":
            return (message.due or 0.0) - time.time(), "accepted"
        if message.status == "accepted":
            return model.sent_after / 2, "queued"
        if message.status in {"queued", "sending"}:
            early = model.outcome == "fail" and model.failure == "failed"
            return model.sent_after, "failed" if early else "sent"
        if message.status == "sent" and model.outcome != "sent":
            return model.done_after, model.failure if model.outcome == "fail" else "delivered"
        return None

    def hurry(self, message: Message) -> None:
        """Takes the next step now, and returns when its callback was posted."""
        step = self._next(message)
        if step and message.status != "scheduled":
            self._step(message.sid, step[1], at_once=True)

    def _step(self, sid: str, status: str, *, at_once: bool = False) -> None:
        current = self.store.get(sid)
        if current is None:
            return
        if status == "queued" and self.blocked(current.recipient):
            # Through a service an opt-out shows only after the message was accepted.
            moved = self.store.advance(sid, "failed", error_code=21610, sender=self._settings.number)
        elif status in {"failed", "undelivered"}:
            moved = self.store.advance(sid, status, error_code=self.delivery(current.recipient).code)
        elif status == "sent":
            moved = self.store.advance(sid, status, sent=time.time())
        elif status == "queued":
            moved = self.store.advance(sid, status, sender=self._settings.number)
        else:
            moved = self.store.advance(sid, status)
        if moved:
            self._report(moved, at_once=at_once)
            self._go_on(moved)

    def _report(self, message: Message, *, at_once: bool = False) -> None:
        """Sends the status callback, as often, as late and in the order that the faults say."""
        if not message.status_callback:
            return
        sid, final = message.sid, message.status in FINAL
        url, params = message.status_callback, self._callback(message)

        def tell() -> None:
            self._webhooks.tell(url, params, "text", sid=sid)
            if final:
                self._release(sid)

        if at_once:
            tell()
            return
        key = f"message|{message.recipient}|{message.body}|{message.status}"
        posting = self._faults.of_callback(key, final=final)
        if posting.hold is not None:
            with self._held_lock:
                self._held.setdefault(sid, []).extend([tell] * len(posting.delays))
            self._background.later(posting.hold, lambda: self._release(sid))
            return
        for delay in posting.delays:
            self._background.later(delay, tell)
        if final and not posting.delays:
            self._release(sid)

    def _release(self, sid: str) -> None:
        """Posts the callbacks that were held back until the last one."""
        with self._held_lock:
            held = self._held.pop(sid, [])
        for tell in held:
            tell()

    def _callback(self, message: Message) -> Params:
        params = [
            ("AccountSid", self._settings.account_sid),
            ("ApiVersion", API_VERSION),
            ("From", message.sender or ""),
            ("To", message.recipient),
            ("MessageSid", message.sid),
            ("MessageStatus", message.status),
            ("SmsSid", message.sid),
            ("SmsStatus", message.status),
        ]
        if message.service:
            params.append(("MessagingServiceSid", message.service))
        if message.error_code is not None:
            params.append(("ErrorCode", str(message.error_code)))
        if message.status in {"delivered", "undelivered"}:
            params.append(("RawDlrDoneDate", time.strftime("%y%m%d%H%M", time.gmtime(message.updated))))
        return params

    # --- inbound ---

    def receive(
        self, sender: str, body: str, pictures: Sequence[Picture] = ()
    ) -> tuple[Message, Callable[[], None]]:
        """Takes a text from a handset. The second value posts it to the line and carries out the answer."""
        self._ledger.add_handset(sender)
        message = self.store.add(
            direction="inbound",
            sender=sender,
            recipient=self._settings.number,
            body=body,
            status="received",
            media=["pending"] * len(pictures),
        )
        if pictures:
            urls = [self._store(message.sid, picture) for picture in pictures]
            self.store.change(message.sid, media=_json(urls))
            message = self.store.get(message.sid) or message
        self._keyword(message)
        taken = message
        return message, lambda: self._post(taken)

    def _store(self, parent: str, picture: Picture) -> str:
        sid = self.store.add_media(parent, picture.content_type, picture.data)
        account = f"{self._address()}/{API_VERSION}/Accounts/{self._settings.account_sid}"
        return f"{account}/Messages/{parent}/Media/{sid}"

    def _keyword(self, message: Message) -> None:
        """STOP, START, HELP: block or unblock the pair, and the carrier's own answer."""
        word, ours, handset = optout.keyword(message.body), self._settings.number, message.handset
        if word is None:
            return
        was_blocked = self._ledger.blocked(ours, handset)
        if word == "STOP":
            self._ledger.block(ours, handset)
        elif word == "START":
            self._ledger.unblock(ours, handset)
        if (word == "START") == was_blocked:
            # START when blocked; STOP and HELP when not.
            self.send(
                recipient=handset, body=optout.ANSWERS[word], direction="outbound-reply", by_carrier=True
            )

    def _inbound_params(self, message: Message) -> Params:
        params = [
            ("ToCountry", ""),
            ("ToState", ""),
            ("ToCity", ""),
            ("ToZip", ""),
            ("FromCountry", ""),
            ("FromState", ""),
            ("FromCity", ""),
            ("FromZip", ""),
            ("SmsMessageSid", message.sid),
            ("SmsSid", message.sid),
            ("MessageSid", message.sid),
            ("AccountSid", self._settings.account_sid),
            ("SmsStatus", "received"),
            ("ApiVersion", API_VERSION),
            ("From", message.sender or ""),
            ("To", message.recipient),
            ("Body", message.body),
            ("NumMedia", str(len(message.media))),
            ("NumSegments", str(message.segments)),
        ]
        for index, row in enumerate(self.store.media(message.sid)):
            params += [
                (f"MediaUrl{index}", message.media[index]),
                (f"MediaContentType{index}", row["content_type"]),
            ]
        return params

    def _post(self, message: Message) -> None:
        params = self._inbound_params(message)
        try:
            self._carry_out(message, self._fetch(message, self.sms_url, params))
        except WebhookFailed as failure:
            self._webhooks.log(failure, url=self.sms_url, sid=message.sid)
            if self.fallback_url:
                extra = [("ErrorCode", str(failure.code)), ("ErrorUrl", self.sms_url)]
                try:
                    self._carry_out(message, self._fetch(message, self.fallback_url, params + extra))
                except WebhookFailed as second:
                    self._webhooks.log(second, url=self.fallback_url, sid=message.sid)

    def _fetch(self, message: Message, url: str, params: Params) -> list[Reply]:
        return replies(
            lambda target, method: self._webhooks.document(
                target, params, "text", method=method, sid=message.sid, key=f"{message.sender}|{message.body}"
            ),
            url,
            message.handset,
            self._settings.number,
        )

    def _carry_out(self, message: Message, answers: list[Reply]) -> None:
        for answer in answers:
            if self.blocked(answer.to):
                self._ledger.note(21610, codes.text(21610), detail="A reply was dropped.", sid=message.sid)
                continue
            self.send(
                recipient=answer.to,
                body=answer.body,
                direction="outbound-reply",
                media=answer.media,
                status_callback=answer.status_callback,
            )


def _json(urls: Sequence[str]) -> str:
    return "[" + ", ".join(f'"{url}"' for url in urls) + "]"
