cdef list spoken_words(str text)
cdef list written_numbers(str text)
cdef list told(found)
cdef frozenset stop_words()
cdef int of_request(dict found, request, known) except -1
