"""Ensembles of trees on one row, in one pass over their splits and without an object a split; see `router/calibration/trees.py`."""

from cpython.dict cimport PyDict_GetItemWithError
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.ref cimport PyObject
from cython cimport boundscheck, wraparound
from libc.math cimport log
from libc.stdint cimport uint64_t


cdef class Splits:
    """The tables of a `Forests`, with masks of 64 bits, and what is needed to add up each ensemble; nothing in it changes."""

    cdef list columns, sums
    cdef double[::1] thresholds, values
    cdef uint64_t[::1] masks
    cdef Py_ssize_t[::1] places, starts, before

    def __init__(self, columns, places, thresholds, masks, starts, before, values, sums):
        self.columns, self.sums = list(columns), list(sums)
        self.places, self.thresholds, self.masks = places, thresholds, masks
        self.starts, self.before, self.values = starts, before, values

    def log_odds(self, dict found):
        """As that of `Forests`."""
        cdef Py_ssize_t columns = len(self.columns), trees = self.starts.shape[0] if columns else 0
        cdef double* row = <double*>PyMem_Malloc((columns + trees + 1) * sizeof(double))
        if row is NULL:
            raise MemoryError
        try:
            self._fill(found, row)
            self._ask(row, row + columns, trees)
            return [_summed(one, row + columns) for one in self.sums]
        finally:
            PyMem_Free(row)

    cdef int _fill(self, dict found, double* row) except -1:
        """One that is absent or NaN is missing."""
        cdef Py_ssize_t at
        cdef double value
        cdef tuple column
        cdef PyObject* known
        for at in range(len(self.columns)):
            column = self.columns[at]
            known = PyDict_GetItemWithError(found, column[0])
            value = <double>column[1] if known is NULL else <double><object>known
            row[at] = value if value == value else <double>column[1]
        return 0

    @boundscheck(False)
    @wraparound(False)
    cdef int _ask(self, const double* row, double* said, Py_ssize_t trees) except -1:
        """The places in these tables were worked out when they were made."""
        cdef Py_ssize_t at, tree, end
        cdef uint64_t struck
        for tree in range(trees):
            struck = 0
            end = self.starts[tree + 1] if tree + 1 < trees else self.places.shape[0]
            for at in range(self.starts[tree], end):
                if not row[self.places[at]] <= self.thresholds[at]:
                    struck |= self.masks[at]
            at = self.before[tree] + 1
            while struck & 1:
                struck >>= 1
                at += 1
            said[tree] = self.values[at]
        return 0


cdef double _summed(tuple one, const double* said) except? -1:
    """Of first, last, whole, trees, bias and mean."""
    cdef Py_ssize_t first = one[0], last = one[1], trees = one[3]
    cdef double total = one[2], bias = one[4]
    if not trees:
        return bias
    if last > first:
        total += _pairwise(said + first, last - first)
    return bias + total if not one[5] else bias + _log_odds(total / trees)


cdef double _log_odds(double p):
    cdef double kept = min(max(p, 1e-4), 1 - 1e-4)
    return log(kept / (1 - kept))


cdef double _pairwise(const double* said, Py_ssize_t count):
    """As numpy adds up, to the last bit: eight sums side by side, of at most 128 numbers; more are halved (Higham, SIAM J. Sci. Comput. 1993)."""
    cdef double[8] sums
    cdef double total
    cdef Py_ssize_t at, lane, half
    if count < 8:
        total = 0.0
        for at in range(count):
            total += said[at]
        return total
    if count > 128:
        half = count // 2
        half -= half % 8
        return _pairwise(said, half) + _pairwise(said + half, count - half)
    for lane in range(8):
        sums[lane] = said[lane]
    for at in range(8, count - count % 8, 8):
        for lane in range(8):
            sums[lane] += said[at + lane]
    total = ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]))
    for at in range(count - count % 8, count):
        total += said[at]
    return total
