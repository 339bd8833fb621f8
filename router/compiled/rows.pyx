"""Features as a row of the store keeps them; see `router/calibration/features.py`."""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.math cimport fabs, isfinite, rint, signbit
from libc.stdlib cimport free, malloc, realloc

import msgspec

cdef extern from "Python.h":
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *size) except NULL

cdef double MOST = 1e15  # of so many units a double still tells each from the next, and its shortest form is their decimal
cdef double EVEN = 4503599627370496.0  # added and taken away again it rounds what is less than a quarter of it, halves to even
cdef Py_ssize_t ROOM = 32  # for quotes, colon, comma and a number of less than that
cdef Py_ssize_t USUAL = 40  # room for a feature with its name


def written(dict found, int digits):
    cdef double scale = 10.0**digits, number
    cdef unsigned long long one = <unsigned long long>scale
    cdef Py_ssize_t room = 2 + ROOM + len(found) * USUAL, length, used = 1
    cdef char *start = <char *>malloc(room)
    cdef char *larger
    cdef const char *name
    try:
        if start == NULL:
            raise MemoryError
        for key, value in found.items():
            number = value
            if not isfinite(number):
                continue
            name = PyUnicode_AsUTF8AndSize(key, &length)
            if used + length + ROOM > room:
                room = 2 * room + length
                larger = <char *>realloc(start, room)
                if larger == NULL:
                    raise MemoryError
                start = larger
            used = member(start, used, name, length)
            if used < 0 or digits > 9 or not fabs(number * scale) < MOST:
                return msgspec.json.encode(rounded(found, scale))
            used = decimal(start + used, number, scale, digits, one) - start
        start[0] = b"{"
        start[used] = b"}"
        return PyBytes_FromStringAndSize(start, used + 1)
    finally:
        free(start)


cdef inline Py_ssize_t member(char *start, Py_ssize_t used, const char *name, Py_ssize_t length) noexcept:
    """Write the name and its colon; returns how much is used then, -1 where the name does not stand for itself in JSON, or is not ASCII."""
    cdef Py_ssize_t place
    cdef char letter
    if used > 1:
        start[used] = b","
        used += 1
    start[used] = b'"'
    used += 1
    for place in range(length):
        letter = name[place]
        if letter < 32 or letter > 126 or letter == 34 or letter == 92:
            return -1
        start[used + place] = letter
    used += length
    start[used] = b'"'
    start[used + 1] = b":"
    return used + 2


cdef inline char *decimal(char *place, double number, double scale, int digits, unsigned long long one) noexcept:
    """Write the number so rounded, with a digit after the point at least; returns the place behind it."""
    cdef unsigned long long rest = 0, whole = <unsigned long long>fabs(number)
    cdef int left
    if signbit(number):
        place[0] = b"-"
        place += 1
    if fabs(number) != <double>whole:  # most are counts and flags
        rest = <unsigned long long>(fabs(number * scale) + EVEN - EVEN)
        whole = rest // one
        rest -= whole * one
    place = figures(place, whole)
    place[0] = b"."
    if not rest:
        place[1] = b"0"
        return place + 2
    while rest % 10 == 0:
        rest //= 10
        digits -= 1
    for left in range(digits, 0, -1):
        place[left] = <char>(48 + rest % 10)
        rest //= 10
    return place + digits + 1


cdef inline char *figures(char *place, unsigned long long whole) noexcept:
    """Write a number; returns the place behind it."""
    cdef unsigned long long above = 10
    cdef int count = 1, left
    while whole >= above:
        above *= 10
        count += 1
    for left in range(count - 1, -1, -1):
        place[left] = <char>(48 + whole % 10)
        whole //= 10
    return place + count


cdef dict rounded(dict found, double scale):
    cdef double value
    cdef dict kept = {}
    for name, number in found.items():
        value = number
        if isfinite(value):
            kept[name] = rint(value * scale) / scale
    return kept
