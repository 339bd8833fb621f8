"""Features of the answer itself: its form, the functions called, and how well it rests on the request."""

import math
from collections.abc import Mapping

from router.calibration.asked import Asked, asked, request_features
from router.calibration.doubt import token_features
from router.calibration.grounding import grounding_features
from router.calibration.offer import Offered
from router.calibration.reading import NESTED, Reading, normal, read
from router.calibration.words import REFUSAL, stems, words
from router.compiled import compiled
from router.contract import check
from router.errors import SmallfirstError
from router.types import Draft

NAN = math.nan
ANSWER_FEATURES = (
    "parsed",
    "violations",
    "cut_off",
    "calls",
    "no_call",
    "salvaged",
    "answer_chars",
    "answer_tokens",
    "repairs",
    "message_chars",
    "message_code",
    "message_brackets",
    "message_names",
    "message_question",
    "message_refusal",
    "message_echo",
    "missed_overlap",
    "unknown_names",
    "distinct_names",
    "repeated_calls",
    "calls_expected",
    "calls_quotes",
    "unused_tools",
    "overlap_called",
    "overlap_over_rest",
    "name_in_request",
    "arguments",
    "unknown_arguments",
    "missing_arguments",
    "wrong_types",
    "not_in_enum",
    "defaults_repeated",
    "empty_values",
    "absent_mentioned",
    "booleans",
    "nested",
    "optional_filled",
)


@compiled("answered")
def gathered(draft: Draft, known: Asked, reading: Reading) -> dict[str, float]:
    """Features of the request, of the answer and of its tokens."""
    return request_features(draft.request, known) | answer_features(draft, known, reading) | token_features(draft)


@compiled("answered")
def answer_features(draft: Draft, known: Asked | None = None, reading: Reading | None = None) -> dict[str, float]:
    """Named features of the draft's answer; NaN where a feature has no meaning for it; `known` and `reading` where they are at hand."""
    known, reading = known or asked(draft.request), reading or read(draft.request.contract, draft.choice)
    found = _form(draft, reading)
    if reading.message is not None:
        found |= message_features(known, reading.message)
    if reading.calls:
        found |= call_features(known, reading)
        found |= argument_features(known, reading)
        found |= grounding_features(known, reading.calls)
    return found


def _form(draft: Draft, reading: Reading) -> dict[str, float]:
    choice = draft.choice
    return {
        "parsed": float(reading.parsed),
        "violations": violations(draft),
        "cut_off": float(choice.finish_reason == "length"),
        "calls": float(len(reading.calls)),
        "no_call": float(reading.message is not None or not reading.calls),
        "salvaged": float(reading.message is not None and bool(reading.calls)),
        "answer_chars": math.log1p(len(choice.text)),
        "answer_tokens": math.log1p(len(choice.tokens)) if choice.tokens else NAN,
        "repairs": float(draft.repairs),
    }


def violations(draft: Draft) -> float:
    """How often the answer breaks the contract; NaN where a recorded schema does not compile."""
    try:
        known = draft.notes.violations
        return float(len(check(draft.request.contract, draft.choice) if known is None else known))
    except (SmallfirstError, ValueError):
        return NAN


def message_features(known: Asked, text: str) -> dict[str, float]:
    """What an answer in words looks like."""
    lowered = text.casefold()
    said = stems(words(lowered))
    return {
        "message_chars": math.log1p(len(text)),
        "message_code": float(text.lstrip()[:1] in ("[", "{", "<", "`")),
        "message_brackets": float(text.count("(") + text.count("{")),
        "message_names": float(any(name and name.casefold() in lowered for name in known.offer.functions)),
        "message_question": float(text.count("?")),
        "message_refusal": float(len(REFUSAL.findall(lowered))),
        "message_echo": len(said & known.stems) / max(len(said), 1),
        "missed_overlap": max(known.overlaps.values(), default=0.0),
    }


@compiled("answered")
def call_features(known: Asked, reading: Reading) -> dict[str, float]:
    """How many calls there are beside what the request seems to ask for, and how near their functions are to its words."""
    names = [call.name for call in reading.calls]
    distinct, tools = set(names), known.offer.functions
    called = [known.overlaps.get(name, 0.0) for name in names]
    others = [overlap for name, overlap in known.overlaps.items() if name not in distinct]
    unlike = len({(call.name, normal(call.arguments)) for call in reading.calls}) if len(names) > 1 else len(names)
    return {
        "unknown_names": float(sum([name not in tools for name in names])),
        "distinct_names": float(len(distinct)),
        "repeated_calls": float(len(names) - unlike),
        "calls_expected": len(names) - 1.0 - known.conjunctions,
        "calls_quotes": float(len(names) - len(known.quotes)),
        "unused_tools": float(len(tools) - len(distinct)),
        "overlap_called": min(called),
        "overlap_over_rest": min(called) - max(others, default=0.0),
        "name_in_request": min([known.named[name] for name in names if name in tools], default=NAN),
    }


_COUNTED = (
    *("unknown_arguments", "missing_arguments", "wrong_types", "not_in_enum", "defaults_repeated", "empty_values"),
    *("absent_mentioned", "booleans", "nested"),
)


@compiled("answered")
def argument_features(known: Asked, reading: Reading) -> dict[str, float]:
    """Counts of what is wrong or telling in the arguments of the calls."""
    tools = known.offer.functions
    calls = [(call.arguments, tools[call.name]) for call in reading.calls if call.name in tools]
    if not calls:
        return {}
    found = dict.fromkeys(_COUNTED, 0.0)
    filled = optional = 0
    for arguments, function in calls:
        absent = [parameter for name, parameter in function.parameters.items() if name not in arguments]
        needed = sum([parameter.required for parameter in absent])
        given = _count_given(found, arguments, function)
        found["missing_arguments"] += needed
        if len(absent) > needed:
            found["absent_mentioned"] += max([len(parameter.stems & known.stems) for parameter in absent if not parameter.required])
        filled += given
        optional += given + len(absent) - needed
    found["arguments"] = math.fsum([len(arguments) for arguments, _ in calls]) / len(calls)
    found["optional_filled"] = filled / optional if optional else NAN
    return found


def _count_given(found: dict[str, float], arguments: Mapping[str, object], function: Offered) -> int:
    """Add up what is wrong with the arguments given; the number of optional ones among them."""
    filled = 0
    for name, value in arguments.items():
        parameter = function.parameters.get(name)
        if parameter is None:
            found["unknown_arguments"] += 1.0
            continue
        filled += not parameter.required
        if parameter.types and not _typed(value, parameter.types):
            found["wrong_types"] += 1.0
        if parameter.enum and not isinstance(value, list) and repr(value) not in parameter.enum:
            found["not_in_enum"] += 1.0
        if parameter.defaults and parameter.is_default(normal(value)):
            found["defaults_repeated"] += 1.0
        if not value and value in ("", [], {}, None):
            found["empty_values"] += 1.0
        if isinstance(value, bool):
            found["booleans"] += 1.0
        elif isinstance(value, NESTED):
            found["nested"] += 1.0
    return filled


def _typed(value: object, types: tuple[type, ...]) -> bool:
    return bool in types if isinstance(value, bool) else isinstance(value, types)
