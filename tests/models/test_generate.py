"""The generator is deterministic, keeps its splits apart and labels rightly."""

import json
from itertools import islice
from random import Random

import pytest

from models.examples import Example
from models.forms import UNITS_OF_TIME, united_duration, worked_time
from models.generate import echo, examples, practice, same_answer
from models.grammar import ARGUMENTS, OPTIONAL, Slot, Split, lines, own_lines, parse
from models.requests import COPIED, copied
from models.slots import Context, render

SPLITS: tuple[Split, ...] = ("train", "calibration", "test")


def some(split: Split, count: int = 400, seed: int = 1) -> list[Example]:
    return list(islice(practice(seed, 0.4) if split == "train" else examples(split, seed), count))


def test_the_same_seed_gives_the_same_examples() -> None:
    assert some("train") == some("train")
    assert some("train", 20) != some("train", 20, seed=2)


def test_no_text_of_a_split_is_in_another() -> None:
    texts = [{example.messages[-1].content.lower() for example in some(split)} for split in SPLITS]
    assert not texts[0] & texts[1]
    assert not texts[0] & texts[2]
    assert not texts[1] & texts[2]


def test_lines_are_held_out() -> None:
    own = [own_lines("set_alarm", split) for split in SPLITS]
    assert sorted(line for part in own for line in part) == sorted(lines("phrases", "set_alarm"))
    assert 0.68 < len(own[0]) / len(lines("phrases", "set_alarm")) < 0.84


@pytest.mark.parametrize("split", SPLITS)
def test_calls_are_complete_offered_and_copied_from_the_text(split: Split) -> None:
    for example in some(split):
        for call in json.loads(example.answer).get("tool_calls", []) if example.functions else []:
            name, arguments = call["name"], call["arguments"]
            required = [key for key in ARGUMENTS[name] if (name, key) not in OPTIONAL]
            assert name in example.functions
            assert set(required) <= set(arguments) <= set(ARGUMENTS[name])
            assert [key for key in ARGUMENTS[name] if key in arguments] == list(arguments)
            assert all(value in example.messages[-1].content for value in copied([(name, arguments)]))


def test_easy_and_hard_shares() -> None:
    kinds = [example.hard for example in islice(examples("train", 3), 2000)]
    assert 0.36 < sum(kinds) / len(kinds) < 0.44


def test_every_template_line_sets_what_its_function_needs() -> None:
    for name in ARGUMENTS:
        for line in lines("phrases", name):
            template = parse(line, name)
            (_, arguments), *_ = render(template, Context(Random(line), "test")).calls
            assert {key for key in ARGUMENTS[name] if (name, key) not in OPTIONAL} <= set(arguments), line


def test_worked_values() -> None:
    context = Context(Random(4), "train")
    assert {united_duration(context, Slot("duration", "")).value for _ in range(400)} >= {2, 30, 120, 720}
    assert all(0 <= int(str(worked_time(context, Slot("time", "")).value)[:2]) < 24 for _ in range(400))
    assert all(0 <= minutes <= 1440 for minutes in UNITS_OF_TIME.values())


def test_echo_copies() -> None:
    for example in islice(echo(1), 100):
        said = json.loads(example.answer)
        assert all(text in example.messages[-1].content for text in (said if isinstance(said, list) else [said]))


def test_same_answer_compares_meaning() -> None:
    one = '{"tool_calls":[{"name":"a","arguments":{"x":5}},{"name":"b","arguments":{}}]}'
    other = '{"tool_calls": [{"name": "b", "arguments": {}}, {"arguments": {"x": 5.0}, "name": "a"}]}'
    assert same_answer(one, other)
    assert not same_answer(one, one.replace("5", "6"))
    assert same_answer('{"message":"no"}', '{"message":"Sorry"}')
    assert not same_answer('{"message":"no"}', one)
    assert same_answer("Hello!", "Hello!")
    assert not same_answer("Hello!", '{"x":1}')
    assert set(COPIED) <= set(ARGUMENTS)
