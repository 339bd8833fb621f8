"""Features of the tokens' log-probabilities; each function is the one of its name in `router/scores/tokens.py` or `router/calibration/doubt.py`."""

from cpython.mem cimport PyMem_Free
from cpython.ref cimport PyObject
from cpython.unicode cimport PyUnicode_DATA
from libc.math cimport INFINITY, exp, isfinite, log

from router.compiled.alternatives cimport Alternatives, Told, alternatives
from router.compiled.heads cimport exact, room

cdef extern from "Python.h":
    PyObject* PyTuple_GetItem(object, Py_ssize_t) except NULL
    bint PyUnicode_IS_ASCII(str)

cdef frozenset FORMS = frozenset({"tools", "json_schema", "json_object"})
cdef double LARGEST = 709.0
"""The exponential of more is no number; the plain function says so by an OverflowError."""


cdef inline object field(token, Py_ssize_t place):
    """Of a tuple or a named one."""
    return <object>PyTuple_GetItem(token, place)


def token_features(draft):
    cdef dict found = {}
    of_tokens(found, draft)
    return found


cdef int of_tokens(dict found, draft) except -1:
    """Features of the tokens, into those that were found already."""
    choice, contract = draft.choice, draft.request.contract
    cdef str kind = contract.kind
    cdef tuple tokens = choice.tokens
    cdef list chosen = _meaningful(kind, tokens), logprobs = _doubts(chosen)
    cdef double* numbers
    cdef double least = 0.0, first = 0.0
    if not logprobs:
        return 0
    numbers = <double*>room(2 * len(chosen) * sizeof(double))
    try:
        _of_order(found, logprobs, numbers)
        _of_alternatives(found, chosen, numbers, numbers + len(chosen))
    finally:
        PyMem_Free(numbers)
    if _taken(tokens, &least, &first):
        found["removed_max"], found["removed_first"] = _gone(least), _gone(first)
    if kind == "choice":
        from router.calibration.doubt import _options

        found.update(_options(contract, choice))
    return 0


cdef int _of_order(dict found, list logprobs, double* numbers) except -1:
    cdef list ordered = sorted(logprobs)
    cdef Py_ssize_t count = len(ordered), at, doubtful = 0
    cdef double total
    for at in range(count):
        numbers[at] = ordered[at]
        doubtful += numbers[at] < -0.7
    total = exact(numbers, count)
    found["logprob_min"] = ordered[0]
    found["logprob_second"] = ordered[1] if count > 1 else 0.0
    found["logprob_q10"] = ordered[<Py_ssize_t>(0.1 * (count - 1))]
    found["logprob_q25"] = ordered[<Py_ssize_t>(0.25 * (count - 1))]
    found["logprob_q50"] = ordered[<Py_ssize_t>(0.5 * (count - 1))]
    found["logprob_mean"] = total / <double>count
    found["logprob_sum"] = total
    found["logprob_first"] = logprobs[0]
    found["logprob_last"] = logprobs[count - 1]
    found["doubtful_tokens"] = <double>doubtful
    found["free_tokens"] = <double>count
    return 0


cdef int _of_alternatives(dict found, list tokens, double* gaps, double* spread) except -1:
    cdef Py_ssize_t between, spreading, at
    cdef double least, most
    _weigh(tokens, gaps, &between, spread, &spreading)
    if between:
        least = gaps[0]
        for at in range(1, between):
            if gaps[at] < least:
                least = gaps[at]
        found["margin_min"], found["margin_mean"] = least, exact(gaps, between) / <double>between
    if spreading:
        most = spread[0]
        for at in range(1, spreading):
            if spread[at] > most:
                most = spread[at]
        found["entropy_max"], found["entropy_mean"], found["entropy_first"] = most, exact(spread, spreading) / <double>spreading, spread[0]
    return 0


def meaningful(draft):
    return tuple(_meaningful(draft.request.contract.kind, draft.choice.tokens))


cdef list _meaningful(str kind, tuple tokens):
    if kind not in FORMS:
        return [token for token in tokens if field(token, 3) is not False]
    for token in tokens:
        if field(token, 3) is not None:
            return [token for token in tokens if field(token, 3)]
    from router.scores.tokens import _values

    return list(_values(tokens))


def doubts(tokens):
    return _doubts(tokens)


cdef list _doubts(tokens):
    cdef list found = []
    for token in tokens:
        value = field(token, 1) if field(token, 2) is None else field(token, 2)
        if value is not None and isfinite(<double>value):
            found.append(value)
    return found


def weighed(tokens):
    cdef list asked = list(tokens)
    cdef Py_ssize_t count = len(asked), between, spreading, at
    cdef double* numbers = <double*>room(2 * count * sizeof(double))
    try:
        _weigh(asked, numbers, &between, numbers + count, &spreading)
        return [numbers[at] for at in range(between)], [numbers[count + at] for at in range(spreading)]
    finally:
        PyMem_Free(numbers)


cdef int _weigh(list tokens, double* gaps, Py_ssize_t* between, double* spread, Py_ssize_t* spreading) except -1:
    """Per token the probability above the best other one, and the entropy of the alternatives: a loop over numbers without objects."""
    cdef Alternatives admitted, others
    cdef Told* told
    cdef Py_ssize_t place, size
    cdef double best, beside, total, weighted, number, weight
    cdef const char* text
    between[0] = spreading[0] = 0
    for token in tokens:
        admitted = others = alternatives(field(token, 4))
        if field(token, 5) is not field(token, 4):
            admitted = alternatives(field(token, 5))
            if not admitted.count:
                admitted = others
            elif not others.count:
                others = admitted
        held = _utf8(field(token, 0), &text, &size)
        best, beside = -INFINITY, 0.0
        if admitted.count > 1:
            total = weighted = 0.0
            told = admitted.told()
            for place in range(admitted.count):
                number = told[place].logprob
                weight = _exp(number)
                if weight:
                    total += weight
                    weighted += weight * number
                    if number > best and admitted.differs(place, text, size):
                        best, beside = number, weight
            number = log(total) - weighted / total if total else 0.0
            spread[spreading[0]] = number if number > 0.0 else 0.0
            spreading[0] += 1
        if others.count > 1:
            told = others.told()
            if others is not admitted:
                best = -INFINITY
                for place in range(others.count):
                    number = told[place].logprob
                    if number > best and others.differs(place, text, size):
                        best = number
                beside = _exp(best)
            value = field(token, 1) if field(token, 2) is None else field(token, 2)
            gaps[between[0]] = _exp(told[0].logprob if value is None else <double>value) - beside
            between[0] += 1
    return 0


cdef inline object _utf8(str text, const char** signs, Py_ssize_t* size):
    """Where its UTF-8 lies, as long as what is returned is held."""
    cdef bytes other
    if PyUnicode_IS_ASCII(text):
        signs[0], size[0] = <const char*>PyUnicode_DATA(text), len(text)
        return text
    other = text.encode("utf-8", "surrogatepass")
    signs[0], size[0] = other, len(other)
    return other


cdef double _exp(double number) except? -1:
    if number > LARGEST:
        raise OverflowError("math range error")
    return exp(number)


def removed(tokens):
    cdef double least = 0.0, first = 0.0
    return (_gone(least), _gone(first)) if _taken(tokens, &least, &first) else None


cdef bint _taken(tokens, double* least, double* first) except -1:
    """Whether the mask took away anything that is known, and then by the logarithm how much: the most of all tokens, the first token's."""
    cdef double gap
    cdef bint seen = False
    for token in tokens:
        if field(token, 2) is not None and field(token, 1) is not None:
            gap = <double>field(token, 2) - <double>field(token, 1)
            if not seen:
                first[0] = least[0] = gap
                seen = True
            elif gap < least[0]:
                least[0] = gap
    return seen


cdef double _gone(double gap):
    return min(1.0, max(0.0, 1.0 - exp(min(0.0, gap))))
