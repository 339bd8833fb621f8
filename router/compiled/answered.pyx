"""What the calls and their arguments tell; see `router/calibration/answered.py`."""

from math import fsum

from libc.math cimport NAN

cdef object plain = None


cdef object rest():
    """The module of what is rarer, which imports this one."""
    global plain
    if plain is None:
        from router.calibration import reading

        plain = reading
    return plain


def call_features(known, reading):
    cdef dict tools = known.offer.functions, overlaps = known.overlaps, named = known.named
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
    return {
        "unknown_names": float(unknown),
        "distinct_names": float(len(distinct)),
        "repeated_calls": float(count - unlike),
        "calls_expected": count - 1.0 - <long>known.conjunctions,
        "calls_quotes": float(count - len(known.quotes)),
        "unused_tools": float(<Py_ssize_t>len(tools) - <Py_ssize_t>len(distinct)),
        "overlap_called": least,
        "overlap_over_rest": least - (0.0 if other is None else <double>other),
        "name_in_request": NAN if in_request is None else in_request,
    }


def argument_features(known, reading):
    cdef dict tools = known.offer.functions
    cdef frozenset stems = known.stems
    cdef Counts seen = Counts()
    cdef Py_ssize_t calls = 0, arguments = 0, absent, needed, best, shared
    for call in reading.calls:
        function = tools.get(call.name)
        if function is None:
            continue
        given = call.arguments
        calls += 1
        arguments += len(given)
        absent = needed = best = 0
        for name, parameter in function.parameters.items():
            if name in given:
                continue
            absent += 1
            if parameter.required:
                needed += 1
                continue
            shared = 0
            for stem in parameter.stems:
                shared += stem in stems
            best = max(best, shared)
        seen.missing += needed
        seen.mentioned += best
        seen.optional += seen.given(given, function.parameters) + absent - needed
    if not calls:
        return {}
    return {
        "unknown_arguments": float(seen.unknown),
        "missing_arguments": float(seen.missing),
        "wrong_types": float(seen.types),
        "not_in_enum": float(seen.enum),
        "defaults_repeated": float(seen.defaults),
        "empty_values": float(seen.empty),
        "absent_mentioned": float(seen.mentioned),
        "booleans": float(seen.booleans),
        "nested": float(seen.nested),
        "arguments": arguments / <double>calls,
        "optional_filled": seen.filled / <double>seen.optional if seen.optional else NAN,
    }


cdef class Counts:
    """What is counted over the arguments of all calls."""

    cdef Py_ssize_t unknown, missing, types, enum, defaults, empty, mentioned, booleans, nested, filled, optional

    cdef Py_ssize_t given(self, arguments, dict parameters) except -1:
        """Count one call's; how many of them are optional."""
        cdef Py_ssize_t filled = 0
        for name, value in arguments.items():
            parameter = parameters.get(name)
            if parameter is None:
                self.unknown += 1
                continue
            filled += not parameter.required
            self.types += bool(parameter.types) and not _typed(value, parameter.types)
            self.enum += bool(parameter.enum) and not isinstance(value, list) and repr(value) not in parameter.enum
            self.defaults += bool(parameter.defaults) and bool(parameter.is_default(rest().normal(value)))
            self.empty += value is None or isinstance(value, (str, list, dict)) and not value
            if isinstance(value, bool):
                self.booleans += 1
            elif isinstance(value, (dict, list)):
                self.nested += 1
        self.filled += filled
        return filled


cdef bint _typed(value, tuple types) except -1:
    return bool in types if isinstance(value, bool) else isinstance(value, types)
