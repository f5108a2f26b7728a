"""Faults for a run: switched, counted, repeated from their seed; and the ledger a run is judged by."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from twilio.base.exceptions import TwilioRestException

from nurseline.devphone.fault_plan import KINDS, read_plan
from nurseline.devphone.faults import Faults
from nurseline.devphone.settings import SettingsError, from_environment

EVERYTHING = dict.fromkeys(KINDS, 0.05)
ONE_PORT = set(KINDS) - {"unreachable"}


def fates(seed, order):
    """What becomes of messages, whichever comes first."""
    faults = Faults(read_plan({**EVERYTHING, "too_many": 0, "seed": seed}))
    found = {}
    for n in order:
        fate = faults.of_create("message", {"To": f"+1202555{n:04d}", "Body": "reminder"})
        report = faults.of_callback(f"message|+1202555{n:04d}|reminder|sent", final=False)
        refused = getattr(fate.refused, "status", fate.refused)
        found[n] = (refused, fate.after, fate.seconds, fate.early, fate.list_lag, report)
    return found, faults.counts()


def test_the_same_seed_strikes_the_same_messages_in_any_order():
    assert fates(7, range(2000)) == fates(7, reversed(range(2000)))
    assert fates(7, range(2000)) != fates(8, range(2000))


def test_each_fault_strikes_as_often_as_asked():
    _, counts = fates(7, range(4000))
    accepted = 4000 * 0.95**2
    for name, of in [("refuse", 4000), ("error_before", 4000 * 0.95), ("error_after", accepted),
                     ("slow", accepted), ("list_lag", accepted), ("callback_early", accepted),
                     ("callback_lost", 4000)]:  # fmt: skip
        assert of * 0.03 < counts[name] < of * 0.07, name


def test_a_second_try_is_decided_anew():
    faults = Faults(read_plan({"refuse": 0.5, "seed": 1}))
    form = {"To": "+12025550123", "Body": "x"}
    assert {faults.of_create("message", form).refused for _ in range(40)} == {"reset", None}


def test_a_run_can_be_repeated_through_many_connections(phone):
    def outcome(n):
        try:
            return phone.client.messages.create(
                to=f"+1202555{n:04d}", from_=phone.number, body="reminder"
            ).status
        except TwilioRestException as error:
            return error.status
        except requests.exceptions.ConnectionError:
            return "gone"

    plan = {"seed": 5, "refuse": 0.1, "error_before": 0.1, "error_after": 0.1, "drop_after": 0.1}
    seen = []
    for _ in range(2):
        phone.fails(**plan)
        with ThreadPoolExecutor(8) as pool:
            seen.append((list(pool.map(outcome, range(60))), phone.struck()))
    assert seen[0] == seen[1]
    outcomes, struck = seen[0]
    assert {"queued", 500, 503, "gone"} == set(outcomes)
    assert sum(struck.values()) == 60 - outcomes.count("queued")
    # Two runs of sixty, without what never arrived.
    never = struck["refuse"] + struck["error_before"]
    assert len(phone.ledger()[1]) == 2 * (60 - never)


def test_ended_faults_strike_no_more_and_their_counts_stay(phone):
    given = phone.fails(error_before={"p": 1, "status": 500}, seed=3)
    assert given["faults"] == {"seed": 3, "latency": 0.0, "error_before": {"p": 1, "status": 500}}
    with pytest.raises(TwilioRestException):
        phone.send()
    ended = requests.delete(f"{phone.url}/phone/api/faults", timeout=10).json()
    assert ended == {"faults": {}, "struck": {"error_before": 1}, "creates": 1}
    phone.send()
    assert phone.get("/faults") == ended
    assert phone.fails(slow=0)["struck"] == {"slow": 0}


def test_faults_leave_the_control_interface_and_the_health_check_alone(phone):
    phone.fails(**{**dict.fromkeys(ONE_PORT, 1), "latency": 5})
    assert requests.get(f"{phone.url}/healthz", timeout=2).status_code == 200
    assert requests.get(f"{phone.url}/phone/api/messages", timeout=2).json()["messages"] == []


def test_latency_is_the_least_time_of_an_answer(phone):
    phone.fails(latency=0.3)
    url = f"{phone.url}/2010-04-01/Accounts/{phone.exchange.settings.account_sid}/Messages.json"
    auth = (phone.exchange.settings.account_sid, phone.exchange.settings.auth_token)
    answer = requests.get(url, auth=auth, timeout=10)
    assert answer.elapsed.total_seconds() >= 0.3


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([], "JSON object"),
        ({"colour": 1}, "'colour' is not known"),
        ({"refuse": 2}, "refuse must be a number from 0 to 1"),
        ({"refuse": -0.1}, "refuse must be"),
        ({"refuse": True}, "refuse must be"),
        ({"refuse": "often"}, "refuse must be"),
        ({"refuse": None}, "refuse must be"),
        ({"refuse": {}}, "refuse takes a probability"),
        ({"refuse": {"p": 1, "seconds": 1}}, "refuse takes a probability"),
        ({"slow": {"p": 1, "seconds": 601}}, "slow seconds must be a number from 0 to 600"),
        ({"too_many": {"p": 1, "in_a_row": 1.5}}, "in_a_row must be"),
        ({"error_before": {"p": 1, "status": 404}}, "status must be a number from 500"),
        ({"webhook_twice": {"p": 1, "at_once": 3}}, "true or false"),
        ({"seed": 1.5}, "seed must be a whole number"),
        ({"latency": 61}, "latency must be"),
        ({"latency": float("nan")}, "latency must be"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused_and_the_old_one_stays(phone, given, says):
    phone.fails(slow=0.5)
    answer = requests.put(
        f"{phone.url}/phone/api/faults", json.dumps(given), headers={"Content-Type": "application/json"},
        timeout=10,
    )  # fmt: skip
    assert answer.status_code == 400
    assert says in answer.json()["error"]
    assert phone.get("/faults")["faults"]["slow"]["p"] == 0.5


# The environment


ENVIRONMENT = {
    "DEVPHONE_PORT": "9999", "DEVPHONE_LINE_URL": "http://127.0.0.1:9", "DEVPHONE_NUMBER": "+12015550123",
    "DEVPHONE_STATE": "state", "TWILIO_ACCOUNT_SID": "AC" + "0" * 32, "TWILIO_AUTH_TOKEN": "secret",
}  # fmt: skip


def test_faults_and_a_ledger_in_memory_can_be_set_by_the_environment():
    found = from_environment(
        {**ENVIRONMENT, "DEVPHONE_FAULTS": '{"seed": 9, "refuse": 0.5}', "DEVPHONE_LEDGER": "memory"}
    )
    assert (found.faults.seed, found.faults.rules["refuse"].p, found.database) == (9, 0.5, None)
    assert from_environment(ENVIRONMENT).faults.rules == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DEVPHONE_FAULTS", "{"),
        ("DEVPHONE_FAULTS", '{"nothing": 1}'),
        ("DEVPHONE_LEDGER", "paper"),
        ("DEVPHONE_API_PORT", "eighty"),
        ("DEVPHONE_FAULTS", '{"unreachable": 0.1}'),
    ],
)
def test_a_wrong_setting_of_a_run_is_named(name, value):
    with pytest.raises(SettingsError, match=name):
        from_environment({**ENVIRONMENT, name: value})


# The ledger


def fill(phone, line, count):
    for n in range(count):
        phone.exchange.texting.store.add(
            direction="outbound-api",
            sender=phone.number,
            recipient=f"+1202555{n % 10000:04d}",
            body="reminder",
            status="delivered",
            status_callback=f"{line.url}/status?ref={n % 1200}#rc=1",
        )


def test_the_ledger_holds_every_message_and_shows_what_was_sent_twice(phone, line):
    fill(phone, line, 1203)
    phone.exchange.texting.store.add(
        direction="outbound-reply", sender=None, recipient="+12025550123", body="x", status="sent"
    )
    phone.text("inbound")
    counts, messages = phone.ledger()
    assert counts == {
        "inbound": {"received": 1}, "outbound-api": {"delivered": 1203}, "outbound-reply": {"sent": 1},
    }  # fmt: skip
    assert len(messages) == len({message["sid"] for message in messages}) == 1203
    assert set(messages[0]) == {"ref", "to", "sid", "status", "created"}
    seen = [message["ref"] for message in messages]
    assert sorted(ref for ref in set(seen) if seen.count(ref) > 1) == ["0", "1", "2"]


def test_all_messages_can_be_paged_through(phone, line):
    fill(phone, line, 2100)
    sids, since = [], 0
    while page := phone.get("/messages", since=since)["messages"]:
        sids += [message["sid"] for message in page]
        since = page[-1]["rev"]
    assert len(sids) == len(set(sids)) == 2100
