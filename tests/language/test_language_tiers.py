"""Each stated rule of the emergency detector, on wordings a nurse can check."""

import pytest

from nurseline.language import understand

EMERGENCIES = [
    "i cant breathe",
    "I CAN'T BREATHE",
    "cant brethe help",
    "my throat is closing up",
    "chest pain and sweating",
    "no puedo respirar",
    "se me hinchó la lengua",
    "my mom passed out after the shots",
    "one side of her face is drooping",
    "cant stop bleeding",
    "i cant feel my legs",
    "metal taste in my mouth and my ears are ringing",
    "help me me falta el aire",
    "cannot swallow since the botox",
    "stiff neck and a fever",
    "i peed myself and my legs are weak",
]
URGENT = [
    "i have a fever of 101.5",
    "there is pus coming out",
    "redness is spreading around the shot",
    "my sugar is 380 since the steroid",
    "new weakness in my hand",
    "the pain is getting worse every day",
    "tengo fiebre desde ayer",
    "me sale pus de donde me inyectaron",
    "mi azucar esta en 320",
]


@pytest.mark.parametrize("text", EMERGENCIES)
def test_a_red_flag_is_an_emergency(text: str) -> None:
    meaning = understand(text)
    assert (meaning.tier, meaning.topic) == ("emergency", "emergency")
    assert meaning.evidence


@pytest.mark.parametrize("text", URGENT)
def test_a_same_day_sign_is_urgent(text: str) -> None:
    assert understand(text).tier in ("urgent", "emergency")


@pytest.mark.parametrize(
    "text",
    [
        "i want to kill myself",
        "kms",
        "quiero matarme",
        "i took all my pills",
        "sobredosis de pastillas",
        "no reason to live",
    ],
)
def test_a_crisis_carries_a_crisis_rule(text: str) -> None:
    meaning = understand(text)
    assert meaning.tier == "emergency"
    assert any(item.rule.startswith("crisis") for item in meaning.evidence)


@pytest.mark.parametrize(
    "text",
    [
        "no chest pain",
        "i dont have any trouble breathing",
        "no fever no chest pain just sore",
        "not short of breath, not dizzy",
        "no tengo dolor de pecho",
        "sin falta de aire",
        "i had a heart attack 10 years ago",
        "history of seizures as a child",
        "what if my throat swells",
        "can it cause a stroke",
        "what are the signs of an allergic reaction",
        "me puede dar una embolia con esto",
    ],
)
def test_a_denied_past_or_general_sign_is_for_review(text: str) -> None:
    assert understand(text).tier == "review"


@pytest.mark.parametrize(
    "text", ["no fever", "sin fiebre", "no redness and no swelling", "i havent had any chills"]
)
def test_a_denied_same_day_sign_is_nothing(text: str) -> None:
    assert understand(text).tier == "none"


def test_an_emergency_that_has_passed_gets_a_nurse_the_same_day() -> None:
    assert understand("i was short of breath last night but it went away").tier == "urgent"


@pytest.mark.parametrize(
    "text",
    [
        "dying to get an appointment",
        "this traffic is killing me",
        "chest day at the gym ok?",
        "me muero de hambre",
        "almost had a heart attack when i saw the bill",
    ],
)
def test_a_figure_of_speech_is_no_alarm(text: str) -> None:
    assert understand(text).tier == "none"


@pytest.mark.parametrize(
    "text",
    [
        "no fever but hard to breathe",
        "no fever cant breathe",
        "no fever, chest pain since noon",
        "no tengo fiebre pero no puedo respirar",
        "ya no me manden mensajes que no puedo respirar",
        "i dont have a fever i have chest pain",
        "my back is killing me and i cant breathe",
        "had chest pain last year and now my chest hurts again",
        "wasnt short of breath before but now i am",
        "what if it gets worse, my throat is swelling",
        "cancel my appointment i have chest pain",
        "thanks for the text im fine except my tongue is swelling",
    ],
)
def test_a_mixed_message_stays_an_emergency(text: str) -> None:
    assert understand(text).tier == "emergency"


@pytest.mark.parametrize(
    "text",
    ["no puedo respirar", "no siento la pierna", "no para de sangrar", "cant swallow", "not breathing right"],
)
def test_a_no_that_is_part_of_the_sign_is_no_denial(text: str) -> None:
    assert understand(text).tier == "emergency"


@pytest.mark.parametrize(
    "text",
    [
        "no me sale ni gota de orina",
        "no trago ni la saliva",
        "no despierta mi papa",
        "no se mueve",
        "no habla bien",
        "no siente las piernas",
        "no me pasa la comida",
        "no se me para la sangre",
        "no puedo doblar el cuello con fiebre",
        "cant move my leg",
        "dont feel my foot",
        "not waking up",
        "isnt responding",
        "wont stop bleeding",
        "havent peed all day",
        "nothing goes down when i swallow",
        "aint got no feeling in my legs",
        "cant do nothing with my arm",
    ],
)
def test_a_sign_that_is_a_no_itself_is_heard(text: str) -> None:
    assert understand(text).tier == "emergency"


@pytest.mark.parametrize(
    "text",
    [
        "my chest hurts and the bill is too high",
        "i saw the bill and now i cant breathe",
        "my dog died and i want to die",
        "my chest is killing me",
        "the copay almost killed me and my face is swelling",
        "el precio me mato y se me hincha la lengua",
        "i always get short of breath but today its worse",
        "passed out on the couch and he wont wake up",
        "these suicide headaches make me want to end it",
        "i got stung by the bill and my lips are swelling lol",
        "having a hard time to breathe",
        "its hard for my mom to breathe",
        "cant breathe easy since the shot",
        "juice comes out my nose",
        "mi papa su corazon late raro",
        "no reason to keep living with this pain",
    ],
)
def test_a_price_or_a_joke_does_not_silence_a_true_sign(text: str) -> None:
    assert understand(text).tier == "emergency"


@pytest.mark.parametrize(
    ("text", "tier"),
    [
        ("passed out when i saw the bill", "review"),
        ("my dog had a seizure", "review"),
        ("do you treat suicide headaches", "review"),
        ("a bit out of breath on the stairs as always", "urgent"),
        ("passed out on the sofa, slept like a baby", "urgent"),
        ("had to call an ambulance for my neighbor so im late", "urgent"),
        ("cant breathe lol", "urgent"),
    ],
)
def test_a_sign_beside_a_figure_is_lowered_as_stated_and_not_silenced(text: str, tier: str) -> None:
    assert understand(text).tier == tier


@pytest.mark.parametrize(
    "text", ["it hurts more than before", "me duele mas que antes", "hurts more now than it did"]
)
def test_more_pain_than_before_is_urgent_in_both_languages(text: str) -> None:
    assert understand(text).tier == "urgent"


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("me brote toda y me siento mareada", "es"),
        ("rash and throwing up", "en"),
        ("el pescuezo tieso con calentura", "es"),
        ("cant get my food down and i choke", "en"),
        ("cantbreathe", "en"),
        ("no pued respirar", "es"),
    ],
)
def test_a_described_or_misspelt_sign_is_an_emergency(text: str, language: str) -> None:
    assert understand(text, language=language).tier == "emergency"


@pytest.mark.parametrize(
    ("previous", "text"),
    [
        ("i cant", "breathe"),
        ("my throat is", "closing up"),
        ("my chest", "hurts so bad"),
        ("no puedo", "respirar"),
    ],
)
def test_a_message_split_in_two_is_read_as_one(previous: str, text: str) -> None:
    assert understand(text, previous=previous).tier == "emergency"


def test_an_unclear_text_after_an_emergency_stays_one() -> None:
    assert understand("and now its worse hurry", previous="i cant breathe").tier in ("emergency", "urgent")


@pytest.mark.parametrize("text", ["ok thanks", "1", "stop", "can i take tylenol"])
def test_a_clear_text_after_an_emergency_is_read_by_itself(text: str) -> None:
    assert understand(text, previous="i cant breathe").tier == "none"


def test_an_opt_out_inside_an_emergency_is_not_lost() -> None:
    meaning = understand("stop texting me i cant breathe")
    assert (meaning.tier, meaning.second_topic) == ("emergency", "stop")


@pytest.mark.parametrize("text", ["i want to end it", "end it all", "ya no quiero vivir mas"])
def test_a_wish_to_end_life_is_no_opt_out(text: str) -> None:
    meaning = understand(text)
    assert (meaning.tier, meaning.second_topic) == ("emergency", None)


def test_the_evidence_gives_the_words_of_the_patient() -> None:
    meaning = understand("Since noon I Can’t   breathe!!")
    assert any("Can’t breathe" in item.words for item in meaning.evidence)


@pytest.mark.parametrize(
    "text",
    [
        "abuela no puede breathe good since the inyeccion",
        "im dying over here this is not a joke",
        "se le hincho la cara a mi nina de 21 anos",
        "i just want to die ok",
        "trubble swolling",
        "wont clot. wont clot.",
        "on plavix, holding a washcloth on it since 4, still coming",
        "muscles in my face keep twitching since the shot",
        "the dog was barking and dad had a seizure",
        "lady at work says my lips are blue",
    ],
)
def test_words_that_look_like_good_news_a_joke_or_an_age_lower_nothing(text: str) -> None:
    assert understand(text).tier == "emergency"


@pytest.mark.parametrize(
    "text",
    [
        "my car had a stroke on the highway, gotta move the appointment",
        "en la novela a la protagonista se le paraliza la cara por una inyeccion",
        "the news said people overdose on fentanyl, there is none in my shot yes?",
        "que sintomas son de cuidado, como para ir a emergencias",
        "my heart is bursting with gratitude",
    ],
)
def test_a_story_of_somebody_else_gets_no_911_words(text: str) -> None:
    assert understand(text).tier != "emergency"


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("the blue one by the garage", "en"),
        ("left side", "en"),
        ("its the purple house on the corner", "en"),
        ("the one under the bridge", "en"),
        ("i left it in the car", "en"),
        ("he went down to the store", "en"),
        ("black honda", "en"),
        ("lights out at 9", "en"),
        ("la azul junto al garaje", "es"),
        ("el lado izquierdo", "es"),
        ("el carro rojo", "es"),
        ("la casa morada de la esquina", "es"),
    ],
)
def test_an_everyday_answer_to_staff_is_no_alarm(text: str, language: str) -> None:
    assert understand(text, language=language).tier in ("none", "review")
