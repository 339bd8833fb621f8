"""Log-probabilities as JSON, with no object for a token or an alternative; see `server/api/render.py`."""

cimport cython
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.ref cimport PyObject
from libc.string cimport memcpy

from msgspec import Raw
from msgspec.json import encode

from router.compiled import PLAIN
from router.compiled.alternatives cimport Alternatives, Told

cdef extern from "Python.h":
    PyObject* PyTuple_GetItem(object, Py_ssize_t) except NULL

cdef Py_ssize_t AROUND = len('{"token":"","logprob":,"bytes":[],"top_logprobs":[]},'), LETTER = len("\\u0000") + len("255,")
"""The most that is written of a token beside its letters and its number, and the most of a letter."""
cdef const char* SHORT = b"        btn fr                  "
cdef const char* HEXADECIMAL = b"0123456789abcdef"


cdef inline object field(token, Py_ssize_t place):
    """Of a tuple or a named one."""
    return <object>PyTuple_GetItem(token, place)


def written(tokens, Py_ssize_t top):
    cdef list numbers = [], texts = [], candidates = []
    cdef bytes text
    cdef Alternatives others
    cdef Py_ssize_t size = 0, place, shown
    cdef char* start
    cdef Out out
    for token in tokens:
        if field(token, 1) is None:
            return None
    for token in tokens:
        found = field(token, 5) or field(token, 4)
        text = (<str?>field(token, 0)).encode()
        numbers.append(field(token, 1))
        texts.append(text)
        size += AROUND + LETTER * len(text)
        if not top or not found:
            candidates.append(None)
            continue
        if type(found) is not Alternatives:  # of another engine
            return PLAIN["written.written"](tokens, top)
        others = found
        candidates.append(others)
        for place in range(min(top, others.count)):
            numbers.append(others.told()[place].logprob)
            size += AROUND + LETTER * others.told()[place].size
    if not texts:
        return None
    figures = encode(numbers)
    start = <char*>PyMem_Malloc(size + len(figures) + AROUND)
    if start is NULL:
        raise MemoryError
    try:
        out = Out.__new__(Out)
        out.to, out.figures = start, <char*>(<bytes>figures) + 1
        out.put(b'{"content":[', 12)
        for place in range(len(texts)):
            text, found = texts[place], candidates[place]
            out.entry(<char*>text, len(text))
            out.put(b',"top_logprobs":[', 17)
            if found is not None:
                others = found
                for shown in range(min(top, others.count)):
                    out.entry(others.block.texts + others.told()[shown].start, others.told()[shown].size)
                    out.put(b"},", 2)
                out.to -= 1
            out.put(b"]},", 3)
        out.to -= 1
        out.put(b'],"refusal":null}', 17)
        return Raw(start[: out.to - start])
    finally:
        PyMem_Free(start)


@cython.final
cdef class Out:
    """What was written so far, and the numbers that come next, each before a comma or the end of all."""

    cdef char* to
    cdef const char* figures

    cdef void put(self, const char* text, Py_ssize_t size):
        memcpy(self.to, text, size)
        self.to += size

    cdef void entry(self, const char* text, Py_ssize_t size):
        """Of a token or an alternative, but for its end."""
        cdef Py_ssize_t place
        self.put(b'{"token":"', 10)
        for place in range(size):
            self.letter(<unsigned char>text[place])
        self.put(b'","logprob":', 12)
        while self.figures[0] != c"," and self.figures[0] != c"]":
            self.put(self.figures, 1)
            self.figures += 1
        self.figures += 1
        self.put(b',"bytes":[', 10)
        for place in range(size):
            self.number(<unsigned char>text[place])
        if size:
            self.to -= 1
        self.put(b"]", 1)

    cdef void letter(self, unsigned char letter):
        """Escaped where JSON wants that, shortly where it can be."""
        cdef const char* short = SHORT
        if letter >= 32 and letter != c'"' and letter != c"\\":
            self.put(<char*>&letter, 1)
        elif letter == c'"' or letter == c"\\":
            self.put(b"\\", 1)
            self.put(<char*>&letter, 1)
        elif short[letter] != c" ":
            self.put(b"\\", 1)
            self.put(short + letter, 1)
        else:
            self.put(b"\\u00", 4)
            self.put(HEXADECIMAL + (letter >> 4), 1)
            self.put(HEXADECIMAL + (letter & 15), 1)

    cdef void number(self, unsigned char number):
        if number >= 100:
            self.put(HEXADECIMAL + number // 100, 1)
        if number >= 10:
            self.put(HEXADECIMAL + number // 10 % 10, 1)
        self.put(HEXADECIMAL + number % 10, 1)
        self.put(b",", 1)
