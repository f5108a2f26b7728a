"""Twilio's error codes and what each means for a message of ours.

Codes from Twilio's error dictionary; its documentation warns that codes change, so whatever is not
listed counts as a plain failure that is shown to staff and never retried.
"""

from __future__ import annotations

from nurseline.outcomes import RefusalClass

OPTED_OUT = 21610

_BY_CLASS: dict[RefusalClass, tuple[int, ...]] = {
    "opted_out": (OPTED_OUT,),
    # This recipient cannot be texted: invalid, not reachable, not a mobile, landline, blocked.
    "recipient": (21211, 21214, 21217, 21612, 21614, 30004, 30005, 30006),
    # Our account, number or registration: a person must look.
    "configuration": (
        20003,
        20005,
        20404,
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
    ),
    # These words cannot go as they are.
    "content": (21602, 21617, 30007),
    # The handset or the carrier could not take it now.
    "later": (21611, 30001, 30003, 30008, 30017, 30022, 30023, 30027, 14107),
}
_CLASS_OF: dict[int, RefusalClass] = {code: name for name, codes in _BY_CLASS.items() for code in codes}


def meaning_of(code: int) -> RefusalClass:
    """What kind of refusal a Twilio error code is; ``unlisted`` for codes we do not know."""
    return _CLASS_OF.get(code, "unlisted")
