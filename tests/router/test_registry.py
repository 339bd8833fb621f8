"""Components by name: options checked, injected parts filled, and never taken from the configuration."""

from dataclasses import dataclass
from typing import Any

import pytest

from router.errors import ConfigError
from router.registry import Registry, resolved


def registry() -> Registry:
    found = Registry("thing", "router")

    @found.register("plain")
    @dataclass(frozen=True, slots=True)
    class Plain:
        size: int = 1

    @found.register("served")
    @dataclass(frozen=True, slots=True)
    class Served:
        services: object
        size: int = 1

        def __post_init__(self) -> None:
            if self.size > 5:
                raise ConfigError("size: too large", param="size")

    found._found = True
    return found


def test_what_a_component_declares_is_filled_and_the_rest_is_left_out() -> None:
    assert registry().build({"kind": "served"}, "at", services="S", other=1).services == "S"
    assert registry().build({"kind": "plain", "size": 2}, "at", services="S").size == 2


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"kind": "served", "services": "forged"}, "at.services"),
        ({"kind": "plain", "services": "forged"}, "at.services"),
        ({"kind": "plain", "sise": 2}, "at.sise"),
        ({"kind": "served", "size": 7}, "at.size"),
        ({"kind": "nothing"}, "at.kind"),
        ({}, "at.kind"),
    ],
)
def test_a_mistake_is_named_with_its_whole_key(options: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        registry().build(options, "at", services="S")
    assert caught.value.param == key
    assert caught.value.message.startswith(f"{key}: ")
    assert caught.value.message.count("size:") <= 1


def test_a_name_that_is_not_known_is_put_down_to_its_option() -> None:
    def find(name: str) -> str:
        raise ConfigError(f"there is no {name!r}")

    with pytest.raises(ConfigError) as caught:
        resolved("engine", find, "x")
    assert caught.value.param == "engine"
