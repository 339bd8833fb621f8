"""How well the arguments of the calls rest on the words of the request, and what of the request they leave over."""

import math
import re
from collections.abc import Iterator, Sequence

from router.calibration.asked import Asked
from router.calibration.offer import Parameter
from router.calibration.reading import Call, leaves
from router.calibration.words import NUMBER, NUMERALS, QUOTED, STOP, number, numbers, shape, stems, words

_NEXT = re.compile(r"\s+([^\W_]+)")
_BEFORE = re.compile(r"([^\W_]+)\s+$")
_NAMES = re.compile(r"(?<=[a-z,0-9] )[A-Z][\w'\u2019-]+")
NAN = math.nan
GROUNDING_FEATURES = (
    "strings",
    "strings_exact",
    "strings_anywhere",
    "strings_words",
    "strings_words_least",
    "strings_invented",
    "strings_longest",
    "strings_cut",
    "strings_repeated",
    "figures",
    "figures_exact",
    "figures_near",
    "figures_invented",
    "figures_fraction",
    "figures_largest",
    "formats_alike",
    "formats_unlike",
    "optional_invented",
    "left_words",
    "left_share",
    "left_undescribed",
    "left_numbers",
    "left_names",
    "left_quotes",
    "used_words",
)


def grounding_features(known: Asked, calls: Sequence[Call]) -> dict[str, float]:
    """Named features; NaN where there is no argument of the kind."""
    values = [leaf for call in calls for leaf in leaves(call.arguments)]
    texts = [value for value in values if isinstance(value, str) and value]
    figures = [float(value) for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    said = [words(text) for text in texts]
    used = stems(word for found in said for word in found)
    return _strings(known, texts, said) | _figures(known, figures) | _formats(known, calls) | _left_over(known, calls, texts, used, figures)


def _strings(known: Asked, texts: list[str], said: list[list[str]]) -> dict[str, float]:
    if not texts:
        return {}
    exact = [text.casefold() in known.last for text in texts]
    anywhere = [own or text.casefold() in known.text for own, text in zip(exact, texts, strict=True)]
    partly = [_share(found, known) for found in said]
    return {
        "strings": float(len(texts)),
        "strings_exact": sum(exact) / len(texts),
        "strings_anywhere": sum(anywhere) / len(texts),
        "strings_words": sum(partly) / len(texts),
        "strings_words_least": min(partly),
        "strings_invented": float(sum(not part for part in partly)),
        "strings_longest": math.log1p(max(map(len, texts))),
        "strings_cut": float(sum(_cut(text.casefold(), known, said) for text, found in zip(texts, exact, strict=True) if found)),
        "strings_repeated": float(len(texts) - len(set(texts))),
    }


def _share(found: list[str], known: Asked) -> float:
    telling = stems(found) or frozenset(word[:6] for word in found)
    return len(telling & known.all_stems) / len(telling) if telling else 0.0


def _cut(text: str, known: Asked, said: list[list[str]]) -> bool:
    """Whether the value goes on in the request: the next or the previous word tells something and stands in no other value."""
    start = known.last.find(text)
    after, before = _NEXT.match(known.last, start + len(text)), _BEFORE.search(known.last, max(0, start - 40), start)
    neighbours = [match.group(1) for match in (after, before) if match]
    return any(word not in STOP and len(word) > 2 and not any(word in found for found in said) for word in neighbours)


def _figures(known: Asked, figures: list[float]) -> dict[str, float]:
    if not figures:
        return {}
    exact = sum(figure in known.numbers for figure in figures)
    near = sum(figure in known.all_numbers or figure * 100 in known.all_numbers or figure / 100 in known.all_numbers for figure in figures)
    return {
        "figures": float(len(figures)),
        "figures_exact": exact / len(figures),
        "figures_near": near / len(figures),
        "figures_invented": float(len(figures) - near),
        "figures_fraction": float(sum(figure != int(figure) for figure in figures if math.isfinite(figure))),
        "figures_largest": math.log1p(min(max(map(abs, figures)), 1e12)),
    }


def _formats(known: Asked, calls: Sequence[Call]) -> dict[str, float]:
    """Values beside the examples quoted in the parameters' descriptions (`'YYYY-MM-DD'`, `'City, State'`)."""
    pairs = [(shape(value), parameter.shapes) for parameter, value in _pairs(known, calls) if isinstance(value, str) and parameter.shapes]
    invented = sum(_optional_invented(parameter, value, known) for parameter, value in _pairs(known, calls))
    alike = sum(form in shapes for form, shapes in pairs)
    return {
        "formats_alike": alike / len(pairs) if pairs else NAN,
        "formats_unlike": float(len(pairs) - alike),
        "optional_invented": float(invented),
    }


def _pairs(known: Asked, calls: Sequence[Call]) -> Iterator[tuple[Parameter, object]]:
    for call in calls:
        function = known.offer.functions.get(call.name)
        for name, value in call.arguments.items():
            if function is not None and name in function.parameters:
                yield function.parameters[name], value


def _optional_invented(parameter: Parameter, value: object, known: Asked) -> bool:
    if parameter.required or isinstance(value, bool | dict | list):
        return False
    if isinstance(value, int | float):
        return float(value) not in known.all_numbers
    return isinstance(value, str) and value.casefold() not in known.text and not stems(words(value)) & known.all_stems


def _left_over(known: Asked, calls: Sequence[Call], texts: list[str], used: frozenset[str], figures: list[float]) -> dict[str, float]:
    """Words, names and numbers of the request that nothing in the calls accounts for."""
    functions = [known.offer.functions[name] for name in {call.name for call in calls} if name in known.offer.functions]
    named = frozenset[str]().union(*(function.stems for function in functions))
    described = frozenset[str]().union(*(function.described for function in functions))
    arguments = frozenset[str]().union(*(p.stems for f in functions for p in f.parameters.values()))
    rest = known.stems - used - named
    values = "\n".join(texts).casefold()
    given = frozenset(figures) | numbers(values, [word for word in NUMERALS if word in values])
    written = frozenset(map(number, NUMBER.findall(known.last)))
    names = {name.casefold() for name in _NAMES.findall(known.original)}
    quoted = {text.casefold() for text in QUOTED.findall(known.original)}
    return {
        "left_words": float(len(rest)),
        "left_share": len(rest) / max(len(known.stems), 1),
        "left_undescribed": float(len(rest - described - arguments)),
        "left_numbers": float(len(written - given)),
        "left_names": float(sum(name not in values for name in names)),
        "left_quotes": float(sum(text not in values for text in quoted)),
        "used_words": float(len(used & known.stems)),
    }
