"""Features of the tokens' log-probabilities; each function is the one of its name in `router/scores/tokens.py` or `router/calibration/doubt.py`."""

from bisect import bisect_left
from math import fsum

from cpython.ref cimport PyObject
from libc.math cimport INFINITY, exp, isfinite, log

from router.compiled.alternatives cimport Alternatives, Told, alternatives

cdef extern from "Python.h":
    PyObject* PyTuple_GetItem(object, Py_ssize_t) except NULL

cdef frozenset FORMS = frozenset({"tools", "json_schema", "json_object"})
cdef double LARGEST = 709.0
"""The exponential of more is no number; the plain function says so by an OverflowError."""


cdef inline object field(token, Py_ssize_t place):
    """Of a tuple or a named one."""
    return <object>PyTuple_GetItem(token, place)


def token_features(draft):
    choice, contract = draft.choice, draft.request.contract
    cdef str kind = contract.kind
    cdef tuple tokens = choice.tokens
    cdef list chosen = _meaningful(kind, tokens), logprobs = _doubts(chosen)
    if not logprobs:
        return {}
    cdef list ordered = sorted(logprobs), gaps = [], spread = []
    cdef Py_ssize_t count = len(ordered)
    total = fsum(ordered)
    cdef dict found = {
        "logprob_min": ordered[0],
        "logprob_second": ordered[1] if count > 1 else 0.0,
        "logprob_q10": ordered[<Py_ssize_t>(0.1 * (count - 1))],
        "logprob_q25": ordered[<Py_ssize_t>(0.25 * (count - 1))],
        "logprob_q50": ordered[<Py_ssize_t>(0.5 * (count - 1))],
        "logprob_mean": total / count,
        "logprob_sum": total,
        "logprob_first": logprobs[0],
        "logprob_last": logprobs[count - 1],
        "doubtful_tokens": float(bisect_left(ordered, -0.7)),
        "free_tokens": float(count),
    }
    _weigh(chosen, gaps, spread)
    if gaps:
        found["margin_min"], found["margin_mean"] = min(gaps), fsum(gaps) / len(gaps)
    if spread:
        found["entropy_max"], found["entropy_mean"], found["entropy_first"] = max(spread), fsum(spread) / len(spread), spread[0]
    gone = removed(tokens)
    if gone is not None:
        found["removed_max"], found["removed_first"] = gone
    if kind == "choice":
        from router.calibration.doubt import _options

        found.update(_options(contract, choice))
    return found


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
    cdef list gaps = [], spread = []
    _weigh(tokens, gaps, spread)
    return gaps, spread


cdef int _weigh(tokens, list gaps, list spread) except -1:
    """Per token the probability above the best other one, and the entropy of the alternatives: a loop over numbers without objects."""
    cdef Alternatives admitted, others
    cdef Told* told
    cdef Py_ssize_t place
    cdef double best, beside, total, weighted, number, weight
    cdef bytes text
    for token in tokens:
        admitted = others = alternatives(field(token, 4))
        if field(token, 5) is not field(token, 4):
            admitted = alternatives(field(token, 5))
            if not admitted.count:
                admitted = others
            elif not others.count:
                others = admitted
        text = (<str?>field(token, 0)).encode("utf-8", "surrogatepass")
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
                    if number > best and admitted.differs(place, text):
                        best, beside = number, weight
            number = log(total) - weighted / total if total else 0.0
            spread.append(number if number > 0.0 else 0.0)
        if others.count > 1:
            told = others.told()
            if others is not admitted:
                best = -INFINITY
                for place in range(others.count):
                    number = told[place].logprob
                    if number > best and others.differs(place, text):
                        best = number
                beside = _exp(best)
            value = field(token, 1) if field(token, 2) is None else field(token, 2)
            gaps.append(_exp(told[0].logprob if value is None else <double>value) - beside)
    return 0


cdef double _exp(double number) except? -1:
    if number > LARGEST:
        raise OverflowError("math range error")
    return exp(number)


def removed(tokens):
    cdef double gap, least = 0.0, first = 0.0
    cdef bint seen = False
    for token in tokens:
        if field(token, 2) is not None and field(token, 1) is not None:
            gap = <double>field(token, 2) - <double>field(token, 1)
            if not seen:
                first = least = gap
                seen = True
            elif gap < least:
                least = gap
    return (_gone(least), _gone(first)) if seen else None


cdef double _gone(double gap):
    return min(1.0, max(0.0, 1.0 - exp(min(0.0, gap))))
