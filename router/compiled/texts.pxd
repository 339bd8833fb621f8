cdef bint alnum(Py_UCS4 sign) except -1
cdef list spoken_words(str text)
cdef list written_numbers(str text)
cdef list told(found)
cdef frozenset stop_words()
