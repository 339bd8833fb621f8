"""Features are named, finite or absent, computed by one code path, and never identify a request."""

import json
import math
import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.calibration.answered import answer_features
from router.calibration.asked import request_features
from router.calibration.features import FEATURES, answered_grams, features, grams, vector
from router.contract import choice as choice_contract
from router.contract import tools as tools_contract
from router.types import Alternative, Choice, Contract, Draft, GenerationRequest, Message, Part, Token, Tool

ALARM = Tool(
    "set_alarm",
    {
        "type": "object",
        "properties": {
            "time": {"type": "string", "description": "like '07:30'"},
            "label": {"type": "string", "description": "Default is 'alarm'."},
            "volume": {"type": "integer", "default": 5},
        },
        "required": ["time"],
    },
    "Set an alarm clock",
)
WEATHER = Tool("get_weather", {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}, "Weather of a city")
CONTRACT = tools_contract((ALARM, WEATHER))


def draft(text: str, *calls: tuple[str, dict[str, object]], message: str | None = None, tokens: tuple[Token, ...] = ()) -> Draft:
    request = GenerationRequest("r", "auto", (Message("user", (Part("text", text),)),), CONTRACT)
    body = {"message": message} if message is not None else {"tool_calls": [{"name": name, "arguments": given} for name, given in calls]}
    return Draft(request, "small", Choice(json.dumps(body, separators=(",", ":")), "stop", tokens))


def one(text: str, *calls: tuple[str, dict[str, object]], message: str | None = None) -> dict[str, float]:
    return features(draft(text, *calls, message=message))


GOOD = one("wake me at 07:30 please", ("set_alarm", {"time": "07:30"}))


def test_every_feature_has_a_declared_name() -> None:
    top = (Alternative("a", -0.1), Alternative("b", -2.5))
    choice = choice_contract(("a", "b"))
    picked = Draft(replace(draft("x").request, contract=choice), "small", Choice("a", "stop", (Token("a", -0.1, -0.2, True, top),)))
    sampled = replace(
        draft("x", ("set_alarm", {"time": "1"})), samples=(Choice('{"tool_calls":[{"name":"set_alarm","arguments":{}}]}', "stop"),)
    )
    seen = GOOD.keys() | one("x", message="no").keys() | features(picked).keys() | features(sampled).keys()
    assert seen <= set(FEATURES)
    unseen = {name for name in FEATURES if not name.startswith(("option_", "figures", "head_"))} - seen
    assert not unseen


@pytest.mark.parametrize(
    ("found", "name", "expected"),
    [
        (GOOD, "violations", 0.0),
        (GOOD, "strings_exact", 1.0),
        (GOOD, "formats_alike", 1.0),
        (one("wake me", ("set_alarm", {"time": "09:00"})), "strings_invented", 1.0),
        (one("wake me", ("set_alarm", {"volume": 7})), "missing_arguments", 1.0),
        (one("wake me", ("set_alarm", {"time": "07:30", "tone": "x"})), "unknown_arguments", 1.0),
        (one("wake me", ("set_alarm", {"time": 7})), "wrong_types", 1.0),
        (one("wake me", ("set_alarm", {"time": "07:30", "volume": 5})), "defaults_repeated", 1.0),
        (one("wake me", ("set_alarm", {"time": "07:30", "label": "alarm"})), "defaults_repeated", 1.0),
        (one("wake me", ("ring", {})), "unknown_names", 1.0),
        (one("wake me and tell the weather in Rome", ("set_alarm", {"time": "7"})), "calls_expected", -1.0),
        (one("wake me at 7 not 8", ("set_alarm", {"time": "7"})), "left_numbers", 1.0),
        (one("weather for New York", ("get_weather", {"city": "York"})), "strings_cut", 1.0),
        (one("sing a song", message="Sorry, no function does that."), "message_refusal", 2.0),
        (one("sing a song", message="[sing()]"), "message_code", 1.0),
    ],
)
def test_what_is_wrong_with_an_answer_shows(found: dict[str, float], name: str, expected: float) -> None:
    assert found[name] == expected


def test_everything_works_without_log_probabilities_and_says_nothing_of_them() -> None:
    assert not any(name.startswith(("logprob", "margin", "entropy", "removed")) for name in GOOD)


def test_the_options_of_a_choice_show_by_their_place() -> None:
    contract = choice_contract(("yes", "no"))
    top = (Alternative("no", math.log(0.7)), Alternative("yes", math.log(0.3)))
    token = Token("no", math.log(0.7), top=top)
    found = features(Draft(replace(draft("really?").request, contract=contract), "small", Choice("no", "stop", (token,))))
    assert found["option_0"] == pytest.approx(math.log(0.3))
    assert found["option_chosen"] == 1.0
    assert found["option_rank_0"] == pytest.approx(math.log(0.7))


def test_the_words_of_a_request_are_cut_into_singles_and_pairs_of_the_last_user_message() -> None:
    request = draft("Set an Alarm").request
    assert set(grams(request)) == {"set", "an", "alarm", "<s> set", "set an", "an alarm"}


def test_what_was_answered_stands_beside_the_words() -> None:
    assert "=set_alarm alarm" in answered_grams(draft("an alarm", ("set_alarm", {"time": "7"})))
    prose = replace(draft("an alarm").request, contract=Contract())
    assert answered_grams(Draft(prose, "small", Choice("yes", "stop"))) == grams(prose)


@pytest.mark.parametrize(
    "text",
    [
        """<tool_call>\n{"arguments": {'time': '07:30'}, "name": "set_alarm"}\n</tool_call>""",
        """[{"name": "set_alarm", "parameters": {"time": "07:30"}}]""",
        """{"tool_calls": [{'name': 'set_alarm', 'arguments': {'time': '07:30', 'label': null}}]}""",
    ],
)
def test_calls_that_were_written_as_text_are_salvaged_for_the_features_only(text: str) -> None:
    found = one("wake me at 07:30", message=text)
    assert (found["salvaged"], found["no_call"], found["calls"], found["unknown_names"]) == (1.0, 1.0, 1.0, 0.0)
    assert found["strings_exact"] == 1.0


@pytest.mark.parametrize("text", ["[1, 2", "{" * 3000, "<tool_call>__import__('os')</tool_call>", "[]", "<tool_call>{}"])
def test_text_that_holds_no_call_is_only_a_message(text: str) -> None:
    assert one("hello", message=text)["salvaged"] == 0.0


def test_a_name_that_differs_only_in_marks_is_the_function_offered() -> None:
    dotted = replace(ALARM, name="clock.set_alarm")
    given = draft("wake me at 07:30", ("clock_set_alarm", {"time": "07:30"}))
    found = features(replace(given, request=replace(given.request, contract=Contract("tools", "t", tools=(dotted, WEATHER)))))
    assert (found["unknown_names"], found["arguments"], found["strings_exact"]) == (0.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("ours", "theirs", "name"),
    [
        ({"time": "07:30"}, {"time": "19:45"}, "disputed_ours"),
        ({"time": "19:45"}, {"time": "07:30"}, "disputed_theirs"),
        ({"time": "19:45"}, {"time": "20:45"}, "disputed_neither"),
        ({"time": "at 07:30 sharp"}, {"time": "07:30"}, "disputed_longer"),
        ({"time": "07"}, {"time": "07:30"}, "disputed_shorter"),
        ({"time": "07:30", "volume": 9}, {"time": "07:30"}, "added_unsaid"),
        ({"time": "07:30"}, {"time": "07:30", "label": "bread"}, "missing_said"),
    ],
)
def test_the_request_takes_a_side_where_two_answers_differ(ours: dict[str, object], theirs: dict[str, object], name: str) -> None:
    sample = draft("x", ("set_alarm", theirs)).choice
    found = features(replace(draft("bread alarm at 07:30", ("set_alarm", ours)), samples=(sample,)))
    assert found[name] == 1.0
    assert found["agreement_exact"] == 0.0


def test_two_answers_without_a_call_agree_however_they_say_it() -> None:
    sample = draft("x", message="There is no function for this, I am afraid.").choice
    assert features(replace(draft("x", message="[]"), samples=(sample,)))["agreement_exact"] == 1.0


def test_neither_id_nor_group_nor_route_changes_a_feature() -> None:
    given = draft("wake me at 07:30", ("set_alarm", {"time": "07:30"}))
    other = replace(given, tier="other", request=replace(given.request, id="zzz", route="x", metadata=(("group", "g"),)))
    assert features(given) == features(other)


def test_a_vector_has_nan_where_a_feature_is_absent() -> None:
    values = vector({"words": 2.0}, ("words", "calls"))
    assert values[0] == 2.0
    assert math.isnan(values[1])


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=200), st.text(max_size=200), st.sampled_from(["none", "tools", "json_schema", "choice", "json_object", "regex"]))
def test_no_answer_and_no_request_breaks_the_features(asked: str, said: str, kind: str) -> None:
    contract = {"none": Contract(), "tools": CONTRACT, "json_schema": Contract("json_schema", '{"type":"object"}', {"type": "object"})}.get(
        kind, Contract(kind, "", choices=("a",))  # type: ignore[arg-type]
    )  # fmt: skip
    request = GenerationRequest("r", "auto", (Message("user", (Part("text", asked),)),), contract)
    found = request_features(request) | answer_features(Draft(request, "small", Choice(said, "length")))
    assert set(found) <= set(FEATURES)
    assert not any(math.isinf(value) for value in found.values())


def test_features_cost_little_on_the_hot_path() -> None:
    """A coarse guard (the measured figure is far lower): a slow machine must not fail it, a quadratic mistake must."""
    drafts = [draft(f"wake me at 07:{minute} and call Ann", ("set_alarm", {"time": f"07:{minute}"})) for minute in range(10, 60)]
    features(drafts[0])
    began = time.process_time()
    for single in drafts:
        features(single)
    assert (time.process_time() - began) / len(drafts) < 0.003
