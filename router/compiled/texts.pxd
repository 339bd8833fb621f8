"""What other compiled modules use of `texts`, and where the fields of the records lie that all of them read."""

cdef list spoken_words(str text)
cdef list written_numbers(str text)
cdef list told(found)
cdef frozenset stems_of(found)
cdef object number_of(str figure)
cdef frozenset stop_words()
cdef int of_request(dict found, request, known) except -1


cdef inline object field(record, Py_ssize_t place):
    """Of a named tuple: asking for it by name takes ten times as long."""
    return (<tuple>record)[place]


cdef enum:  # of `Said`, and then of `Asked`, `Offered` and `Parameter`
    SAID_TEXT, SAID_WORDS, SAID_DISTINCT, SAID_STEMS, SAID_DIGITS, SAID_WRITTEN, SAID_NUMBERS

cdef enum:
    LAST, TEXT, WORDS, STEMS, ALL_STEMS, WRITTEN, NUMBERS, ALL_NUMBERS, CONJUNCTIONS, QUOTES, NAMES, OFFER, OVERLAPS, NAMED, FEATURES

cdef enum:
    FUNCTION_NAME, PARAMETERS, FUNCTION_STEMS, DESCRIBED, ARGUMENTS

cdef enum:
    PARAMETER_NAME, NEEDED, TYPES, ENUM, DEFAULTS, PARAMETER_STEMS, SHAPES
