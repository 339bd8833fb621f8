"""What the linear heads see of a request's words; see `router/calibration/linear.py` and `features.py`."""

cdef unsigned int[256] TABLE
cdef unsigned int _value
for _code in range(256):
    _value = _code
    for _bit in range(8):
        _value = (_value >> 1) ^ (0xEDB88320 if _value & 1 else 0)
    TABLE[_code] = _value


cdef unsigned int _crc32(str gram) except? 0:
    """As zlib's (RFC 1952, 8)."""
    cdef bytes raw = gram.encode()
    cdef const unsigned char* signs = raw
    cdef unsigned int value = 0xFFFFFFFF
    cdef Py_ssize_t at
    for at in range(len(raw)):
        value = TABLE[(value ^ signs[at]) & 0xFF] ^ (value >> 8)
    return value ^ 0xFFFFFFFF


def hashes(grams, str mark):
    cdef list plain = [], beside = []
    cdef str gram
    for gram in grams:
        if gram[0] == mark:
            beside.append(_crc32(gram))
        else:
            plain.append(_crc32(gram))
    return plain, beside


def sized(found, scale):
    cdef list result = []
    cdef double away
    cdef tuple one
    for one in scale:
        mean = one[1]
        away = (<double>found.get(one[0], mean) - <double>mean) * <double>one[2]
        if not -5.0 <= away <= 5.0:
            away = 5.0 * (away > 0.0) - 5.0 * (away < 0.0)
        result.append(away)
    return result


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


def folded(list values, unsigned int count):
    cdef set found = set()
    cdef unsigned int value
    for value in values:
        found.add(value % count)
    return found
