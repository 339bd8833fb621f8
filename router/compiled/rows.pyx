"""Features as a row of the store keeps them; see `router/calibration/features.py`."""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.math cimport fabs, isfinite, rint, signbit
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

import msgspec

cdef extern from "Python.h":
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *size) except NULL

cdef double MOST = 1e15  # of so many units a double still tells each from the next, and its shortest form is their decimal
cdef Py_ssize_t ROOM = 32  # for quotes, colon, comma and a number of less than that


def written(dict found, int digits):
    cdef double scale = 10.0**digits, number
    cdef unsigned long long one = <unsigned long long>scale
    cdef Py_ssize_t room = 2, length
    cdef char *start
    cdef char *place
    cdef const char *name
    for key, value in found.items():
        number = value
        name = PyUnicode_AsUTF8AndSize(key, &length)
        if digits > 9 or not plain(name, length) or (isfinite(number) and not fabs(number * scale) < MOST):
            return msgspec.json.encode(rounded(found, scale))
        room += length + ROOM
    start = place = <char *>malloc(room)
    if start == NULL:
        raise MemoryError
    try:
        place[0] = b"{"
        place += 1
        for key, value in found.items():
            number = value
            if isfinite(number):
                name = PyUnicode_AsUTF8AndSize(key, &length)
                place[0] = b'"'
                memcpy(place + 1, name, length)
                memcpy(place + 1 + length, b'":', 2)
                place = decimal(place + 3 + length, rint(number * scale), digits, one)
                place[0] = b","
                place += 1
        if place > start + 1:
            place -= 1
        place[0] = b"}"
        return PyBytes_FromStringAndSize(start, place + 1 - start)
    finally:
        free(start)


cdef bint plain(const char *name, Py_ssize_t length) noexcept:
    """Whether it stands for itself in JSON, and is ASCII."""
    cdef Py_ssize_t place
    for place in range(length):
        if name[place] < 32 or name[place] > 126 or name[place] == 34 or name[place] == 92:
            return False
    return True


cdef char *decimal(char *place, double units, int digits, unsigned long long one) noexcept:
    """Write so many units of the last digit, `one` of which make 1, with a digit after the point at least; returns the place behind it."""
    cdef unsigned long long whole = <unsigned long long>fabs(units), rest
    if signbit(units):
        place[0] = b"-"
        place += 1
    rest = whole % one
    place = figures(place, whole // one, 1)
    place[0] = b"."
    if not rest:
        place[1] = b"0"
        return place + 2
    while rest % 10 == 0:
        rest //= 10
        digits -= 1
    return figures(place + 1, rest, digits)


cdef char *figures(char *place, unsigned long long whole, int least) noexcept:
    """Write a number with leading zeros up to so many digits at least; returns the place behind it."""
    cdef char reversed_[20]
    cdef int count = 0
    while whole or count < least:
        reversed_[count] = <char>(48 + whole % 10)
        whole //= 10
        count += 1
    while count:
        count -= 1
        place[0] = reversed_[count]
        place += 1
    return place


cdef dict rounded(dict found, double scale):
    cdef double value
    cdef dict kept = {}
    for name, number in found.items():
        value = number
        if isfinite(value):
            kept[name] = rint(value * scale) / scale
    return kept
