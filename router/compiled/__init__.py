"""Compiled forms of what every draft is judged by, where they were built; the plain functions say what they do, and serve without them."""

from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any, TypeVar, cast

Function = TypeVar("Function", bound=Callable[..., Any])
PLAIN: dict[str, Callable[..., Any]] = {}
"""Every function that has a compiled form, as it is written in Python, by module and name."""


def built(name: str) -> ModuleType | None:
    """The compiled module of this name; `None` where nothing compiled it."""
    try:
        return import_module(f"router.compiled.{name}")
    except ImportError:
        return None


def compiled(name: str) -> Callable[[Function], Function]:
    """In place of a function its compiled form, from the module `name` of this package, where there is one."""
    module = built(name)

    def chosen(plain: Function) -> Function:
        PLAIN[f"{name}.{plain.__name__}"] = plain
        return plain if module is None else cast(Function, getattr(module, plain.__name__))

    return chosen
