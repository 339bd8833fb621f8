"""The fuzzer's checks on its seeds and on small changes of them, in the suite; and every crash that it ever found."""

import json
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.checks import CHECKS, SEEDS

FOUND: list[tuple[str, bytes]] = []
"""Inputs that once broke a rule, by check."""


@pytest.mark.parametrize(("name", "data"), [*FOUND, *((name, seed) for name, seeds in SEEDS.items() for seed in seeds)])
def test_seeds_and_what_once_crashed_keep_the_rules(name: str, data: bytes) -> None:
    CHECKS[name](data)


def changed(seed: bytes, draw: random.Random) -> bytes:
    """A few bytes replaced, taken out, doubled or put in."""
    data = bytearray(seed)
    for _ in range(draw.randint(1, 4)):
        at = draw.randrange(len(data) + 1)
        match draw.randrange(4):
            case 0:
                data[at : at + draw.randint(0, 8)] = b""
            case 1:
                data[at:at] = bytes([draw.choice(b'{}[]",:0123456789\\.-eE\r\n truefalsn\x00\xff')])
            case 2:
                data[at:at] = data[at : at + draw.randint(1, 16)]
            case _:
                data[at : at + 1] = bytes([draw.randrange(256)])
    return bytes(data)


@pytest.mark.parametrize("name", CHECKS)
def test_changed_seeds_keep_the_rules(name: str) -> None:
    draw = random.Random(20261126)
    for _ in range(400):
        CHECKS[name](changed(draw.choice(SEEDS[name]), draw))


@pytest.mark.parametrize("name", CHECKS)
def test_any_bytes_keep_the_rules(name: str) -> None:
    @settings(max_examples=150, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.binary(max_size=300))
    def keeps(data: bytes) -> None:
        CHECKS[name](data)

    keeps()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=200, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(
    value=JSON,
    schema=st.dictionaries(st.sampled_from(["type", "enum", "const", "items", "properties", "required", "anyOf", "not"]), JSON, max_size=3),
)
def test_any_schema_and_any_value_keep_the_rules(value: object, schema: dict[str, object]) -> None:

    for rule in (schema, {"const": value}, {"enum": [value, 1]}, {"anyOf": [schema, {"const": value}]}):
        CHECKS["schemas"](json.dumps(rule).encode() + b"\n" + json.dumps(value).encode())
