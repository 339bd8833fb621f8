"""Features as a row of the store keeps them; see `router/calibration/features.py`."""

from libc.math cimport isfinite, rint


def rounded(dict found, int digits):
    cdef double scale = 10.0**digits, value
    cdef dict kept = {}
    for name, number in found.items():
        value = number
        if isfinite(value):
            kept[name] = rint(value * scale) / scale
    return kept
