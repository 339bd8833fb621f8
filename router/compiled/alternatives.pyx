"""What could have stood at a position: an answer has hundreds of them, which only compiled code reads, so that none is an object of its own."""

cimport cython
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.string cimport memcmp, memcpy

from router.types import Alternative

cdef extern from "Python.h":
    str PyUnicode_DecodeUTF8(const char*, Py_ssize_t, const char*)


@cython.final
@cython.no_gc
cdef class Block:
    """Those of a whole answer: numbers, each with the place of its text among all texts, which are UTF-8."""

    def __dealloc__(self):
        PyMem_Free(self.told)
        PyMem_Free(self.texts)


cdef Block block(Py_ssize_t count, Py_ssize_t letters):
    cdef Block made = Block.__new__(Block)
    made.told = <Told*>PyMem_Malloc(max(count, 1) * sizeof(Told))
    made.texts = <char*>PyMem_Malloc(max(letters, 1))
    if made.told is NULL or made.texts is NULL:
        raise MemoryError
    return made


@cython.final
@cython.no_gc
@cython.freelist(256)
cdef class Alternatives:
    """Those of one position: Python finds in it what it finds in the tuple of `Alternative`s."""

    cdef Told* told(self):
        return self.block.told + self.first

    cdef str text(self, Py_ssize_t place):
        cdef Told* one = self.told() + place
        return PyUnicode_DecodeUTF8(self.block.texts + one.start, one.size, "surrogatepass")

    cdef bint differs(self, Py_ssize_t place, const char* text, Py_ssize_t size):
        cdef Told* one = self.told() + place
        return size != one.size or memcmp(text, self.block.texts + one.start, one.size) != 0

    def __len__(self):
        return self.count

    def __getitem__(self, key):
        return plain(self)[key]

    def __iter__(self):
        return iter(plain(self))

    def __eq__(self, other):
        return plain(self) == (plain(other) if type(other) is Alternatives else other)

    def __hash__(self):
        return hash(plain(self))

    def __repr__(self):
        return repr(plain(self))

    def __reduce__(self):
        return tuple, (plain(self),)


cdef tuple plain(Alternatives found):
    cdef Py_ssize_t place
    return tuple([Alternative(found.text(place), found.told()[place].logprob) for place in range(found.count)])


cdef Alternatives within(Block block, Py_ssize_t first, Py_ssize_t count):
    """So many of a block's."""
    cdef Alternatives made = Alternatives.__new__(Alternatives)
    made.block, made.first, made.count = block, first, count
    return made


cdef Alternatives NONE = within(block(0, 0), 0, 0)


cdef Alternatives alternatives(candidates):
    """Those that an engine gives as records of its own."""
    cdef Py_ssize_t place = 0, end = 0
    cdef list texts
    cdef bytes text
    cdef Block made
    if type(candidates) is Alternatives:
        return candidates
    if not candidates:
        return NONE
    texts = [other.text.encode("utf-8", "surrogatepass") for other in candidates]
    made = block(len(texts), sum([len(text) for text in texts]))
    for other in candidates:
        text = texts[place]
        made.told[place] = Told(other.logprob, end, len(text))
        memcpy(made.texts + end, <char*>text, len(text))
        end += len(text)
        place += 1
    return within(made, 0, place)
