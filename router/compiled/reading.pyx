"""Tokens out of the log-probabilities in an answer as servers write it, with no object for a position or an alternative; see
`server/engines/openai/logprobs.py`.

They are nine tenths of an answer's JSON. What is not written as servers write it makes an error of this module's own, upon which the whole
answer is read in the ordinary way, and taken or refused there.
"""

cimport cython
from cpython.mem cimport PyMem_Realloc
from cpython.ref cimport Py_INCREF
from cpython.tuple cimport PyTuple_SET_ITEM
from libc.math cimport isinf
from libc.string cimport memcmp, memcpy

from router.compiled.alternatives cimport Block, Told, block, within
from router.types import Token

cdef extern from "Python.h":
    str PyUnicode_DecodeUTF8(const char*, Py_ssize_t, const char*)
    double PyOS_string_to_double(const char*, char**, void*) except? -1.0
    ctypedef struct PyTypeObject:
        object (*tp_alloc)(PyTypeObject*, Py_ssize_t)

ctypedef const unsigned char* Text

cdef double MASKED = -9000.0, TOLERANCE = 1e-3
cdef double[23] TENS
for _place in range(23):
    TENS[_place] = 10.0**_place
cdef unsigned long long EXACT = 2**53
cdef bytes SIGNS = b'"\\/bfnrt', MEANT = b'"\\/\b\f\n\r\t'
cdef bytes NAME = b'"logprobs"'
cdef Py_ssize_t SHORTEST = len('{"token":""},')

cdef enum:
    OTHER = 0
    TOKEN = 1
    LOGPROB = 2
    TOP = 3
    CONTENT = 4


cdef int unusual() except -1:
    raise ValueError("not as servers write it")


def apart(body, bint constrained, mask):
    cdef bytes whole
    cdef Scan scan = Scan.__new__(Scan)
    cdef list rest = [], tokens = []
    cdef Py_ssize_t last = 0, at = 0
    cdef Text start
    scan.constrained, scan.before, scan.after = constrained, mask == "before", mask == "after"
    try:
        whole = body if type(body) is bytes else body.encode()
        start = whole
        scan.stop = start + len(whole)
        while True:
            at = whole.find(NAME, at)
            if at < 0:
                break
            scan.at = start + at + len(NAME)
            if at == 0 or whole[at - 1] == c"\\" or scan.sign() != c":":  # the end of a text, or the whole of one
                at += len(NAME)
                continue
            scan.at += 1
            if not scan.null():
                rest += [whole[last : scan.at - start], b"%d" % len(tokens)]
                tokens.append(scan.logprobs())
                last = scan.at - start
            at = scan.at - start
    except ValueError:
        return None
    return (b"".join([*rest, whole[last:]]), tokens) if last else (whole, tokens)


@cython.final
cdef class Scan:
    """Goes through the JSON once; the alternatives' numbers and texts are kept in the answer's block."""

    cdef Text at, stop
    cdef Block block
    cdef Py_ssize_t count, letters
    cdef bint constrained, before, after, wide

    cdef tuple logprobs(self):
        """The tokens of a choice."""
        cdef list found = []
        cdef bint seen = False, more = self.opened(c"{", c"}")
        self.block = block((self.stop - self.at) // SHORTEST, self.stop - self.at)
        self.count = self.letters = 0
        while more:
            if self.key() != CONTENT:
                self.skip()
            elif seen:
                unusual()
            else:
                seen = True
                if not self.null():
                    more = self.opened(c"[", c"]")
                    while more:
                        found.append(self.position())
                        more = self.more(c"]")
            more = self.more(c"}")
        self.shrink()
        return tuple(found)

    cdef int shrink(self) except -1:
        """To what is filled, which may move it."""
        cdef void* told = PyMem_Realloc(self.block.told, max(self.count, 1) * sizeof(Told))
        cdef void* texts
        if told is not NULL:
            self.block.told = <Told*>told
        texts = PyMem_Realloc(self.block.texts, max(self.letters, 1))
        if texts is not NULL:
            self.block.texts = <char*>texts
        return 0

    cdef object position(self):
        cdef str text = None
        cdef bint told = False, seen = False, more = self.opened(c"{", c"}")
        cdef double value = 0.0, best = -1.0
        cdef Py_ssize_t size, asked = 0, first = self.count
        cdef int key
        while more:
            key = self.key()
            if key == TOKEN:
                size = self.string()
                text = PyUnicode_DecodeUTF8(self.block.texts + self.letters, size, NULL)
            elif key == LOGPROB:
                told = not self.null()
                if told:
                    value = self.number()
            elif key == TOP:
                if seen:
                    unusual()
                seen = True
                if not self.null():
                    more = self.opened(c"[", c"]")
                    while more:
                        best = max(best, self.alternative())
                        asked += 1
                        more = self.more(c"]")
            else:
                self.skip()
            more = self.more(c"}")
        if text is None:
            unusual()
        if best > TOLERANCE or told and value > TOLERANCE:
            return made(text, None, None, None, (), ())
        if best > 0.0:  # rounded up beyond certainty
            for size in range(first, self.count):
                if not self.block.told[size].logprob < 0.0:
                    self.block.told[size].logprob = 0.0
        number = min(value, 0.0) if told and value > MASKED else None
        top = within(self.block, first, self.count - first) if self.count > first else ()
        if not self.constrained:
            return made(text, number, number, True, top, top)
        if self.before:
            return made(text, None, number, None, top, ())
        free = None if not self.after else True if self.count - first > 1 else False if asked > 1 else None
        return made(text, number, None, free, (), top)

    cdef double alternative(self) except? -2.0:
        """The number of one, which is kept where it is told and no sign."""
        cdef bint told = False, named = False, more = self.opened(c"{", c"}")
        cdef double value = 0.0
        cdef Py_ssize_t length = 0
        cdef int key
        cdef Told* one
        while more:
            key = self.key()
            if key == TOKEN:
                named = True
                length = self.string()
                if self.wide:  # valid or not
                    PyUnicode_DecodeUTF8(self.block.texts + self.letters, length, NULL)
            elif key == LOGPROB:
                told = not self.null()
                if told:
                    value = self.number()
            else:
                self.skip()
            more = self.more(c"}")
        if not named:
            unusual()
        if not told or value <= MASKED:
            return -1.0
        one = &self.block.told[self.count]
        one.logprob, one.start, one.size = value, <unsigned int>self.letters, <unsigned int>length
        self.count += 1
        self.letters += length
        return value

    cdef inline unsigned char sign(self) except 0:
        """The next that is no white space; at the end stands the zero behind every `bytes`, which is none."""
        cdef Text at = self.at
        while at[0] <= c" ":
            if at[0] != c" " and at[0] != c"\n" and at[0] != c"\r" and at[0] != c"\t":
                unusual()
            at += 1
        self.at = at
        return at[0]

    cdef bint opened(self, unsigned char mark, unsigned char end) except -1:
        """Whether the array or object that must begin here holds anything."""
        if self.sign() != mark:
            unusual()
        self.at += 1
        if self.sign() != end:
            return True
        self.at += 1
        return False

    cdef inline bint more(self, unsigned char end) except -1:
        cdef unsigned char found = self.sign()
        if found != c"," and found != end:
            unusual()
        self.at += 1
        return found != end

    cdef bint null(self) except -1:
        if self.sign() != c"n":
            return False
        self.word(b"null", 4)
        return True

    cdef int word(self, const char* text, Py_ssize_t size) except -1:
        if self.stop - self.at < size or memcmp(self.at, text, size) != 0:
            unusual()
        self.at += size
        return 0

    cdef int key(self) except -1:
        """Which name stands before the next value; goes to where that begins."""
        cdef int found = OTHER
        cdef Text at
        if self.sign() != c'"' or self.stop - self.at < 16:
            unusual()
        at = self.at + 1
        if memcmp(at, b'token"', 6) == 0:
            found, self.at = TOKEN, at + 6
        elif memcmp(at, b'logprob"', 8) == 0:
            found, self.at = LOGPROB, at + 8
        elif memcmp(at, b'bytes"', 6) == 0:
            self.at = at + 6
        elif memcmp(at, b'top_logprobs"', 13) == 0:
            found, self.at = TOP, at + 13
        elif memcmp(at, b'content"', 8) == 0:
            found, self.at = CONTENT, at + 8
        else:
            self.at = at
            self.past()
        if self.sign() != c":":
            unusual()
        self.at += 1
        self.sign()
        return found

    cdef int past(self) except -1:
        """Behind the rest of a plain text."""
        cdef Text at = self.at
        while at[0] != c'"':
            if at[0] == c"\\" or not 32 <= at[0] < 128:
                unusual()
            at += 1
        self.at = at + 1
        return 0

    cdef int skip(self) except -1:
        """Past a value that nobody reads: a plain one, or an array of such."""
        cdef bint more
        if self.sign() != c"[":
            self.pass_by()
            return 0
        more = self.opened(c"[", c"]")
        while more:
            self.pass_by()
            more = self.more(c"]")
        return 0

    cdef int pass_by(self) except -1:
        """Past a plain value."""
        cdef unsigned char found = self.sign()
        if found == c'"':
            self.at += 1
            self.past()
        elif found == c"n":
            self.word(b"null", 4)
        elif found == c"t":
            self.word(b"true", 4)
        elif found == c"f":
            self.word(b"false", 5)
        else:
            self.past_number()
        return 0

    cdef int past_number(self) except -1:
        """Past a whole number without working it out; of most of them there are more than of all else, for they are bytes."""
        cdef Text at = self.at + (self.at[0] == c"-"), first = at
        while c"0" <= at[0] <= c"9":
            at += 1
        if at == first or first[0] == c"0" and at > first + 1:
            unusual()
        if at[0] == c"." or at[0] | 32 == c"e":
            self.number()
        else:
            self.at = at
        return 0

    cdef Py_ssize_t string(self) except -1:
        """How long the text is, which stands behind those that are kept; `wide` where it is not ASCII alone."""
        cdef char* start = self.block.texts + self.letters
        cdef char* to = start
        cdef Text at
        cdef unsigned char letter, high = 0
        if self.sign() != c'"':
            unusual()
        at = self.at + 1
        while True:
            letter = at[0]
            at += 1
            if letter == c'"':
                self.at, self.wide = at, high >= 128
                return to - start
            if letter < 32:
                unusual()
            if letter == c"\\":
                at += unescaped(at, self.stop, &to)
            else:
                high |= letter
                to[0] = letter
                to += 1

    cdef double number(self) except? -2.0:
        """The nearest to what is written: a division of two whole numbers that are exact is rounded once (Clinger 1990)."""
        cdef bint negative = self.sign() == c"-", whole = True
        cdef Text at = self.at + negative, first = at
        cdef unsigned long long digits = 0
        cdef int tens = 0, figures = 0
        cdef char* end
        cdef double found
        while c"0" <= at[0] <= c"9":
            digits = 10 * digits + (at[0] - c"0")
            figures += digits != 0
            at += 1
        if at == first or first[0] == c"0" and at > first + 1:
            unusual()
        if at[0] == c".":
            whole = False
            at += 1
            first = at
            while c"0" <= at[0] <= c"9":
                digits = 10 * digits + (at[0] - c"0")
                figures += digits != 0
                at += 1
            if at == first:
                unusual()
            tens = first - at
        if at[0] != c"e" and at[0] != c"E":
            if figures < 20 and digits <= EXACT and tens >= -22:
                self.at = at
                found = <double>digits / TENS[-tens]
                return -found if negative and not (whole and digits == 0) else found
            if whole:
                unusual()
        found = PyOS_string_to_double(<const char*>self.at, &end, NULL)
        if isinf(found):
            unusual()
        self.at = <Text>end
        return found


cdef Py_ssize_t unescaped(Text at, Text stop, char** to) except -1:
    """How much of the text the rest of this escape is, whose character goes where `to` points."""
    cdef Py_ssize_t place
    cdef bytes made
    if at < stop and at[0] != c"u":
        place = SIGNS.find(at[0])
        if place < 0:
            unusual()
        to[0][0] = MEANT[place]
        to[0] += 1
        return 1
    if stop - at < 5:
        unusual()
    for place in range(1, 5):
        if not (c"0" <= at[place] <= c"9" or c"a" <= at[place] | 32 <= c"f"):
            unusual()
    made = chr(int((at + 1)[:4], 16)).encode()  # half of a character is none
    memcpy(to[0], <char*>made, len(made))
    to[0] += len(made)
    return 5


cdef object made(text, logprob, raw, free, top, masked):
    """A `Token` without a tuple of its fields before it."""
    cdef object token = (<PyTypeObject*>Token).tp_alloc(<PyTypeObject*>Token, 6)
    filled(token, 0, text)
    filled(token, 1, logprob)
    filled(token, 2, raw)
    filled(token, 3, free)
    filled(token, 4, top)
    filled(token, 5, masked)
    return token


cdef inline int filled(token, Py_ssize_t place, value) except -1:
    Py_INCREF(value)
    PyTuple_SET_ITEM(token, place, value)
    return 0
