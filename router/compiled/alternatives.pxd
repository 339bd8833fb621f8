cdef struct Told:
    double logprob
    unsigned int start, size


cdef class Block:
    cdef Told* told
    cdef char* texts


cdef class Alternatives:
    cdef Block block
    cdef Py_ssize_t first, count
    cdef Told* told(self)
    cdef str text(self, Py_ssize_t place)
    cdef bint differs(self, Py_ssize_t place, const char* text, Py_ssize_t size)


cdef Block block(Py_ssize_t count, Py_ssize_t letters)
cdef Alternatives within(Block block, Py_ssize_t first, Py_ssize_t count)
cdef Alternatives alternatives(candidates)
