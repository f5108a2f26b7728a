"""Why a message had a status, in words for staff. Histories hold short causes; this says what they mean."""

from __future__ import annotations

import re

from nurseline.carrier.errors import meaning_of
from nurseline.messaging.decisions import CAUSES
from nurseline.staff.words import CALLS, REFUSALS

EXACT = {
    "planned": "",
    "due": "",
    "request": "",
    "accepted": "The carrier took it.",
    "no answer": "The carrier did not answer in time.",
    "connection lost": "The connection broke before the carrier answered.",
    "no connection": "The carrier could not be reached.",
    "held up before the request": "The program was held up before it asked: it did not ask any more.",
    "too many requests": "The carrier asked to wait.",
    "held up by another change": "Something else was being changed for this number: a moment later.",
    "could not be prepared": "It could not be prepared: its words or its number could not be read.",
    "lease ended": "The program that had it stopped before it was sent.",
    "lease ended while sending": "The program that sent it stopped before it had an answer.",
    "no result in time": "The program that sent it stopped before it had an answer.",
    "the answer could not be read": "The carrier's answer could not be read.",
    "the answer had no sid": "The carrier's answer could not be read.",
    "given up": "The carrier could not be reached in time.",
    "too late": "It could not go in time.",
    "too late after quiet hours": "It could not go in time: the hours for messages came too late.",
    "too late after one message a day": "It could not go in time: the number had its message of that day.",
    "too late after three messages a week": "It could not go in time: the number had its three of that week.",
    "no allowed hours": "There are no hours at which it may go.",
    "not in the carrier's list": "The carrier's list of messages does not hold it.",
    "the carrier's list could not be read whole": "The carrier's list could not be read whole.",
    "found in the carrier's list": "It was found in the carrier's list of messages.",
    "the carrier has it": "The carrier has it, although by our book it had not gone.",
    "the carrier does not know it any more": "The carrier does not know it any more.",
    "sent again by staff": "Staff had it sent again.",
    "once more later": "It is sent once more.",
    "cannot be texted: call instead": "The number cannot be texted: a call goes instead.",
    CAUSES["arrived"]: "It arrived, as staff found out.",
    CAUSES["again"]: "It did not arrive, as staff found out: it is sent again.",
    CAUSES["call"]: "Staff call the patient instead.",
    CAUSES["leave"]: "Staff left it as it is.",
}
REPORTED = {
    "accepted": "it has the message",
    "queued": "it waits to be sent",
    "sending": "it is being sent",
    "sent": "the network has it",
    "delivered": "it arrived",
    "read": "it was read",
    "undelivered": "it did not arrive",
    "failed": "it could not be sent",
    "canceled": "it was taken back",
}
ANSWERED = {
    "well": "The patient answered: doing well.",
    "question": "The patient answered: has a question.",
    "worse": "The patient answered: feels worse.",
    "words": "The patient answered in own words.",
}
_SAID = re.compile(
    r"(?P<how>callback|asked:|too late: the carrier reports|the carrier reports another one of it:) ?"
    r"(?P<status>[a-z]+)(?P<kept>, kept)?"
)
_HOW = {
    "callback": "The carrier reported: {}.",
    "asked:": "When asked, the carrier said: {}.",
    "too late: the carrier reports": "Too late, the carrier reported: {}.",
    "the carrier reports another one of it:": "The carrier reports a second message like it: {}.",
}


def caused(cause: str) -> str:
    """A cause in plain words; one that is not known here as it stands, with a capital and a full stop."""
    if cause in EXACT:
        return EXACT[cause]
    if told := _SAID.fullmatch(cause):
        return _HOW[told["how"]].format(REPORTED.get(told["status"], told["status"]))
    if refused := re.fullmatch(
        r"(?:carrier )?error (\d+)(, once more later|, waits for the settings)?", cause
    ):
        return f"{REFUSALS[meaning_of(int(refused[1]))]} (Error {refused[1]}.)"
    if broken := re.fullmatch(r"carrier answered (\d+)", cause):
        return f"The carrier answered with an error of its own ({broken[1]})."
    if answered := re.fullmatch(r"answered: ([a-z]+)", cause):
        return ANSWERED.get(answered[1], "The patient answered.")
    return f"{cause[:1].upper()}{cause[1:]}." if cause else ""


def why(reason: str) -> str:
    """Why a message went no further, in plain words, from the short reason that is kept with it."""
    if reason in CALLS:
        return CALLS[reason]
    if reason.startswith("given up"):
        return EXACT["given up"]
    if refused := re.fullmatch(r"refused: ([a-z_]+)", reason):
        return REFUSALS.get(refused[1], REFUSALS["unlisted"])
    return caused(reason)
