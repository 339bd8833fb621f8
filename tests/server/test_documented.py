"""Every key of the configuration is named in the docs or in a shipped, annotated configuration."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel

from server.config import Settings

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "deploy" / "config").glob("*.yaml"))
DOUBLE = {"replies"}
"""Of the test double among the engines."""


def models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from models(part)


def keys(model: type[BaseModel], seen: set[type[BaseModel]]) -> Iterator[str]:
    seen.add(model)
    for name, field in model.model_fields.items():
        yield name
        for below in models(field.annotation):
            if below not in seen:
                yield from keys(below, seen)


def test_every_key_of_the_configuration_is_documented() -> None:
    told = set(re.findall(r"\w+", "\n".join(page.read_text() for page in PAGES)))
    known = set(keys(Settings, set()))
    assert len(known) > 100
    assert known - told - DOUBLE == set()
