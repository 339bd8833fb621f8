"""Whether the values of an answer stand in what the model was given: an invented name, number, date or quotation defers."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from fnmatch import fnmatchcase
from itertools import pairwise
from typing import Annotated, ClassVar, Literal, cast

from pydantic import Field

from router.calibration.offer import offer
from router.calibration.reading import Call, Reading, normal, read
from router.calibration.words import NUMBER, NUMERALS, RELATIVE, figure, number, numbers, stems, words
from router.contract import answer
from router.registry import verifiers
from router.types import Contract, Draft, Evidence, GenerationRequest, Ruling, Schema, Verdict, Violation

_QUOTED = re.compile(r"[\"“«]([^\"“”«»]{3,400})[\"”»]")
_LISTED = re.compile(r"(?m)^\s*\d+[.)]\s")
_DATE = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ].*)?")
_SUFFIXED = re.compile(r"(\d+(?:[.,]\d+)*)\s?(k|thousand|m|million|bn|billion)\b")
_CLOCK = re.compile(r"\b(\d{1,2})(?::(\d{2}))?\s?([ap])\.?m\b")
_SCALE = {"k": 1e3, "thousand": 1e3, "m": 1e6, "million": 1e6, "bn": 1e9, "billion": 1e9}
_FACTORS = (
    (re.compile(r"%|\bpercent|\bhalf\b|\bquarter\b"), (100.0, 0.01)),
    (re.compile(r"\b\d*\s?(?:h|hrs?|hours?|mins?|minutes?|secs?|seconds?)\b"), (60.0, 1 / 60, 3600.0, 1 / 3600)),
    (re.compile(r"\b\d*\s?(?:km|kg|ms|kilo\w*|milli(?!on)\w*)\b"), (1000.0, 0.001)),
)
"""Conversions that a request leaves to the model, each where its words are used."""
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DEEPEST = 64


@dataclass(frozen=True, slots=True)
class Given:
    """What the model was given, made comparable: text with single spaces in lower case, stems, numbers by value."""

    text: str
    stems: frozenset[str]
    numbers: frozenset[float]
    factors: tuple[float, ...]
    relative: bool


@verifiers.register("grounded")
@dataclass(frozen=True, slots=True)
class GroundedVerifier:
    """Accepts values that come from the request, defers those that do not; the reason names paths or places, never a value.

    `arguments` are patterns of `function.argument` to check (`send_mail.to`, `*.city`, of a JSON answer `.city`), by default every string
    whose schema leaves it free and every number; `exempt` ones are not checked. `words` is the share of a text's telling words that must
    have been given. In prose `quotations` and `numbers` are checked. `context: system` takes only system and tool messages for given.
    `repair` lets the tier try once more, told which values were not.
    """

    kind: ClassVar[str] = "grounded"
    arguments: tuple[str, ...] = ()
    exempt: tuple[str, ...] = ()
    context: Literal["messages", "system"] = "messages"
    words: Annotated[float, Field(gt=0, le=1)] = 1.0
    numbers: bool = True
    quotations: bool = True
    repair: bool = False

    @property
    def needs(self) -> Evidence:
        """Nothing beyond the text."""
        return Evidence.NONE

    async def judge(self, draft: Draft) -> Verdict:
        """Never raises: an answer that cannot be read, or a context without any text, is `UNABLE`."""
        reading = _read(draft)
        if not reading.parsed:
            return Verdict(self.kind, Ruling.UNABLE, "unreadable")
        given = self._given(draft.request)
        said = reading.message if reading.message is not None else _beside(draft)
        found = [] if said is None else list(self._said(said))
        found += self._called(draft.request, reading.calls) if reading.message is None else ()
        if not found:
            return Verdict(self.kind, Ruling.NOT_APPLICABLE, "nothing_to_check")
        if not given.text:
            return Verdict(self.kind, Ruling.UNABLE, "no_context")
        invented = [path for path, value in found if not self._stands(value, given)]
        if not invented:
            return Verdict(self.kind, Ruling.ACCEPT, f"{len(found)} found")
        listed = tuple(Violation(path, "stands nowhere in what was given") for path in invented[:16])
        return Verdict(self.kind, Ruling.DEFER, ", ".join(invented[:4]), violations=listed, repairable=self.repair)

    def _given(self, request: GenerationRequest) -> Given:
        roles = ("system", "developer", "tool") if self.context == "system" else ("system", "developer", "user", "assistant", "tool")
        text = plain("\n".join(message.text for message in request.messages if message.role in roles))
        found = words(text)
        factors = (1.0, *(factor for cue, known in _FACTORS if cue.search(text) for factor in known))
        return Given(
            text, stems(found) | {word[:6] for word in found}, _numbers(text, found), factors, bool(RELATIVE.count(text, frozenset(found)))
        )

    def _called(self, request: GenerationRequest, calls: Sequence[Call]) -> Iterator[tuple[str, str | float]]:
        contract = request.contract
        schemas = {tool.name: tool.parameters for tool in contract.tools} | {"": (contract.form or contract).schema or {}}
        for index, call in enumerate(calls):
            path = f"/tool_calls/{index}/arguments" if call.name else "/message" if contract.tools else ""
            root = schemas.get(call.name) or {}
            for name, value in call.arguments.items():
                label = f"{call.name}.{name}"
                chosen = any(fnmatchcase(label, pattern) for pattern in self.arguments)
                left_out = any(fnmatchcase(label, pattern) for pattern in self.exempt) or _default(request.contract, call.name, name, value)
                if (chosen or not self.arguments) and not left_out:
                    yield from self._leaves(value, _inner(root, root, name), root, f"{path}/{name}", chosen)

    def _leaves(self, value: object, schema: Schema, root: Schema, path: str, chosen: bool) -> Iterator[tuple[str, str | float]]:
        """Strings and numbers below a value; unless chosen by name only those that the schema leaves free and that are no default."""
        if path.count("/") > _DEEPEST:
            return
        if isinstance(value, dict):
            for name, inner in value.items():
                yield from self._leaves(inner, _inner(schema, root, name), root, f"{path}/{name}", chosen)
        elif isinstance(value, list):
            for index, inner in enumerate(value):
                yield from self._leaves(inner, _inner(schema, root, None), root, f"{path}/{index}", chosen)
        elif isinstance(value, bool) or value is None or value == "" or not (chosen or _free(schema, root, value)):
            return
        elif isinstance(value, str):
            yield path, value
        elif isinstance(value, int | float) and self.numbers:
            yield path, figure(value)

    def _said(self, text: str) -> Iterator[tuple[str, str | float]]:
        """Quotations and numbers of prose by their place, `start:end` in characters."""
        quoted = list(_QUOTED.finditer(text)) if self.quotations else []
        for found in quoted:
            yield f"quotation {found.start(1)}:{found.end(1)}", found.group(1)
        if self.numbers:
            skipped = [found.span() for found in (*quoted, *_LISTED.finditer(text))]
            for found in NUMBER.finditer(text):
                if not any(start <= found.start() < end for start, end in skipped):
                    yield f"number {found.start()}:{found.end()}", number(found.group())

    def _stands(self, value: str | float, given: Given) -> bool:
        if isinstance(value, float):
            return _derivable(value, given)
        text = plain(value)
        if text in given.text or _dated(text, given):
            return True
        found = words(text)
        telling = [word for word in found if stems([word])] or found
        if not telling:
            return False
        stand = sum(_numeral(word, given) if word[0].isdigit() else word[:6] in given.stems for word in telling)
        return stand / len(telling) >= self.words


def _read(draft: Draft) -> Reading:
    """The answer taken apart; a message that must be JSON is read as such, not as prose."""
    contract = draft.request.contract
    reading = read(contract, draft.choice)
    if contract.form is None or reading.message is None or not reading.parsed:
        return reading
    return read(contract.form, replace(draft.choice, text=reading.message))


def _beside(draft: Draft) -> str | None:
    """The words that stand beside calls."""
    contract = draft.request.contract
    return answer(contract, draft.choice).content if contract.kind == "tools" and contract.form is None else None


def plain(text: str) -> str:
    """Lower case, single spaces, straight quotation marks."""
    return " ".join(text.casefold().replace("’", "'").replace("‘", "'").split())  # noqa: RUF001  # the marks that are meant


def _numbers(text: str, found: list[str]) -> frozenset[float]:
    """By value: digits, number words, 5k, 3 million, 5 pm as 17."""
    scaled = {number(digits) * _SCALE[unit] for digits, unit in _SUFFIXED.findall(text)}
    hours = {float(hour) % 12 + (12 if half == "p" else 0) for hour, _, half in _CLOCK.findall(text)}
    named = {NUMERALS[one] * NUMERALS[other] for one, other in pairwise(found) if one in NUMERALS and _scale(other)}
    joined = {NUMERALS[one] + NUMERALS[other] for one, other in pairwise(found) if _tens(one) and _units(other)}
    return numbers(text, found) | scaled | hours | named | joined


def _scale(word: str) -> bool:
    return NUMERALS.get(word, 0) >= 100


def _tens(word: str) -> bool:
    return word in NUMERALS and 20 <= NUMERALS[word] < 100 and NUMERALS[word] % 10 == 0


def _units(word: str) -> bool:
    return word in NUMERALS and 1 <= NUMERALS[word] < 10


def _numeral(word: str, given: Given) -> bool:
    """`5pm` and `10km` as their digits."""
    digits = NUMBER.match(word)
    return word in given.text or (digits is not None and _derivable(number(digits.group()), given))


def _derivable(value: float, given: Given) -> bool:
    return any(abs(abs(value) - one * factor) <= 1e-9 * max(1.0, abs(value)) for one in given.numbers for factor in given.factors)


def _dated(text: str, given: Given) -> bool:
    """A date of the ISO form whose day and month were given in any form, or which only relative words can have meant."""
    match = _DATE.fullmatch(text)
    if match is None:
        return False
    try:
        day = date(*(int(part) for part in match.groups()))
    except ValueError:
        return False
    named = _MONTHS[day.month - 1]
    month = day.month in given.numbers or re.search(rf"\b{named}", given.text) is not None
    ordinal = re.search(rf"\b0?{day.day}(?:st|nd|rd|th)?\b", given.text) is not None
    return (month and ordinal) or given.relative


def _inner(schema: Schema, root: Schema, name: str | None) -> Schema:
    """The schema of a property (or of the items), as far as it is said plainly; an empty one says nothing."""
    for arm in _arms(schema, root):
        below = arm.get("items") if name is None else _mapping(arm.get("properties")).get(name, arm.get("additionalProperties"))
        if isinstance(below, Mapping):
            return below
    return {}


def _arms(schema: Schema, root: Schema, steps: int = 8) -> Iterator[Schema]:
    """The schema itself, what it refers to, and its alternatives."""
    yield schema
    if steps == 0:
        return
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference.startswith("#"):
        yield from _arms(_pointed(root, reference), root, steps - 1)
    for keyword in ("anyOf", "oneOf", "allOf"):
        arms = schema.get(keyword)
        for arm in arms if isinstance(arms, list | tuple) else ():
            yield from _arms(_mapping(arm), root, steps - 1)


def _pointed(root: Schema, reference: str) -> Schema:
    found: Schema = root
    for part in reference.split("/")[1:]:
        found = _mapping(found.get(part.replace("~1", "/").replace("~0", "~")))
    return found


def _mapping(value: object) -> Schema:
    return cast(Schema, value) if isinstance(value, Mapping) else {}


def _default(contract: Contract, function: str, argument: str, value: object) -> bool:
    """Whether the value is what the schema, or the words that describe it, say that leaving it out would mean ("60 minutes unless ...")."""
    known = offer(contract).functions.get(function)
    parameter = known.parameters.get(argument) if known else None
    if parameter is not None and parameter.is_default(normal(value)):
        return True
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    described = next((tool.description for tool in contract.tools if tool.name == function), "")
    return figure(value) in numbers(described, words(described))


def _free(schema: Schema, root: Schema, value: object) -> bool:
    """Whether the schema leaves the value to the model: no list of values, no pattern, not the default."""
    return not any(
        "enum" in arm or "const" in arm or "pattern" in arm or ("default" in arm and arm["default"] == value) for arm in _arms(schema, root)
    )
