"""The linear heads, and what they see of a request's words; see `router/calibration/linear.py` and `features.py`."""

from cpython.mem cimport PyMem_Calloc, PyMem_Free, PyMem_Malloc
from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from libc.math cimport isfinite, sqrt

from math import fsum

cdef unsigned int[256] TABLE
cdef unsigned int _value
for _code in range(256):
    _value = _code
    for _bit in range(8):
        _value = (_value >> 1) ^ (0xEDB88320 if _value & 1 else 0)
    TABLE[_code] = _value


cdef unsigned int _crc32(str gram) except? 0:
    """As zlib's (RFC 1952, 8)."""
    cdef Py_ssize_t at, size
    cdef const unsigned char* signs = <const unsigned char*>PyUnicode_AsUTF8AndSize(gram, &size)
    cdef unsigned int value = 0xFFFFFFFF
    for at in range(size):
        value = TABLE[(value ^ signs[at]) & 0xFF] ^ (value >> 8)
    return value ^ 0xFFFFFFFF


cdef class Heads:
    """Those of a `HeadSet`, their numbers in pieces of memory that are read in order; nothing in it changes."""

    cdef tuple features, names
    cdef str answered, mark
    cdef double[:, ::1] means, inverses, weights
    cdef Py_ssize_t[::1] scales
    cdef double[::1] biases
    cdef list hashed

    def __init__(self, features, means, inverses, names, scales, weights, biases, hashed, answered, mark):
        self.features, self.names, self.answered, self.mark = features, names, answered, mark
        self.means, self.inverses, self.weights = means, inverses, weights
        self.scales, self.biases, self.hashed = scales, biases, list(hashed)

    def before(self, dict found, grams):
        """As that of `HeadSet`."""
        cdef Py_ssize_t count = len(grams)
        cdef unsigned int* sums = <unsigned int*>room(count * sizeof(unsigned int))
        try:
            self._summed(grams, sums, &count, whole=True)
            return self._said(0, found, sums, count)
        finally:
            PyMem_Free(sums)

    def scores(self, dict found, list grams):
        """As that of `HeadSet`."""
        cdef Py_ssize_t at, count = len(grams), plain = count
        cdef unsigned int* sums = <unsigned int*>room(count * sizeof(unsigned int))
        cdef dict result = {}
        cdef bint crossed
        try:
            self._summed(grams, sums, &plain, whole=False)
            for at in range(len(self.names)):
                crossed = self.names[at] == self.answered
                if not crossed or plain < count:
                    result[self.names[at]] = self._said(at, found, sums, count if crossed else plain)
            return result
        finally:
            PyMem_Free(sums)

    cdef int _summed(self, grams, unsigned int* sums, Py_ssize_t* plain, bint whole) except -1:
        """Checksums of the grams: first, `plain` of them, of those that do not begin with the mark, unless they count as a `whole`."""
        cdef Py_ssize_t first = 0, last = len(grams)
        cdef str gram
        for gram in grams:
            if whole or gram[0] != self.mark:
                sums[first] = _crc32(gram)
                first += 1
            else:
                last -= 1
                sums[last] = _crc32(gram)
        plain[0] = first
        return 0

    cdef object _said(self, Py_ssize_t head, dict found, const unsigned int* sums, Py_ssize_t count):
        """Log-odds by this head."""
        cdef double total = self.biases[head] + self._sized(head, found)
        cdef double[::1] hashed
        if not count or not len(self.hashed[head]):
            return total
        hashed = self.hashed[head]
        return total + _worded(hashed, sums, count)

    cdef double _sized(self, Py_ssize_t head, dict found) except? -1.0:
        """How far each feature is from its mean, at most five standard deviations, times its weight."""
        cdef Py_ssize_t at, count = len(self.features), scale = self.scales[head]
        cdef double* terms = <double*>room(count * sizeof(double))
        cdef double away
        try:
            for at in range(count):
                value = found.get(self.features[at])
                away = 0.0 if value is None else (<double>value - self.means[scale, at]) * self.inverses[scale, at]
                if not -5.0 <= away <= 5.0:
                    away = 5.0 * (away > 0.0) - 5.0 * (away < 0.0)
                terms[at] = away * self.weights[head, at]
            return exact(terms, count)
        finally:
            PyMem_Free(terms)


cdef double _worded(double[::1] hashed, const unsigned int* sums, Py_ssize_t count) except? -1.0:
    """The weights of the buckets that the checksums fall into, each once, over the root of their number."""
    cdef Py_ssize_t at, size = hashed.shape[0], used = 0, bucket
    cdef unsigned char* seen = <unsigned char*>PyMem_Calloc(size, 1)
    cdef double* terms = <double*>room(count * sizeof(double))
    try:
        if seen is NULL:
            raise MemoryError
        for at in range(count):
            bucket = sums[at] % size
            if not seen[bucket]:
                seen[bucket] = True
                terms[used] = hashed[bucket]
                used += 1
        return exact(terms, used) / sqrt(used)
    finally:
        PyMem_Free(seen)
        PyMem_Free(terms)


cdef void* room(size_t size) except NULL:
    cdef void* found = PyMem_Malloc(size)
    if found is NULL:
        raise MemoryError
    return found


cdef double exact(const double* terms, Py_ssize_t count) except? -1.0:
    """As `math.fsum`: partial sums that do not overlap (Shewchuk, Discrete & Computational Geometry 18, 1997), of doubles at most 40."""
    cdef double[64] parts
    cdef double one, other, high, low
    cdef Py_ssize_t at, part, kept, known = 0
    for at in range(count):
        one = terms[at]
        if not isfinite(one):
            return fsum([terms[at] for at in range(count)])
        kept = 0
        for part in range(known):
            other = parts[part]
            if -abs(one) > -abs(other):
                one, other = other, one
            high = one + other
            low = other - (high - one)
            if low != 0.0:
                parts[kept] = low
                kept += 1
            one = high
        known = kept
        if one != 0.0:  # so that a sum of negative zeros is none
            parts[kept] = one
            known += 1
        if not isfinite(one):
            return fsum([terms[at] for at in range(count)])
    return _rounded(parts, known)


cdef double _rounded(const double* parts, Py_ssize_t known) noexcept:
    """Their sum to the nearest, halves to the even: what lies below the last that counts may tip a half."""
    cdef double high = 0.0, low = 0.0, before, twice
    if known:
        known -= 1
        high = parts[known]
    while known and low == 0.0:
        known -= 1
        before = high
        high = before + parts[known]
        low = parts[known] - (high - before)
    if known and (low < 0.0 and parts[known - 1] < 0.0 or low > 0.0 and parts[known - 1] > 0.0):
        twice = 2.0 * low
        before = high + twice
        if twice == before - high:
            high = before
    return high


def grams_of(list words):
    cdef list found = words[:]
    cdef str one = "<s>", other
    for other in words:
        found.append(f"{one} {other}")
        one = other
    return found


def crossed(list plain, str start, Py_ssize_t most):
    cdef list found = plain[:]
    cdef str word
    for word in plain[:most]:
        if " " not in word:
            found.append(start + word)
    return found
