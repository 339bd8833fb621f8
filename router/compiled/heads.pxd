"""What other compiled modules use of `heads`."""

cdef void* room(size_t size) except NULL
cdef double exact(const double* terms, Py_ssize_t count) except? -1.0
