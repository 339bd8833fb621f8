"""How the arguments of the calls rest on the request; see `router/calibration/grounding.py`, from where the rarer parts are called."""

from math import nan

from libc.math cimport floor, isfinite, log1p

from router.compiled.texts cimport (
    ALL_NUMBERS,
    ALL_STEMS,
    ARGUMENTS,
    DESCRIBED,
    FUNCTION_STEMS,
    LAST,
    NAMES,
    NEEDED,
    NUMBERS,
    OFFER,
    PARAMETERS,
    QUOTES,
    SHAPES,
    STEMS,
    TEXT,
    WRITTEN,
    field,
    number_of,
    spoken_words,
    stems_of,
    stop_words,
    told,
    written_numbers,
)

from collections.abc import Mapping

cdef object plain = None


cdef object rest():
    """The plain module, which imports this one."""
    global plain
    if plain is None:
        from router.calibration import grounding

        plain = grounding
    return plain


def grounding_features(known, calls):
    cdef dict found = {}
    of_grounding(found, known, calls)
    return found


cdef int of_grounding(dict found, known, calls) except -1:
    cdef list values = [], texts = [], figures = [], said = []
    cdef set distinct = set()
    cdef Py_ssize_t longest = 0
    cdef str text
    for call in calls:
        _leaves(call.arguments, values)
    for value in values:
        if isinstance(value, str):
            if value:
                texts.append((<str>value).casefold())
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            figures.append(_figure(value))
    cdef set spoken = set()
    for text in texts:
        words = spoken_words(text)
        said.append(words)
        spoken.update(words)
    _left_over(found, known, calls, texts, figures, stems_of(spoken))
    if texts:
        _strings(found, known, texts, said, spoken)
        for value in values:
            if isinstance(value, str) and value:
                longest = max(longest, len(<str>value))
                distinct.add(value)
        found["strings_longest"] = log1p(longest)
        found["strings_repeated"] = <double>(len(texts) - len(distinct))
    if figures:
        _figures(found, known, figures)
    _formats(found, known, calls)
    return 0


cdef object _figure(value):
    """As a float; an integer beyond every float is infinite."""
    try:
        return float(value)
    except OverflowError:
        return rest().figure(value)


cdef int _leaves(value, list found) except -1:
    """All scalars, depth first."""
    if isinstance(value, str) or value is None or isinstance(value, (int, float)):
        found.append(value)
    elif isinstance(value, dict):
        for inner in (<dict>value).values():
            _leaves(inner, found)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            _leaves(inner, found)
    elif isinstance(value, Mapping):
        for inner in value.values():
            _leaves(inner, found)
    else:
        found.append(value)
    return 0


cdef int _strings(dict found, known, list texts, list said, set spoken) except -1:
    cdef str last = field(known, LAST), every = field(known, TEXT), text
    cdef frozenset known_stems = field(known, ALL_STEMS)
    cdef list partly = []
    cdef Py_ssize_t exact = 0, anywhere = 0, cut = 0, invented = 0
    cdef double count = len(texts), share, least = 1.0
    for one in said:
        share = _share(one, known_stems)
        least = min(least, share)
        invented += share == 0.0
        partly.append(share)
    for text in texts:
        if text in last:
            exact += 1
            cut += _cut(text, last, spoken)
        anywhere += text in every
    found["strings"] = count
    found["strings_exact"] = exact / count
    found["strings_anywhere"] = (anywhere if exact < len(texts) else len(texts)) / count
    found["strings_words"] = sum(partly) / count
    found["strings_words_least"] = least
    found["strings_invented"] = <double>invented
    found["strings_cut"] = <double>cut
    return 0


cdef double _share(list words, frozenset known) except -1.0:
    cdef list telling = told(words) or [word[:6] for word in words]
    cdef Py_ssize_t shared = 0
    if len(telling) == 1:
        return 1.0 if telling[0] in known else 0.0
    cdef set distinct = set(telling)
    for word in distinct:
        shared += word in known
    return shared / <double>len(distinct) if distinct else 0.0


cdef bint _cut(str text, str last, set spoken) except -1:
    """Whether the next or the previous word tells something that no value says; of what stands before forty characters are looked at."""
    cdef Py_ssize_t start = last.find(text), size = len(last), at, end, least
    at = end = start + len(text)
    while at < size and last[at].isspace():
        at += 1
    if at > end:
        end = at
        while at < size and last[at].isalnum():
            at += 1
        if _goes_on(last[end:at], spoken):
            return True
    least, at = max(0, start - 40), start
    while at > least and last[at - 1].isspace():
        at -= 1
    if at == start:
        return False
    end = at
    while at > least and last[at - 1].isalnum():
        at -= 1
    return _goes_on(last[at:end], spoken)


cdef bint _goes_on(str word, set spoken) except -1:
    return len(word) > 2 and word not in stop_words() and word not in spoken


cdef int _left_over(dict found, known, calls, list texts, list figures, frozenset used) except -1:
    cdef dict offered = field(known, OFFER).functions
    cdef frozenset stems = field(known, STEMS)
    cdef str values = "\n".join(texts), name
    cdef set given
    cdef Py_ssize_t left = 0, undescribed = 0, missing = 0, unsaid = 0, unquoted = 0, shared = 0
    cdef list functions = [offered[name] for name in {call.name for call in calls} if name in offered]
    cdef list named = [field(function, FUNCTION_STEMS) for function in functions]
    cdef list described = [field(function, DESCRIBED) for function in functions] + [field(function, ARGUMENTS) for function in functions]
    for word in stems:
        if word in used:
            shared += 1
        elif not _in_any(word, named):
            left += 1
            undescribed += not _in_any(word, described)
    for name in field(known, NAMES):
        unsaid += name not in values
    if field(known, WRITTEN):
        given = set(figures)
        for name in written_numbers(values):
            given.add(number_of(name))
        for one in <frozenset>field(known, WRITTEN):
            if one not in given:
                missing += not any([word in values for word in rest().SPELLED.get(one, ())])
    if field(known, QUOTES):
        for name in {quoted.casefold() for quoted in field(known, QUOTES)}:
            unquoted += name not in values
    found["left_words"] = float(left)
    found["left_share"] = left / <double>max(len(stems), 1)
    found["left_undescribed"] = float(undescribed)
    found["left_numbers"] = float(missing)
    found["left_names"] = float(unsaid)
    found["left_quotes"] = float(unquoted)
    found["used_words"] = float(shared)
    return 0


cdef bint _in_any(word, list several) except -1:
    cdef frozenset one
    for one in several:
        if word in one:
            return True
    return False


cdef int _figures(dict found, known, list figures) except -1:
    cdef frozenset numbers = field(known, NUMBERS), every = field(known, ALL_NUMBERS)
    cdef Py_ssize_t exact = 0, near = 0, fractions = 0
    cdef double count = len(figures), figure, largest = 0.0
    for one in figures:
        figure = one
        exact += one in numbers
        near += one in every or figure * 100 in every or figure / 100 in every
        fractions += isfinite(figure) and floor(figure) != figure
    found["figures"] = count
    found["figures_exact"] = exact / count
    found["figures_near"] = near / count
    found["figures_invented"] = count - near
    found["figures_fraction"] = float(fractions)
    found["figures_largest"] = log1p(min(<double>max(map(abs, figures)), 1e12))
    return 0


cdef int _formats(dict found, known, calls) except -1:
    cdef dict functions = field(known, OFFER).functions, parameters
    cdef Py_ssize_t pairs = 0, alike = 0, invented = 0
    for call in calls:
        function = functions.get(call.name)
        if function is None:
            continue
        parameters = field(function, PARAMETERS)
        for name, value in call.arguments.items():
            parameter = parameters.get(name)
            if parameter is None:
                continue
            if field(parameter, SHAPES) and isinstance(value, str):
                pairs += 1
                alike += rest().shape(value) in field(parameter, SHAPES)
            if not field(parameter, NEEDED):
                invented += _invented(value, known)
    found["formats_alike"] = alike / <double>pairs if pairs else nan
    found["formats_unlike"] = float(pairs - alike)
    found["optional_invented"] = float(invented)
    return 0


cdef bint _invented(value, known) except -1:
    cdef str text
    if isinstance(value, bool):
        return False
    if isinstance(value, (int, float)):
        return _figure(value) not in field(known, ALL_NUMBERS)
    if not isinstance(value, str):
        return False
    text = value.casefold()
    return text not in field(known, TEXT) and field(known, ALL_STEMS).isdisjoint(told(spoken_words(text)))
