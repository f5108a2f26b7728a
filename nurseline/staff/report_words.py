"""What the reports say: what each figure means, what is counted and what is not."""

from __future__ import annotations

from nurseline.callbacks.outcomes import OUTCOMES
from nurseline.carrier.errors import meaning_of
from nurseline.staff.words import REFUSALS, said

MINUTE, HOUR, DAY = 60, 3600, 86400
KINDS = {"texts": "Texts", "calls": "Calls", "items": "Items"}
ENDINGS = {
    "person": "A person took the call",
    "callback": "A call back was recorded",
    "line": "The line answered, no staff needed",
    "abandoned": "Abandoned",
}
CHOICES = {
    "well": "Doing well",
    "question": "Question",
    "worse": "Worse",
    "words": "Own words",
    "silence": "Silence",
}
TOPICS = {
    "emergency": "Emergency words",
    "urgent": "Worrying symptom",
    "what": "What the injections are",
    "conditions": "What they are for",
    "expect": "What to expect",
    "recovery": "Recovery",
    "onset": "When they work",
    "duration": "How long they last",
    "risks": "Risks",
    "suitability": "Whether they suit",
    "schedule": "Scheduling",
    "nurse": "A nurse, please",
    "clinical": "A clinical question",
    "admin": "Office question",
    "menu": "The menu",
    "thanks": "Thanks",
    "help": "Help",
    "stop": "No more messages",
    "start": "Messages again",
    "wrong_number": "Wrong number",
    "language": "Another language",
    "unknown": "A choice by number, or not understood",
}
SPEED = (
    "From the words that a person is being connected until somebody pressed 1 to take the call; calls that "
    "somebody took. Ringing of several telephones counts."
)
ABANDONED = (
    "Callers who hung up before an answer of the line, a person or a recorded call back, of all calls that "
    "began in the period and are over. Silence and short calls count."
)
CALLBACK = (
    "From the request to the first call back, nights and weekends included; emergency, urgent, clinical and "
    "nurse items that were called. Who was put through at once is not counted."
)
STANDARDS = "Standards for health call centers by URAC."
VOLUME = "On the clinic's clock. Texts and calls that came in; items that patients asked for."
DAYS = "Days on the clinic's clock."
ITEMS = (
    "Items that patients asked for in the period; follow-ups and alarms of the line are left out. "
    "Times run from the request, nights and weekends included. Promise kept: the first try, talk or closing "
    "came by then; of those due or kept, without duplicates, tests and cancelled ones. "
    "Not reached: closed after several tries, of all closed. Late now: open, past the promise, nobody tried."
)
ALARMS = "Texts with such words; items from texts, calls and replies. A person: staff spoke with them."
CALLS = "Calls of patients that began in the period and are over. Each ended in the first way that fits."
LINE = (
    "A day of texts: all texts of one number on one day. Without staff: an answer of the clinic was sent, "
    "and no item of that number was open then or within 24 hours. Asked again: items of a patient whose "
    "last item had been closed within the 72 hours before, of all items with a number."
)
TEXTS = "As the line understood them; texts that alarm stand under their alarm only."
REMINDERS = (
    "Those that went in the period and arrived, as far as known; a second try counts too. "
    "Silence: no answer within 48 hours. Answered: of those answered or silent. "
    "The bar shows the answers in the order of the columns."
)
DELIVERY = "Messages of all kinds that were handed to the carrier in the period, as they stand now."
CONSENT = "From the ledger, each number once. Wrong numbers: told by text, or recorded after a call back."
RECORDED = "Recorded by staff, or by the line when tries were used up, in the period."


def outcome(key: str) -> str:
    """An outcome in words."""
    return said(OUTCOMES, key)


def error(code: int | None) -> str:
    """What an error code of the carrier means."""
    return REFUSALS[meaning_of(code)] if code else ""


def lasting(seconds: float) -> str:
    """``24 s``, ``3 min 20 s``, ``4 h 10 min``, ``2 days 3 h``."""
    whole = round(seconds)
    for unit, name, below, below_name in (
        (DAY, "days", HOUR, "h"),
        (HOUR, "h", MINUTE, "min"),
        (MINUTE, "min", 1, "s"),
    ):
        if whole >= unit:
            big, rest = divmod(whole, unit)
            small = rest // below
            words = f"{big} {name}".replace("1 days", "1 day") if big == 1 else f"{big} {name}"
            return f"{words} {small} {below_name}" if small else words
    return f"{whole} s"
