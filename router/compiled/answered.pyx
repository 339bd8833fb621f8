"""What the answer, its calls and their arguments tell; see `router/calibration/answered.py` and `features.py`."""

from math import nan  # the one object: what has it is equal to itself

from libc.math cimport log1p

from router.compiled.grounding cimport of_grounding
from router.compiled.texts cimport (
    CONJUNCTIONS,
    DEFAULTS,
    ENUM,
    NAMED,
    NEEDED,
    OFFER,
    OVERLAPS,
    PARAMETER_STEMS,
    PARAMETERS,
    QUOTES,
    STEMS,
    TYPES,
    field,
    of_request,
)
from router.compiled.tokens cimport of_tokens

cdef extern from *:
    dict __Pyx_PyDict_NewPresized(Py_ssize_t size)  # Cython's own, that a dict which grows is not made five times

cdef Py_ssize_t MOST = 128
cdef object plain = None


cdef object rest():
    """The module of what is rarer, which imports this one."""
    global plain
    if plain is None:
        from router.calibration import answered

        plain = answered
    return plain


def gathered(draft, known, reading):
    cdef dict found = __Pyx_PyDict_NewPresized(MOST)
    of_request(found, draft.request, known)
    _of_answer(found, draft, known, reading)
    of_tokens(found, draft)
    return found


def answer_features(draft, known=None, reading=None):
    cdef dict found = {}
    known = rest().asked(draft.request) if known is None else known
    reading = rest().read(draft.request.contract, draft.choice) if reading is None else reading
    _of_answer(found, draft, known, reading)
    return found


cdef int _of_answer(dict found, draft, known, reading) except -1:
    choice, message, calls = draft.choice, reading.message, reading.calls
    found["parsed"] = float(reading.parsed)
    breaches = draft.notes.violations
    found["violations"] = rest().violations(draft) if breaches is None else <double>len(<tuple>breaches)
    found["cut_off"] = float(choice.finish_reason == "length")
    found["calls"] = float(len(calls))
    found["no_call"] = float(message is not None or not calls)
    found["salvaged"] = float(message is not None and bool(calls))
    found["answer_chars"] = log1p(len(choice.text))
    found["answer_tokens"] = log1p(len(choice.tokens)) if choice.tokens else nan
    found["repairs"] = float(draft.repairs)
    if message is not None:
        found.update(rest().message_features(known, message))
    if calls:
        _of_calls(found, known, reading)
        _of_arguments(found, known, reading)
        of_grounding(found, known, calls)
    return 0


def call_features(known, reading):
    cdef dict found = {}
    _of_calls(found, known, reading)
    return found


cdef int _of_calls(dict found, known, reading) except -1:
    cdef dict tools = field(known, OFFER).functions, overlaps = field(known, OVERLAPS), named = field(known, NAMED)
    cdef tuple calls = reading.calls
    cdef list names = [call.name for call in calls]
    cdef set distinct = set(names)
    cdef Py_ssize_t count = len(names), unknown = 0, unlike = count
    cdef double least, overlap, best_other = 0.0
    cdef object in_request = None, other = None
    for name in names:
        unknown += name not in tools
        if name in tools and (in_request is None or named[name] < in_request):
            in_request = named[name]
    least = min([overlaps.get(name, 0.0) for name in names])
    for name, value in overlaps.items():
        if name not in distinct and (other is None or value > other):
            other = value
    if count > 1:
        unlike = len({(call.name, rest().normal(call.arguments)) for call in calls})
    found["unknown_names"] = float(unknown)
    found["distinct_names"] = float(len(distinct))
    found["repeated_calls"] = float(count - unlike)
    found["calls_expected"] = count - 1.0 - <long>field(known, CONJUNCTIONS)
    found["calls_quotes"] = float(count - len(<list>field(known, QUOTES)))
    found["unused_tools"] = float(<Py_ssize_t>len(tools) - <Py_ssize_t>len(distinct))
    found["overlap_called"] = least
    found["overlap_over_rest"] = least - (0.0 if other is None else <double>other)
    found["name_in_request"] = nan if in_request is None else in_request
    return 0


def argument_features(known, reading):
    cdef dict found = {}
    _of_arguments(found, known, reading)
    return found


cdef int _of_arguments(dict found, known, reading) except -1:
    cdef dict tools = field(known, OFFER).functions, parameters
    cdef frozenset stems = field(known, STEMS)
    cdef Counts seen = Counts()
    cdef Py_ssize_t calls = 0, arguments = 0, absent, needed, best, shared
    for call in reading.calls:
        function = tools.get(call.name)
        if function is None:
            continue
        given, parameters = call.arguments, field(function, PARAMETERS)
        calls += 1
        arguments += len(given)
        absent = needed = best = 0
        for name, parameter in parameters.items():
            if name in given:
                continue
            absent += 1
            if field(parameter, NEEDED):
                needed += 1
                continue
            shared = 0
            for stem in <frozenset>field(parameter, PARAMETER_STEMS):
                shared += stem in stems
            best = max(best, shared)
        seen.missing += needed
        seen.mentioned += best
        seen.optional += seen.given(given, parameters) + absent - needed
    if not calls:
        return 0
    found["unknown_arguments"] = float(seen.unknown)
    found["missing_arguments"] = float(seen.missing)
    found["wrong_types"] = float(seen.types)
    found["not_in_enum"] = float(seen.enum)
    found["defaults_repeated"] = float(seen.defaults)
    found["empty_values"] = float(seen.empty)
    found["absent_mentioned"] = float(seen.mentioned)
    found["booleans"] = float(seen.booleans)
    found["nested"] = float(seen.nested)
    found["arguments"] = arguments / <double>calls
    found["optional_filled"] = seen.filled / <double>seen.optional if seen.optional else nan
    return 0


cdef class Counts:
    """What is counted over the arguments of all calls."""

    cdef Py_ssize_t unknown, missing, types, enum, defaults, empty, mentioned, booleans, nested, filled, optional

    cdef Py_ssize_t given(self, arguments, dict parameters) except -1:
        """Count one call's; how many of them are optional."""
        cdef Py_ssize_t filled = 0
        cdef tuple types
        cdef frozenset enum
        for name, value in arguments.items():
            parameter = parameters.get(name)
            if parameter is None:
                self.unknown += 1
                continue
            filled += not field(parameter, NEEDED)
            types, enum = field(parameter, TYPES), field(parameter, ENUM)
            self.types += bool(types) and not _typed(value, types)
            self.enum += bool(enum) and not isinstance(value, list) and repr(value) not in enum
            self.defaults += bool(field(parameter, DEFAULTS)) and bool(parameter.is_default(rest().normal(value)))
            self.empty += value is None or isinstance(value, (str, list, dict)) and not value
            if isinstance(value, bool):
                self.booleans += 1
            elif isinstance(value, (dict, list)):
                self.nested += 1
        self.filled += filled
        return filled


cdef bint _typed(value, tuple types) except -1:
    return bool in types if isinstance(value, bool) else isinstance(value, types)
