"""The entries that the rest of the house relies on."""

from typing import Final

REMINDERS: Final = frozenset({"reminder.day1", "reminder.day3", "reminder.week1"})
"""The aftercare messages after 24 hours, 72 hours and one week."""

STAFF_REPLY: Final = "staff.reply."
"""Begins the ids of the ready replies that staff can text."""

WITHOUT_LIMIT: Final = frozenset({"consent.wording"})
"""Read out or shown by staff, never texted."""

TELL_THE_RULES: Final = REMINDERS | {
    "welcome",
    "help",
    "optin.confirmed",
    "optout.confirmed",
    "consent.wording",
    "by_text",
}
"""Entries that must tell about STOP, START or HELP."""

_ANSWERS: Final = (
    "answer.what answer.conditions answer.expect answer.recovery answer.onset answer.duration "
    "answer.risks answer.suitability"
)
_MENUS: Final = (
    "menu menu.aftercare menu.about followup followup.more followup.symptoms offer_second thanks "
    "language.changed language.not_available"
)
_PERSON: Final = (
    "schedule.ask_time schedule.done schedule.already nurse.done nurse.already closed clinical "
    "admin admin.address admin.done admin.already promise_late unreached"
)
_REPAIR: Final = (
    "not_understood unsure unsure_one offer_person offer_person.again no_pictures "
    "failure.stored failure.unstored wrong_number"
)
_SAFETY: Final = (
    "emergency emergency.both crisis urgent alert.emergency alert.late alert.nobody alert.refused "
    "alert.due alert.unclaimed alert.off_shift alert.decide alert.shift"
)
_REMINDER_REPLIES: Final = "reminder.well reminder.question reminder.worse reminder.unclear"
_VOICE: Final = (
    "voice.emergency_first voice.greeting voice.language voice.menu voice.menu.aftercare voice.menu.about "
    "voice.followup voice.followup.symptoms voice.anything_else voice.silence.1 voice.silence.2 "
    "voice.silence.3 voice.callback_recorded voice.ask_number voice.number_bad voice.number_confirm "
    "voice.no_number voice.urgent_first voice.goodbye voice.followup.text voice.followup.symptoms.text "
    "voice.anything_else.record voice.connecting voice.nobody_free voice.text_consent voice.text_sent "
    "voice.still_connecting voice.open_request voice.whisper voice.record_consent voice.record_now "
    "voice.record_done voice.record_empty voice.followup.more voice.followup.more.text voice.followup.rest "
    "voice.menu.after_nurse voice.for_a_nurse voice.one_moment voice.confirm_stop voice.confirm_wrong "
    "voice.confirm_start"
)
_CALLING_BACK: Final = (
    "voice.callback.ready voice.callback.calling voice.callback.number voice.callback.emergency "
    "voice.callback.urgent voice.callback.clinical voice.callback.nurse voice.callback.schedule "
    "voice.callback.admin voice.callback.no_answer voice.callback.busy voice.callback.failed "
    "voice.callback.ended voice.callback.over"
)
_STAFF_TEXTS: Final = "staff.opening staff.emergency"
_REMINDER_CALL: Final = "voice.please_call voice.press_one"

REQUIRED_IDS: Final = TELL_THE_RULES.union(
    *(
        group.split()
        for group in (
            *(_ANSWERS, _MENUS, _PERSON, _REPAIR, _SAFETY, _REMINDER_REPLIES, _VOICE, _REMINDER_CALL),
            _CALLING_BACK,
            _STAFF_TEXTS,
        )
    )
)
