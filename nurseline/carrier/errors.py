"""Twilio's error codes and what each means for a message of ours.

Codes from Twilio's error dictionary; its documentation warns that codes change, so whatever is not
listed counts as a plain failure that is shown to staff and never retried. What follows from each class
stands in `nurseline.messaging.results` (the carrier refused) and `nurseline.messaging.followups` (it took the
message and failed later).
"""

from __future__ import annotations

from nurseline.outcomes import NO_TEXTS, RefusalClass

OPTED_OUT = 21610

_BY_CLASS: dict[RefusalClass, tuple[int, ...]] = {
    "opted_out": (OPTED_OUT,),
    # This recipient cannot be texted or called: invalid, not reachable, blocked.
    "recipient": (21211, 21214, 21217, 21612, 30004, 30005),
    # Not a mobile number, or a landline: it can be called.
    "no_texts": tuple(sorted(NO_TEXTS)),
    # Our account, number or registration: a person must look.
    "configuration": (
        20003,
        20005,
        20404,
        # Of calls: our number is missing or not ours, or the account may not call there.
        13227,
        21205,
        21210,
        21213,
        21215,
        21216,
        21219,
        21212,
        21408,
        21601,
        21603,
        21604,
        21606,
        21609,
        21624,
        21703,
        21704,
        21705,
        30032,
        30033,
        30034,
        30035,
        # Scheduling at the carrier, which the line does not use.
        35111,
        35114,
        35115,
        35117,
        35118,
        35125,
    ),
    # These words cannot go as they are.
    "content": (21602, 21617, 30007),
    # The handset or the carrier could not take it now: once more, later.
    "later": (21611, 30001, 30003, 30008, 30017, 30022, 30023, 30027, 14107),
    # Never processed, always safe to ask again (Twilio error 20429).
    "now": (20429,),
    # The carrier itself does not know whether it went (30410: its provider did not answer in time).
    "ambiguous": (20500, 20503, 30410),
}
_CLASS_OF: dict[int, RefusalClass] = {code: name for name, codes in _BY_CLASS.items() for code in codes}


def meaning_of(code: int) -> RefusalClass:
    """What kind of refusal a Twilio error code is; ``unlisted`` for codes we do not know."""
    return _CLASS_OF.get(code, "unlisted")
