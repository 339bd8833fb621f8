"""What other compiled modules use of `tokens`."""

cdef int of_tokens(dict found, draft) except -1
