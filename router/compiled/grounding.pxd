cdef int of_grounding(dict found, known, calls) except -1
