"""Features of the answer itself: its form, the functions called, and how well it rests on the request."""

import math
from collections.abc import Mapping

from router.calibration.asked import Asked, asked
from router.calibration.grounding import grounding_features
from router.calibration.offer import Offered
from router.calibration.reading import Reading, normal, read
from router.calibration.words import QUOTED, REFUSAL, stems, words
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


def answer_features(draft: Draft, known: Asked | None = None) -> dict[str, float]:
    """Named features of the draft's answer; NaN where a feature has no meaning for it."""
    known, reading = known or asked(draft.request), read(draft.request.contract, draft.choice)
    form = _form(draft, reading)
    if reading.message is not None:
        form |= _message_features(known, reading.message)
    if not reading.calls:
        return form
    return form | _call_features(known, reading) | _argument_features(known, reading) | grounding_features(known, reading.calls)


def _form(draft: Draft, reading: Reading) -> dict[str, float]:
    choice = draft.choice
    return {
        "parsed": float(reading.parsed),
        "violations": _violations(draft),
        "cut_off": float(choice.finish_reason == "length"),
        "calls": float(len(reading.calls)),
        "no_call": float(reading.message is not None or not reading.calls),
        "salvaged": float(reading.message is not None and bool(reading.calls)),
        "answer_chars": math.log1p(len(choice.text)),
        "answer_tokens": math.log1p(len(choice.tokens)) if choice.tokens else NAN,
        "repairs": float(draft.repairs),
    }


def _violations(draft: Draft) -> float:
    """How often the answer breaks the contract; NaN where a recorded schema does not compile."""
    try:
        return float(len(check(draft.request.contract, draft.choice)))
    except (SmallfirstError, ValueError):
        return NAN


def _message_features(known: Asked, text: str) -> dict[str, float]:
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


def _call_features(known: Asked, reading: Reading) -> dict[str, float]:
    names = [call.name for call in reading.calls]
    offered = known.overlaps
    overlaps = [offered.get(name, 0.0) for name in names]
    others = max((overlap for name, overlap in offered.items() if name not in names), default=0.0)
    unlike = len({(call.name, normal(call.arguments)) for call in reading.calls})
    tools = known.offer.functions
    named = [len(known.stems & tools[name].stems) / max(len(tools[name].stems), 1) for name in names if name in tools]
    return {
        "unknown_names": float(sum(name not in tools for name in names)),
        "distinct_names": float(len(set(names))),
        "repeated_calls": float(len(names) - unlike),
        "calls_expected": len(names) - 1.0 - known.conjunctions,
        "calls_quotes": len(names) - float(len(QUOTED.findall(known.original))),
        "unused_tools": float(len(offered) - len(set(names))),
        "overlap_called": min(overlaps, default=NAN),
        "overlap_over_rest": min(overlaps, default=NAN) - others,
        "name_in_request": min(named, default=NAN),
    }


def _argument_features(known: Asked, reading: Reading) -> dict[str, float]:
    checks = [
        _checked(call.arguments, known.offer.functions[call.name], known) for call in reading.calls if call.name in known.offer.functions
    ]
    if not checks:
        return {}
    totals = {name: math.fsum(check[name] for check in checks) for name in checks[0]}
    filled, optional = totals.pop("filled"), totals.pop("optional")
    return totals | {"optional_filled": filled / optional if optional else NAN, "arguments": totals["arguments"] / len(checks)}


def _checked(arguments: Mapping[str, object], function: Offered, known: Asked) -> dict[str, float]:
    """Counts of what is wrong or telling in the arguments of one call."""
    parameters = function.parameters
    given = [(parameters[name], value) for name, value in arguments.items() if name in parameters]
    absent = [parameter for name, parameter in parameters.items() if name not in arguments]
    return {
        "arguments": float(len(arguments)),
        "unknown_arguments": float(len(arguments) - len(given)),
        "missing_arguments": float(sum(parameter.required for parameter in absent)),
        "wrong_types": float(sum(not _typed(value, parameter.types) for parameter, value in given)),
        "not_in_enum": float(
            sum(bool(parameter.enum) and not isinstance(value, list) and repr(value) not in parameter.enum for parameter, value in given)
        ),
        "defaults_repeated": float(sum(parameter.is_default(normal(value)) for parameter, value in given)),
        "empty_values": float(sum(value in ("", [], {}, None) for _, value in given)),
        "absent_mentioned": max((len(parameter.stems & known.stems) for parameter in absent if not parameter.required), default=0.0) * 1.0,
        "filled": float(sum(not parameter.required for parameter, _ in given)),
        "optional": float(sum(not parameter.required for parameter in parameters.values())),
        "booleans": float(sum(isinstance(value, bool) for _, value in given)),
        "nested": float(sum(isinstance(value, dict | list) for _, value in given)),
    }


def _typed(value: object, types: tuple[type, ...]) -> bool:
    if not types:
        return True
    if isinstance(value, bool):
        return bool in types
    return isinstance(value, types)
