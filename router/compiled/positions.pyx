"""Tokens as servers report them; see `logprobs.py` and `freedom.py` in `server/engines/openai`."""

from cpython.ref cimport PyObject
from cpython.unicode cimport PyUnicode_DATA
from libc.string cimport memcmp

from router.compiled.alternatives cimport Alternatives, Told, alternatives

cdef extern from "Python.h":
    PyObject* PyTuple_GetItem(object, Py_ssize_t) except NULL
    bint PyUnicode_IS_ASCII(str)

cdef Py_ssize_t AHEAD = 64


cdef inline object field(token, Py_ssize_t place):
    """Of a tuple or a named one."""
    return <object>PyTuple_GetItem(token, place)


def fed(list held, bint json, bint within, bint escaped, bint final):
    """Those that are known now, and whether what follows stands within a string, and is escaped there."""
    cdef str text, came = "".join([field(token, 0) for token in held])
    cdef Py_ssize_t at = 0
    cdef list given = []
    cdef int free
    for token in held:
        text = field(token, 0)
        if field(token, 3):
            free = _free(alternatives(field(token, 5)), came, at, json and not within, final)
            if free == UNDECIDED:
                break
            given.append(token if free else token._replace(free=False))
        else:
            given.append(token)
        if escaped or '"' in text or "\\" in text:
            for letter in text:
                if escaped:
                    escaped = False
                elif letter == u"\\" and within:
                    escaped = True
                elif letter == u'"':
                    within = not within
        at += len(text)
    return given, within, escaped


cdef enum:
    BOUND = 0
    FREE = 1
    UNDECIDED = 2


cdef int _free(Alternatives others, str came, Py_ssize_t at, bint loose, bint final) except -1:
    """Whether any alternative leads elsewhere than the answer that came, from `at` on."""
    cdef Py_ssize_t size = len(came), last, place
    cdef bint undecided = False
    cdef unsigned char first
    cdef Told* one
    cdef str other
    cdef bint ascii = PyUnicode_IS_ASCII(came)  # then characters are compared as bytes, unless white space is left out before them
    cdef const char* signs = <const char*>PyUnicode_DATA(came)
    cdef Py_ssize_t left
    if loose:
        last = min(size, at + AHEAD)
        while at < last and came[at].isspace():
            at += 1
    signs += at
    left = size - at
    for place in range(others.count):
        one = &others.told()[place]
        first = others.block.texts[one.start] if one.size else 0
        if at < size and 32 < first < 128 and first != came[at]:  # most of them end here
            return FREE
        if ascii and (not loose or 32 < first < 128 or not one.size):
            if one.size <= left:
                if memcmp(others.block.texts + one.start, signs, one.size):
                    return FREE
                continue
            if final or memcmp(others.block.texts + one.start, signs, left):
                return FREE
            undecided = True
            continue
        other = others.text(place)
        if loose and other and other[0].isspace():
            other = other.lstrip()
        if at < size and other and other[0] != came[at]:
            return FREE
        if came.startswith(other, at):
            continue
        if final or size - at >= len(other) or not other.startswith(came[at:]):
            return FREE
        undecided = True
    return UNDECIDED if undecided else BOUND


def within(tuple tokens, str text):
    cdef str joined = "".join([field(token, 0) for token in tokens])
    cdef Py_ssize_t start = joined.rfind(text), stop = start + len(text), position = 0, end
    cdef list kept = []
    if start < 0 or not text or joined == text:
        return tokens
    for token in tokens:
        end = position + len(<str?>field(token, 0))
        if end > start and position < stop:
            kept.append(token)
        position = end
    return tuple(kept)
