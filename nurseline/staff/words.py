"""What staff read for the words that the rooms use among themselves."""

from __future__ import annotations

REASONS = {
    "emergency": "Emergency words",
    "urgent": "Worrying symptom",
    "clinical": "Question for a nurse",
    "nurse": "Asked for a nurse",
    "schedule": "Wants to be scheduled",
    "admin": "Office question",
}
SOURCES = {
    "text": "Text",
    "call": "Call",
    "reminder": "Reply to a reminder",
    "staff": "Staff",
    "line": "The line itself",
}
ASKED_BY = {
    "text": "Asked for by text",
    "call": "Asked for by call",
    "reminder": "Asked for in a reply to a message",
    "staff": "Put here by staff",
    "line": "Put here by the line",
}
ITEM_STATUS = {
    "new": "Waiting",
    "claimed": "Claimed",
    "calling": "Being called",
    "waiting_retry": "To be tried again",
    "snoozed": "Put off",
    "done": "Closed",
    "cancelled": "Cancelled",
}
CALL_RESULTS = {
    "connected": "Connected",
    "machine": "A mailbox answered",
    "no_answer": "No answer",
    "busy": "Busy, or declined",
    "failed": "The call could not be put through",
    "staff_no_answer": "The staff phone was not answered, so the patient was not called",
    "staff_declined": "The staff phone did not take the call, so the patient was not called",
    "staff_failed": "The staff phone could not be reached, so the patient was not called",
    "caller_gone": "Hung up before the patient answered",
    "not_started": "Could not be started, so nobody was called",
    "unknown": "Not known: the carrier said nothing about this call",
}
MESSAGE_STATUS = {
    "scheduled": "Planned",
    "claimed": "About to go",
    "sending": "Going out",
    "sent": "Sent",
    "delivered": "Delivered",
    "undelivered": "Not delivered",
    "failed": "Failed",
    "unknown": "Not known",
    "skipped": "Left out",
    "cancelled": "Cancelled",
}
STEPS = {"day1": "24 hours", "day3": "72 hours", "week1": "1 week"}
PURPOSES = {
    "reply": "Answer",
    "confirmation": "Confirmation",
    "alert": "Alarm to staff",
    "staff": "From staff",
    "notice": "About a call that was asked for",
    "reminder": "Aftercare message",
}
CONSENT = {
    "opted_in": "Agreed to messages",
    "opted_out": "Ended messages",
    "opt_in": "Agreed to messages",
    "opt_out": "Ended messages",
}
METHODS = {
    "text": "by text",
    "carrier": "through the carrier",
    "staff": "told staff",
    "key": "by a key on the phone",
    "speech": "said on the phone",
    "error_21610": "the carrier reported it",
}
TIERS = {"emergency": "Emergency words", "urgent": "Worrying symptom", "review": "To be looked at"}
AUDIT = {
    "signed_in": "Signed in",
    "signed_out": "Signed out",
    "sign_in_failed": "Gave a wrong password",
    "second_step_failed": "Gave a wrong code",
    "recovery_code_used": "Used a recovery code",
    "session_unlocked": "Unlocked the page",
    "unlock_failed": "Gave a wrong password to unlock",
    "session_ended": "Ended one session",
    "sessions_ended": "Signed out everywhere",
    "saw_item": "Opened an item",
    "saw_contact": "Opened a patient's page",
    "searched": "Searched for a patient",
    "revealed_number": "Revealed a number",
    "printed_number": "Printed a number",
    "heard_voicemail": "Heard a recorded message",
    "called_patient": "Called a patient",
    "texted_patient": "Texted a patient",
    "changed_contact": "Changed what is known about a patient",
    "wrote_note": "Wrote a note",
    "moved_message": "Moved a message",
    "stopped_messages": "Stopped planned messages",
    "ended_messages": "Ended messages for a patient",
    "decided_message": "Decided about a message",
    "enrolled_injection": "Enrolled an injection",
    "handed_in_file": "Handed in a file",
    "imported_injections": "Imported injections",
    "exported": "Exported a list",
    "exported_numbers": "Exported numbers",
    "changed_clinic": "Changed hours or telephones",
    "changed_settings": "Changed settings",
    "signed_content": "Signed an answer",
    "account_added": "Added an account",
    "account_invited": "Invited somebody",
    "invitation_taken": "Opened the invited account",
    "invitation_cancelled": "Cancelled an invitation",
    "account_enabled": "Opened an account again",
    "account_disabled": "Closed an account",
    "roles_changed": "Changed roles",
    "password_set": "Set a password",
    "phone_set": "Set a phone",
    "second_step_set": "Set up a second step",
    "second_step_reset": "Reset a second step",
    "recovery_codes_renewed": "Made new recovery codes",
}
ACTORS = {"line": "The line", "carrier": "The carrier", "patient": "The patient", "command": "A command"}
REFUSALS = {
    "recipient": "This number cannot be texted: it may be wrong, a landline, or out of service.",
    "no_texts": "This number cannot be texted: it is a landline, or no mobile phone.",
    "opted_out": "The patient has ended messages.",
    "configuration": "The clinic's account at the carrier is not set up for it. Tell who looks after it.",
    "content": "The carrier did not take these words.",
    "later": "The phone or its network could not take the message at that time.",
    "now": "The carrier turned it away because too much came at once.",
    "ambiguous": "It may have reached the patient: the carrier itself does not know.",
    "unlisted": "The carrier gave no reason that is known here.",
}


# What became of a call that was to read a reminder, by the reason it is stored with.
CALLS = {
    "busy": "The line was busy, or the call was declined.",
    "no answer": "Nobody answered the call.",
    "no person answered": "A machine answered, or nobody pressed a key. It was asked to call, nothing more.",
    "hung up before a word": "The call was answered and ended before a word was said.",
    "hung up during the words": "Somebody hung up while the words were said. They are not called again.",
    "the call could not be put through": "The carrier could not put the call through. It did not ring.",
    "the call was taken back": "The call was taken back before it was answered.",
}
CHANNELS = {"text": "By text", "call": "By call"}
ANSWERS = {
    "well": "answered: doing well",
    "question": "answered: has a question",
    "worse": "answered: feels worse",
    "words": "answered in own words",
    "silence": "no answer",
}
# Why a message cannot be sent again.
NOT_AGAIN = {
    "reply": "An answer to a text is not sent again: it would come out of nowhere.",
    "unreadable": "What it says, or the number it goes to, cannot be read.",
    "late": "It is too late for this message.",
    "ended": "The patient has ended messages, or never agreed to them.",
    "followed": "It was sent again already.",
    "too_soon": "One message a day and three a week: when this number may have another, it is too late for "
    "this one.",
    "replaced": "The patient has ended messages, a later injection has replaced this one, or its injection "
    "was called off.",
    "recipient": "This number cannot be texted.",
    "no_texts": "This number cannot be texted.",
    "opted_out": "The patient has ended messages.",
    "content": "The carrier does not take these words.",
}


# Why staff may not text a number; by what right they may.
REFUSED_TEXT = {
    "ended": "This number has ended messages, so it is not texted. Call instead. Only the patient can start "
    "messages again, by texting START.",
    "blocked": "The carrier refuses messages to this number, so it cannot be texted. Call instead.",
    "never": "This number never agreed to messages. It may only be answered: within {days} days after it "
    "wrote or called, or while a request of the patient's is open. Call instead, or enrol the patient.",
}
MAY_TEXT = {
    "agreed": "The patient agreed to messages.",
    "asked": "The patient never agreed to messages, so write only to answer what they wrote or asked.",
}


def said(words: dict[str, str], key: str | None) -> str:
    """The words for ``key``; an unknown key in readable form rather than an error."""
    if not key:
        return ""
    return words.get(key) or key.replace("_", " ").replace(".", " ").capitalize()
