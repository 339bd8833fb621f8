"""How well the arguments of the calls rest on the words of the request, and what of the request they leave over."""

import math
import re
from collections.abc import Iterator, Sequence

from router.calibration.asked import Asked
from router.calibration.offer import Parameter
from router.calibration.reading import Call, leaves
from router.calibration.words import SPELLED, STOP, digits, figure, number, shape, spoken, stems, words
from router.compiled import compiled

_NEXT = re.compile(r"\s+([^\W_]+)")
_FIGURES = (int, float)
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


@compiled("grounding")
def grounding_features(known: Asked, calls: Sequence[Call]) -> dict[str, float]:
    """Named features; NaN where there is no argument of the kind."""
    values = [leaf for call in calls for leaf in leaves(call.arguments)]
    texts = [value for value in values if isinstance(value, str) and value]
    lowered = [text.casefold() for text in texts]
    figures = [figure(value) for value in values if isinstance(value, _FIGURES) and not isinstance(value, bool)]
    said = [spoken(text) for text in lowered]
    all_said = frozenset([word for one in said for word in one])
    found = _left_over(known, calls, lowered, stems(all_said), figures)
    if texts:
        found |= _strings(known, lowered, said, all_said)
        found["strings_longest"], found["strings_repeated"] = math.log1p(max(map(len, texts))), float(len(texts) - len(set(texts)))
    if figures:
        found |= _figures(known, figures)
    return found | _formats(known, calls)


def _strings(known: Asked, texts: list[str], said: list[list[str]], all_said: frozenset[str]) -> dict[str, float]:
    exact = [text for text in texts if text in known.last]
    anywhere = sum([text in known.text for text in texts]) if len(exact) < len(texts) else len(texts)
    partly = [_share(one, known) for one in said]
    return {
        "strings": float(len(texts)),
        "strings_exact": len(exact) / len(texts),
        "strings_anywhere": anywhere / len(texts),
        "strings_words": sum(partly) / len(texts),
        "strings_words_least": min(partly),
        "strings_invented": float(partly.count(0.0)),
        "strings_cut": float(sum([_cut(text, known, all_said) for text in exact])),
    }


def _share(found: list[str], known: Asked) -> float:
    telling = stems(found) or frozenset([word[:6] for word in found])
    return len(telling & known.all_stems) / len(telling) if telling else 0.0


def _cut(text: str, known: Asked, all_said: frozenset[str]) -> bool:
    """Whether the value goes on in the request: the next or the previous word tells something and is not said in any value."""
    start = known.last.find(text)
    after, before = _NEXT.match(known.last, start + len(text)), _NEXT.match(known.last[max(0, start - 40) : start][::-1])
    return _goes_on(after[1] if after else "", all_said) or _goes_on(before[1][::-1] if before else "", all_said)


def _goes_on(word: str, all_said: frozenset[str]) -> bool:
    return len(word) > 2 and word not in STOP and word not in all_said


def _figures(known: Asked, figures: list[float]) -> dict[str, float]:
    exact = sum([figure in known.numbers for figure in figures])
    near = sum(
        [figure in known.all_numbers or figure * 100 in known.all_numbers or figure / 100 in known.all_numbers for figure in figures]
    )
    return {
        "figures": float(len(figures)),
        "figures_exact": exact / len(figures),
        "figures_near": near / len(figures),
        "figures_invented": float(len(figures) - near),
        "figures_fraction": float(sum([figure != int(figure) for figure in figures if math.isfinite(figure)])),
        "figures_largest": math.log1p(min(max(map(abs, figures)), 1e12)),
    }


def _formats(known: Asked, calls: Sequence[Call]) -> dict[str, float]:
    """Values beside the examples quoted in the parameters' descriptions (`'YYYY-MM-DD'`, `'City, State'`)."""
    given = list(_pairs(known, calls))
    pairs = [(shape(value), parameter.shapes) for parameter, value in given if parameter.shapes and isinstance(value, str)]
    invented = sum([_invented(value, known) for parameter, value in given if not parameter.required])
    alike = sum([form in shapes for form, shapes in pairs])
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


def _invented(value: object, known: Asked) -> bool:
    if isinstance(value, bool):
        return False
    if isinstance(value, _FIGURES):
        return figure(value) not in known.all_numbers
    return isinstance(value, str) and value.casefold() not in known.text and not stems(words(value)) & known.all_stems


def _left_over(known: Asked, calls: Sequence[Call], texts: list[str], used: frozenset[str], figures: list[float]) -> dict[str, float]:
    """Words, names and numbers of the request that nothing in the calls accounts for; `texts` are lower-cased."""
    offered = known.offer.functions
    functions = [offered[name] for name in {call.name for call in calls} if name in offered]
    rest = (known.stems - used).difference(*[function.stems for function in functions])
    undescribed = rest.difference(*[function.described for function in functions], *[function.arguments for function in functions])
    values = "\n".join(texts)
    missed = known.written.difference(figures, map(number, digits(values))) if known.written else ()
    return {
        "left_words": float(len(rest)),
        "left_share": len(rest) / max(len(known.stems), 1),
        "left_undescribed": float(len(undescribed)),
        "left_numbers": float(sum([not any(word in values for word in SPELLED.get(one, ())) for one in missed])),
        "left_names": float(sum([name not in values for name in known.names])),
        "left_quotes": float(sum([text not in values for text in {quoted.casefold() for quoted in known.quotes}])),
        "used_words": float(len(used & known.stems)),
    }
