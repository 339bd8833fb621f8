"""The type-safe function registry: plain typed Python functions and pydantic models become tools, and judges of calls to them."""

from __future__ import annotations

import importlib
import inspect
import json
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Union, cast, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from router.contract.schema import clip, every, pointer, shown, violations
from router.errors import ConfigError
from router.types import Schema, Tool, Violation

Check = Callable[[Mapping[str, Any]], Violation | None]
"""A semantic rule over valid arguments: what is wrong, or `None`."""
DryRun = Callable[[Mapping[str, Any]], str | None]
"""Tries a call without its effects: why it would fail, or `None`. What it raises means that it cannot say."""


_BROKEN = (Exception, SystemExit)
"""What other people's code may end with: a library that gives up the process must not take the gateway with it."""


class CannotJudge(Exception):
    """A check or a dry run broke, so that nobody knows whether the call would work."""


@dataclass(frozen=True, slots=True)
class Function:
    """One callable function: what models are told of it, how its arguments are validated, what else must hold.

    `schema` is the JSON Schema (draft 2020-12) made from the annotations, `text` its JSON; `call` is the function itself, if there is one;
    `examples` are requests with the arguments that they should lead to.
    """

    name: str
    description: str
    schema: Schema
    text: str
    arguments: type[BaseModel]
    call: Callable[..., Any] | None = None
    checks: tuple[Check, ...] = ()
    dry_run: DryRun | None = None
    examples: tuple[tuple[str, Mapping[str, Any]], ...] = ()

    @property
    def tool(self) -> Tool:
        """The function as requests offer it."""
        objects = (below for _, below in every(self.schema) if below.get("type") == "object")
        return Tool(self.name, self.schema, self.description, strict=all(below.get("additionalProperties") is False for below in objects))

    def serves(self, tool: Tool) -> bool:
        """Whether a request's tool of this name takes these arguments; another one is only a namesake."""
        offered = tool.parameters.get("properties") if tool.parameters else {}
        return isinstance(offered, Mapping) and offered.keys() == cast(Schema, self.schema["properties"]).keys()

    def validate(self, arguments: object) -> tuple[Violation, ...]:
        """Everything wrong with the arguments short of trying them: types without coercion, names, then the checks; raises CannotJudge."""
        return violations(self.text, arguments) or self._mistyped(arguments) or self._senseless(cast(Mapping[str, Any], arguments))

    def _mistyped(self, arguments: object) -> tuple[Violation, ...]:
        try:
            self.arguments.model_validate_json(json.dumps(arguments), strict=True, extra="forbid")
        except ValidationError as error:
            found = error.errors(include_url=False, include_input=False, include_context=False)
            return tuple(Violation(clip(pointer(item["loc"]), 200), clip(item["msg"], 200)) for item in found[:16])
        except _BROKEN as error:
            raise CannotJudge(f"a validator of {self.name} broke: {type(error).__name__}") from error
        return ()

    def _senseless(self, arguments: Mapping[str, Any]) -> tuple[Violation, ...]:
        try:
            found = [check(arguments) for check in self.checks]
        except _BROKEN as error:
            raise CannotJudge(f"a check of {self.name} broke: {type(error).__name__}") from error
        for told in found:
            self._held(told, Violation, "a check")
        return tuple(violation for violation in found if violation is not None)

    def rehearse(self, arguments: Mapping[str, Any]) -> tuple[Violation, ...]:
        """What the function's own dry run says of valid arguments; raises CannotJudge where it breaks."""
        if self.dry_run is None:
            return ()
        try:
            complaint = self.dry_run(arguments)
        except _BROKEN as error:
            raise CannotJudge(f"the dry run of {self.name} broke: {type(error).__name__}") from error
        self._held(complaint, str, "the dry run")
        return (Violation("", clip(complaint, 200)),) if complaint else ()

    def _held(self, told: object, kind: type, who: str) -> None:
        """What a person's code says is not known to be what its annotation says."""
        if not isinstance(told, kind | None):
            raise CannotJudge(f"{who} of {self.name} gave {type(told).__name__}")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.call is None:
            raise TypeError(f"{self.name} is only described here")
        return self.call(*args, **kwargs)


def function(
    checks: tuple[Check, ...] = (),
    dry_run: DryRun | None = None,
    name: str | None = None,
    examples: tuple[tuple[str, Mapping[str, Any]], ...] = (),
) -> Callable[[Callable[..., Any]], Function]:
    """Decorate a typed function; its docstring's first paragraph is what models are told.

    A trailing underscore is no part of an argument's name (`from_`). An argument with a default is optional; `T | None = None` means
    that it may be left out, never that null may be sent. ValueError for an example whose arguments it would not take.
    """

    def made(call: Callable[..., Any]) -> Function:
        built = build(name or call.__name__, _told(call), _fields(call), call=call, checks=checks, dry_run=dry_run)
        return _shown(built, examples)

    return made


def modelled(
    model: type[BaseModel],
    *,
    name: str | None = None,
    checks: tuple[Check, ...] = (),
    dry_run: DryRun | None = None,
    examples: tuple[tuple[str, Mapping[str, Any]], ...] = (),
) -> Function:
    """A pydantic model as a function: its fields are the arguments, its validators rule on them, its docstring's first paragraph is told.

    Its name is the model's. A method `dry_run` of the model (why this call would fail, or `None`) is its dry run unless one is given.
    """
    schema = _tidied(model.model_json_schema())
    described = _told(model) if model.__doc__ else ""
    built = Function(name or model.__name__, described, schema, json.dumps(schema), model, None, checks, dry_run or _own(model))
    return _shown(built, examples)


def _own(model: type[BaseModel]) -> DryRun | None:
    rehearsed: Callable[[BaseModel], str | None] | None = getattr(model, "dry_run", None)
    return None if rehearsed is None else lambda arguments: rehearsed(model.model_validate(arguments))


def _told(described: object) -> str:
    return " ".join((inspect.getdoc(described) or "").split("\n\n")[0].split())


def _shown(built: Function, examples: tuple[tuple[str, Mapping[str, Any]], ...]) -> Function:
    for request, arguments in examples:
        if found := built.validate(arguments):
            raise ValueError(f"{built.name}: example {request!r}: {found[0].path} {found[0].message}")
    return replace(built, examples=examples)


def _fields(call: Callable[..., Any]) -> dict[str, tuple[Any, Any]]:
    """Types and defaults of the arguments by public name; TypeError for what a JSON object cannot fill."""
    hints = get_type_hints(call, include_extras=True)
    fields: dict[str, tuple[Any, Any]] = {}
    for parameter in inspect.signature(call).parameters.values():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY) or parameter.name not in hints:
            raise TypeError(f"{call.__name__}: {parameter.name} needs a name and an annotation")
        given, default = hints[parameter.name], ... if parameter.default is parameter.empty else parameter.default
        fields[parameter.name.rstrip("_")] = (_present(given) if default is None else given, default)
    return fields


def _present(annotation: Any) -> Any:
    """`T` of `T | None`."""
    if get_origin(annotation) is Annotated:
        inner, *rest = get_args(annotation)
        return Annotated[(_present(inner), *rest)]
    if get_origin(annotation) not in (Union, types.UnionType):
        return annotation
    return Union[tuple(arm for arm in get_args(annotation) if arm is not types.NoneType)]  # noqa: UP007 - built at run time


def build(
    name: str,
    description: str,
    fields: Mapping[str, tuple[Any, Any]],
    *,
    call: Callable[..., Any] | None = None,
    checks: tuple[Check, ...] = (),
    dry_run: DryRun | None = None,
) -> Function:
    """A function from its arguments by name, each with its type and its default (`...` where it must be given)."""
    fielded = [(annotation, Field(default, alias=public)) for public, (annotation, default) in fields.items()]
    members: dict[str, Any] = {f"argument_{index}": member for index, member in enumerate(fielded)}
    arguments = create_model(name, __config__=ConfigDict(extra="forbid"), **members)
    schema = _tidied(arguments.model_json_schema())
    return Function(name, description, schema, json.dumps(schema), arguments, call, checks, dry_run)


def _tidied(schema: dict[str, Any]) -> Schema:
    """Without the titles and null defaults that pydantic adds, every object closed, keywords in the order in which people write them."""
    for _, below in list(every(schema)):
        node = cast(dict[str, Any], below)
        if isinstance(node.get("title"), str):
            del node["title"]
        if "default" in node and node["default"] is None:
            del node["default"]
        if isinstance(node.get("properties"), Mapping):
            node.setdefault("additionalProperties", False)
        ordered = sorted(node.items(), key=lambda item: _rank(item[0]))
        node.clear()
        node.update(ordered)
    head = {"type": "object", "properties": schema.pop("properties", {}), "required": schema.pop("required", [])}
    return {**head, **{keyword: value for keyword, value in schema.items() if keyword != "type"}}


def _rank(keyword: str) -> int:
    """The type first, upper bounds after lower ones, words for people last."""
    if keyword == "type":
        return 0
    return 3 if keyword == "description" else 2 if keyword.startswith("max") else 1


@dataclass(frozen=True, slots=True)
class Registry:
    """The functions that can be called, by name; made once, never changed."""

    functions: Mapping[str, Function]

    @classmethod
    def of(cls, *given: Function | type[BaseModel]) -> Registry:
        """A registry in this order, of functions and of pydantic models; ValueError for two of one name."""
        functions = [one if isinstance(one, Function) else modelled(one) for one in given]
        named = {function.name: function for function in functions}
        if len(named) < len(functions):
            raise ValueError("two functions have the same name")
        return cls(types.MappingProxyType(named))

    def __iter__(self) -> Iterator[Function]:
        return iter(self.functions.values())

    def __len__(self) -> int:
        return len(self.functions)

    def __contains__(self, name: object) -> bool:
        return name in self.functions

    def tools(self, *names: str) -> tuple[Tool, ...]:
        """All functions as a request offers them, or those named, in the registry's order."""
        return tuple(function.tool for function in self if not names or function.name in names)

    def validate(self, name: str, arguments: object) -> tuple[Violation, ...]:
        """Why a call would not work: unknown name, arguments, checks, dry run; raises CannotJudge where one of these breaks."""
        if name not in self.functions:
            return (Violation("/name", f"no such function: {shown(name)}"),)
        known = self.functions[name]
        found = known.validate(arguments) or known.rehearse(cast(Mapping[str, Any], arguments))
        return tuple(Violation(f"/arguments{violation.path}", violation.message) for violation in found)


def load(path: str) -> Registry:
    """The registry (or what makes one, without arguments) at `package.module:name`; ConfigError where there is none."""
    module, _, name = path.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"functions: {path!r} cannot be imported ({error})", param="functions") from error
    registry = found if isinstance(found, Registry) or not callable(found) else found()
    if not isinstance(registry, Registry):
        raise ConfigError(f"functions: {path!r} is no registry", param="functions")
    return registry
