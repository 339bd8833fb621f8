"""What an engine is held to while it decodes: a contract's schema in the words of draft 2020-12, the one that engines know.

They read a schema by its keywords, not by the draft that it states: xgrammar fails on an array as `items` and on `exclusiveMinimum: true`,
llguidance on `dependencies`; and where an older draft reads nothing beside a `$ref`, or does not know a keyword, an answer is held to more
than its contract asks. Tools of several drafts would reach them as one schema of one.
"""

import json
from collections.abc import Mapping
from dataclasses import replace

from router.contract import toolcalls
from router.contract.schema import DATA, NAMED, every, validator
from router.types import Contract, Schema

_DRAFTS = {"draft-04": 4, "draft-06": 6, "draft-07": 7, "2019-09": 2019}
_SINCE = dict.fromkeys(("const", "contains", "propertyNames"), 6) | dict.fromkeys(("if", "then", "else"), 7)
_SINCE |= dict.fromkeys(("dependentRequired", "dependentSchemas", "minContains", "maxContains", "$anchor"), 2019)
_SINCE |= dict.fromkeys(("unevaluatedItems", "unevaluatedProperties"), 2019)
_SINCE |= dict.fromkeys(("prefixItems", "$dynamicRef", "$dynamicAnchor"), 2020)
"""Keywords by the draft that brought them; before it they say nothing."""
_BOUNDS = {"minimum": "exclusiveMinimum", "maximum": "exclusiveMaximum"}
_PLACES = frozenset({"$ref", "$defs", "definitions"})


def constrain(contract: Contract) -> Schema:
    """The schema to decode by: the contract's own, or what it says in newer words where it, or one of its tools, states an older draft."""
    if contract.schema is None:
        found = json.loads(contract.text or "{}")
        return found if isinstance(found, dict) else {}
    if "$schema" not in contract.schema and "$comment" not in contract.schema:
        return contract.schema
    return contract.once("constrain", _constrain)


def _constrain(contract: Contract) -> Schema:
    if contract.kind != "tools":
        return modern(contract.schema or {})
    tools = tuple(replace(tool, parameters=modern(tool.parameters)) for tool in contract.tools)
    form = None if contract.form is None else replace(contract.form, schema=modern(contract.form.schema or {}))
    return toolcalls.answer_schema(tools, contract.tool_choice.mode == "auto", contract.parallel, form)


def modern(schema: Schema) -> Schema:
    """A schema that means in draft 2020-12 what this one means in the draft that it states; itself where that cannot be said."""
    draft = next((number for name, number in _DRAFTS.items() if name in str(schema.get("$schema", ""))), None)
    if draft is None or any("$schema" in below for path, below in every(schema) if path):
        return schema
    made = {keyword: value for keyword, value in _node(schema, draft).items() if keyword != "$schema"}
    try:
        validator(json.dumps(made, ensure_ascii=False))
    except ValueError:  # a reference to a place that has another name now
        return schema
    return made


def _node(schema: Schema, draft: int) -> dict[str, object]:
    if draft <= 7 and isinstance(schema.get("$ref"), str):
        schema = {keyword: value for keyword, value in schema.items() if keyword in _PLACES}
    known = {keyword: value for keyword, value in schema.items() if _SINCE.get(keyword, 0) <= draft}
    found = {keyword: _below(keyword, value, draft) for keyword, value in known.items()}
    return _anchored(_listed(_depending(_bounded(found, draft), draft)), draft)


def _below(keyword: str, value: object, draft: int) -> object:
    if keyword in DATA:
        return value
    if isinstance(value, list):
        return [_below("", item, draft) for item in value]
    if not isinstance(value, Mapping):
        return value
    return {name: _below("", item, draft) for name, item in value.items()} if keyword in NAMED else _node(value, draft)


def _bounded(schema: dict[str, object], draft: int) -> dict[str, object]:
    """In draft 4 whether a bound is exclusive is said beside it."""
    if draft > 4:
        return schema
    for bound, exclusive in _BOUNDS.items():
        if schema.pop(exclusive, False) is True and bound in schema:
            schema[exclusive] = schema.pop(bound)
    return schema


def _depending(schema: dict[str, object], draft: int) -> dict[str, object]:
    depending = schema.pop("dependencies", None) if draft <= 7 else None
    if isinstance(depending, dict):
        names = {name: wanted for name, wanted in depending.items() if isinstance(wanted, list)}
        schema |= {"dependentRequired": names} if names else {}
        rest = {name: wanted for name, wanted in depending.items() if name not in names}
        schema |= {"dependentSchemas": rest} if rest else {}
    return schema


def _listed(schema: dict[str, object]) -> dict[str, object]:
    """An array as `items` says what stands first, `additionalItems` what follows, which else says nothing."""
    further = schema.pop("additionalItems", None)
    if isinstance(schema.get("items"), list):
        schema["prefixItems"] = schema.pop("items")
        schema |= {} if further is None else {"items": further}
    return schema


def _anchored(schema: dict[str, object], draft: int) -> dict[str, object]:
    """Up to draft 7 an identifier that is a fragment names the place."""
    key = "id" if draft == 4 else "$id"
    if draft <= 7 and isinstance(own := schema.get(key), str):
        del schema[key]
        schema["$anchor" if own.startswith("#") else "$id"] = own.removeprefix("#")
    return schema
