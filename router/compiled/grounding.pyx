"""How the arguments of the calls rest on the request; see `router/calibration/grounding.py`, from where the rarer parts are called."""

from libc.math cimport INFINITY, NAN, isfinite, log1p

from router.compiled.texts cimport alnum, spoken_words, stop_words, told, written_numbers

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
    cdef list values = [], texts = [], figures = [], said = [], partly = []
    cdef str text, one
    for call in calls:
        _leaves(call.arguments, values)
    for value in values:
        if isinstance(value, str):
            if value:
                texts.append((<str>value).casefold())
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            figures.append(rest().figure(value))
    cdef set spoken = set()
    for text in texts:
        words = spoken_words(text)
        said.append(words)
        spoken.update(words)
    cdef dict found = _left_over(known, calls, texts, frozenset(told(spoken)), figures)
    if texts:
        _strings(found, known, texts, said, spoken)
        found["strings_longest"] = log1p(max([len(value) for value in values if isinstance(value, str)]))
        found["strings_repeated"] = float(len(texts) - len({value for value in values if isinstance(value, str) and value}))
    if figures:
        found.update(rest()._figures(known, figures))
    found.update(rest()._formats(known, calls))
    return found


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
    cdef str last = known.last, every = known.text, text
    cdef frozenset known_stems = known.all_stems
    cdef list partly = [_share(one, known_stems) for one in said]
    cdef Py_ssize_t exact = 0, anywhere = 0, cut = 0
    cdef double count = len(texts)
    for text in texts:
        if text in last:
            exact += 1
            cut += _cut(text, last, spoken)
        anywhere += text in every
    found["strings"] = count
    found["strings_exact"] = exact / count
    found["strings_anywhere"] = (anywhere if exact < len(texts) else len(texts)) / count
    found["strings_words"] = sum(partly) / count
    found["strings_words_least"] = min(partly)
    found["strings_invented"] = float(partly.count(0.0))
    found["strings_cut"] = float(cut)
    return 0


cdef object _share(list words, frozenset known):
    cdef set telling = set(told(words)) or {word[:6] for word in words}
    cdef Py_ssize_t shared = 0
    for word in telling:
        shared += word in known
    return shared / <double>len(telling) if telling else 0.0


cdef bint _cut(str text, str last, set spoken) except -1:
    """Whether the next or the previous word tells something that no value says; of what stands before forty characters are looked at."""
    cdef Py_ssize_t start = last.find(text), size = len(last), at, end, least
    at = end = start + len(text)
    while at < size and last[at].isspace():
        at += 1
    if at > end:
        end = at
        while at < size and alnum(last[at]):
            at += 1
        if _goes_on(last[end:at], spoken):
            return True
    least, at = max(0, start - 40), start
    while at > least and last[at - 1].isspace():
        at -= 1
    if at == start:
        return False
    end = at
    while at > least and alnum(last[at - 1]):
        at -= 1
    return _goes_on(last[at:end], spoken)


cdef bint _goes_on(str word, set spoken) except -1:
    return len(word) > 2 and word not in stop_words() and word not in spoken


cdef dict _left_over(known, calls, list texts, frozenset used, list figures):
    cdef dict offered = known.offer.functions
    cdef frozenset stems = known.stems
    cdef str values = "\n".join(texts), name
    cdef Py_ssize_t missing = 0, unsaid = 0, shared = 0
    cdef set rest_words = set(stems)
    for word in used:
        shared += word in stems
    rest_words.difference_update(used)
    functions = [offered[name] for name in {call.name for call in calls} if name in offered]
    for function in functions:
        rest_words.difference_update(function.stems)
    cdef set undescribed = set(rest_words)
    for function in functions:
        undescribed.difference_update(function.described)
        undescribed.difference_update(function.arguments)
    for name in known.names:
        unsaid += name not in values
    if known.written:
        missed = known.written.difference(figures, map(rest().number, written_numbers(values)))
        for one in missed:
            missing += not any([word in values for word in rest().SPELLED.get(one, ())])
    return {
        "left_words": float(len(rest_words)),
        "left_share": len(rest_words) / <double>max(len(stems), 1),
        "left_undescribed": float(len(undescribed)),
        "left_numbers": float(missing),
        "left_names": float(unsaid),
        "left_quotes": float(len([text for text in {quoted.casefold() for quoted in known.quotes} if text not in values])),
        "used_words": float(shared),
    }
