"""Opt-outs in any reasonable wording, and what only looks like one."""

import pytest

from nurseline.language import understand


@pytest.mark.parametrize(
    "text",
    [
        "STOP",
        "stop.",
        "STOP. Thank you",
        "stop please",
        "S.T.O.P.",
        "s t o p",
        "stoppp",
        "unsuscribe",
        "please stop texting me",
        "take me off ur list",
        "lose my number",
        "I revoke my consent to these messages",
        "dont text me anymore",
        "no more texts please",
        "i no longer want to receive these",
        "who is this stop texting me",
        "how do i stop these messages",
        "leave me alone",
        "stop, my pain is gone",
        "ya no me manden mensajes",
        "no me escriban mas",
        "denme de baja",
        "quiten mi numero de su lista",
        "dejen de mandarme textos",
        "no quiero recibir mensajes",
        "alto",
        "stop mandando mensajes",
        "no more mensajes",
    ],
)
def test_any_reasonable_wording_opts_out(text: str) -> None:
    meaning = understand(text)
    assert (meaning.tier, meaning.topic) == ("none", "stop")
    assert meaning.evidence[0].rule.startswith("opt-out")


@pytest.mark.parametrize(
    "text",
    [
        "the pain wont stop",
        "should i stop my aspirin",
        "cancel my appointment",
        "can i stop by the office",
        "please dont stop the reminders",
        "when does it stop hurting",
        "what happens if i reply stop",
        "nobody called me",
        "stop taking ibuprofen before?",
        "take me off the schedule for monday",
        "dont call me at work call my cell",
        "el dolor no para",
        "cancelar mi cita",
        "no me han llamado",
        "debo parar la aspirina",
        "no me llamaron ayer",
    ],
)
def test_what_only_looks_like_an_opt_out_is_none(text: str) -> None:
    meaning = understand(text)
    assert "stop" not in (meaning.topic, meaning.second_topic)


@pytest.mark.parametrize(
    "text",
    [
        "STOP. I already saw the doctor on Monday and the botox worked",
        "who is this? STOP",
        "cant come tuesday, need to move my appt, and stop texting me",
        "my throat is closing and stop texting me",
    ],
)
def test_a_plain_wish_counts_whatever_stands_beside_it(text: str) -> None:
    meaning = understand(text)
    assert "stop" in (meaning.topic, meaning.second_topic)


def test_a_wish_in_words_that_no_rule_knows_is_heard() -> None:
    meaning = understand("pull the plug on these little pings would you")
    assert meaning.topic == "stop"
    assert meaning.evidence[0].rule == "opt-out-model"


@pytest.mark.parametrize("text", ["yes", "si", "ok", "yes please"])
def test_a_bare_yes_is_never_an_opt_in(text: str) -> None:
    assert understand(text).topic != "start"


@pytest.mark.parametrize(
    "text", ["START", "unstop", "sign me back up", "quiero recibir los mensajes otra vez"]
)
def test_asking_for_messages_again_opts_in(text: str) -> None:
    assert understand(text).topic == "start"


@pytest.mark.parametrize(
    "text",
    [
        "\U0001f6d1",
        "\U0001f6d1 texting me",
        "if you keep texting me i will sue",
        "si me siguen escribiendo los voy a demandar",
        "mi mama ya no quiere que le lleguen estos mensajes",
        "cesen los envios a este celular",
        "no quiero mas mensajes",
        "unsubscrib pls",
    ],
)
def test_a_sign_a_threat_and_a_word_for_somebody_else_opt_out(text: str) -> None:
    assert understand(text, language="en").topic == "stop"


@pytest.mark.parametrize(
    "text",
    [
        "thanks \U0001f6d1",
        "i never said stop, keep em coming",
        "take me off tuesday and put me on wednesday",
        "i want this ache to end already",
        "how do i use these texts",
        "activen los mensajes de nuevo",
        "can u send my records to my lawyer",
    ],
)
def test_moving_a_visit_asking_how_it_works_and_wanting_it_back_are_no_opt_outs(text: str) -> None:
    assert understand(text, language="en").topic != "stop"
