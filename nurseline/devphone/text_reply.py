"""From the line's answer to a text to the replies the carrier sends.

<Message> (to from action method statusCallback; Body, Media) and <Redirect>; plain text is a reply by itself.
https://www.twilio.com/docs/messaging/twiml
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urljoin

from nurseline.devphone import twiml
from nurseline.devphone.numbers import e164, is_short_code
from nurseline.devphone.signing import usable_address
from nurseline.devphone.webhook import Answer, WebhookFailed

MOST_DOCUMENTS = 10
MOST_CHARACTERS = 1600

Ask = Callable[[str, str], Answer]


@dataclass(frozen=True, slots=True)
class Reply:
    """One text to send."""

    to: str
    body: str
    media: tuple[str, ...] = ()
    status_callback: str | None = None


def replies(ask: Ask, url: str, handset: str, number: str) -> list[Reply]:
    """Asks the line and follows its redirects.

    Raises:
        WebhookFailed: when an answer is not usable; then nothing of that answer is sent.
    """
    found: list[Reply] = []
    target, method = url, "POST"
    for _ in range(MOST_DOCUMENTS):
        answer = ask(target, method)
        kind = answer.kind
        if kind == "audio":
            raise WebhookFailed(12300, f"A text cannot be answered with {answer.content_type}.")
        if kind == "text":
            if answer.body.strip():
                found.append(_checked(Reply(handset, answer.body.strip())))
            return found
        document = twiml.read(answer.body, "text")
        verbs, following = [], None
        for verb in document.verbs:
            if verb.name == "Redirect":
                following = verb
                break
            verbs.append(verb)
            if "action" in verb.attributes:
                break
        problems = document.problems + [
            p for verb in document.verbs for p in _problems(verb, number, answer.url)
        ]
        if problems:
            raise WebhookFailed(problems[0].code, " ".join(problem.detail for problem in problems))
        found += [_checked(_reply(verb, handset, answer.url)) for verb in verbs]
        if following is None:
            return found
        target, method = (
            urljoin(answer.url, following.text),
            following.attributes.get("method", "POST").upper(),
        )
    raise WebhookFailed(14106, f"More than {MOST_DOCUMENTS} documents for one text.")


def _reply(verb: twiml.Element, handset: str, base: str) -> Reply:
    bodies = [child.raw.strip() for child in verb.children if child.name == "Body"] or [verb.raw.strip()]
    callback = verb.attributes.get("statusCallback") or verb.attributes.get("action")
    return Reply(
        to=_party(verb.attributes["to"]) or handset if "to" in verb.attributes else handset,
        body="".join(bodies),
        media=tuple(urljoin(base, child.text) for child in verb.children if child.name == "Media"),
        status_callback=urljoin(base, callback) if callback else None,
    )


def _checked(reply: Reply) -> Reply:
    if len(reply.body) > MOST_CHARACTERS:
        raise WebhookFailed(21617, f"The reply has {len(reply.body)} characters.")
    return reply


def _party(raw: str) -> str | None:
    return raw if is_short_code(raw) else e164(raw)


def _problems(verb: twiml.Element, number: str, base: str) -> list[twiml.Problem]:
    """Values of attributes, and messages without content."""
    found: list[twiml.Problem] = []
    attributes = verb.attributes
    if attributes.get("method", "POST").upper() not in {"GET", "POST"}:
        found.append(twiml.Problem(14104, f"<{verb.name}> method is {attributes['method']!r}."))
    if verb.name != "Message":
        return found
    if "to" in attributes and _party(attributes["to"]) is None:
        found.append(twiml.Problem(14101, "<Message> to is not a phone number."))
    if "from" in attributes and e164(attributes["from"]) != number:
        found.append(twiml.Problem(14102, "<Message> from is not this account's number."))
    found += [
        twiml.Problem(14105, f"<Message> {name} is not a usable address.")
        for name in ("statusCallback", "action")
        if name in attributes and not usable_address(urljoin(base, attributes[name]))
    ]
    if not verb.text and not any(child.text for child in verb.children):
        found.append(twiml.Problem(14103, "<Message> has neither text nor media."))
    return found
