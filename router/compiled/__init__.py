"""Compiled forms of what every draft is judged by, where they were built; the plain functions say what they do, and serve without them."""

from collections.abc import Callable
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar, cast

Function = TypeVar("Function", bound=Callable[..., Any])
PLAIN: dict[str, Callable[..., Any]] = {}
"""Every function that has a compiled form, as it is written in Python, by module and name."""


def sources(folder: Path) -> str:
    """The digest of what is compiled; it stands in `sources.sha256` beside what was built of it."""
    return sha256(b"".join(path.read_bytes() for path in sorted([*folder.glob("*.pyx"), *folder.glob("*.pxd")]))).hexdigest()


def _fresh(folder: Path) -> bool:
    """What was built of other sources than these would say something else than the functions that it stands for."""
    told = folder / "sources.sha256"
    return told.exists() and told.read_text(encoding="ascii") == sources(folder)


_FRESH = _fresh(Path(__file__).parent)


def built(name: str) -> ModuleType | None:
    """The compiled module of this name; `None` where nothing compiled it, or it was another version that did."""
    try:
        return None if not _FRESH else import_module(f"router.compiled.{name}")
    except ImportError:
        return None


def compiled(name: str) -> Callable[[Function], Function]:
    """In place of a function its compiled form, from the module `name` of this package, where there is one."""
    module = built(name)

    def chosen(plain: Function) -> Function:
        PLAIN[f"{name}.{plain.__name__}"] = plain
        return plain if module is None else cast(Function, getattr(module, plain.__name__))

    return chosen
