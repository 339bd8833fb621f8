"""What a request and its contract are asked for again and again; see `router/types/asked.py`."""

from cpython.dict cimport PyDict_GetItemWithError
from cpython.ref cimport PyObject


def once(contract, name, make):
    cdef dict known = contract._made
    cdef PyObject* found = PyDict_GetItemWithError(known, name)
    if found is NULL:
        known[name] = made = make(contract)
        return made
    return <object>found


def modalities(request):
    cdef set found = {"text"}
    for message in request.messages:
        for part in message.parts:
            found.add(part.kind)
    return frozenset(found)
