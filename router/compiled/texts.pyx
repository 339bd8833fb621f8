"""Words and numbers of a text, character by character in place of a regular expression; see `router/calibration/words.py` and `asked.py`."""

from libc.math cimport log1p

cdef unsigned char[128] KNOWN
for _code in range(128):
    KNOWN[_code] = chr(_code).isalnum()
cdef frozenset STOP = None


cdef frozenset stop_words():
    global STOP
    if STOP is None:
        from router.calibration.words import STOP as known  # it imports this module

        STOP = known
    return STOP


cdef bint alnum(Py_UCS4 sign) except -1:
    """What a word is made of: a letter or a digit of any script."""
    return KNOWN[sign] if sign < 128 else sign.isalnum()


def spoken(str text):
    return spoken_words(text)


cdef list spoken_words(str text):
    cdef list found = []
    cdef Py_ssize_t at = 0, start, size = len(text)
    while at < size:
        if not alnum(text[at]):
            at += 1
            continue
        start = at
        at = _past_word(text, at, size)
        if at + 1 < size and (text[at] == u"'" or text[at] == u"\u2019") and alnum(text[at + 1]):
            at = _past_word(text, at + 1, size)
        found.append(text[start:at])
    return found


cdef Py_ssize_t _past_word(str text, Py_ssize_t at, Py_ssize_t size) except -1:
    while at < size and alnum(text[at]):
        at += 1
    return at


def digits(str text):
    return written_numbers(text)


cdef list written_numbers(str text):
    cdef list found = []
    cdef Py_ssize_t at = 0, start, size = len(text)
    while at < size:
        if not _decimal(text[at]):
            at += 1
            continue
        start = at
        at = _past_digits(text, at, size)
        while at + 1 < size and (text[at] == u"." or text[at] == u",") and _decimal(text[at + 1]):
            at = _past_digits(text, at + 1, size)
        found.append(text[start:at])
    return found


cdef bint _decimal(Py_UCS4 sign) except -1:
    return u"0" <= sign <= u"9" if sign < 128 else sign.isdecimal()


cdef Py_ssize_t _past_digits(str text, Py_ssize_t at, Py_ssize_t size) except -1:
    while at < size and _decimal(text[at]):
        at += 1
    return at


def stems(found):
    return frozenset(told(found))


cdef list told(found):
    """Stems of the words that are no stop words."""
    cdef frozenset stop = stop_words()
    cdef str word
    return [word if len(word) <= 6 else word[:6] for word in found if word not in stop]


def names(str text):
    """Lower-cased; capital letters stand first, behind a blank that ends no sentence."""
    cdef list found = []
    cdef Py_ssize_t at = 2, start, size = len(text)
    cdef Py_UCS4 sign
    while at + 1 < size:
        sign = text[at - 2]
        if not (u"A" <= text[at] <= u"Z" and text[at - 1] == u" " and (u"a" <= sign <= u"z" or u"0" <= sign <= u"9" or sign == u",")):
            at += 1
            continue
        start = at
        at += 1
        while at < size and (alnum(text[at]) or text[at] in u"_'\u2019-"):
            at += 1
        if at > start + 1:
            found.append(text[start:at].casefold())
    return found


def text_features(str original, said, conjunctions, quoted):
    cdef str last = said.text
    cdef list words = said.words
    cdef str word
    cdef Py_UCS4 sign
    cdef Py_ssize_t at, length = len(last), letters = 0, figures = 0, capitals = 0
    cdef Py_ssize_t commas = 0, sentences = 0, questions = 0, lines = 0, symbols = 0
    cdef double count = max(len(words), 1), size = max(length, 1)
    for at in range(length):
        sign = last[at]
        if alnum(sign):
            continue
        commas += sign == u","
        questions += sign == u"?"
        lines += sign == u"\n"
        if sign == u"." or sign == u"!" or sign == u"?":
            sentences += at + 1 == length or last[at + 1].isspace()
        symbols += sign != u"_" and not sign.isspace()
    for sign in original:
        capitals += u"A" <= sign <= u"Z"
    for word in words:
        letters += len(word)
    for word in said.digits:
        figures += len(word) - word.count(".") - word.count(",")
    return {
        "chars": log1p(length),
        "words": log1p(len(words)),
        "word_length": letters / count,
        "content": len(said.stems) / count,
        "digits": figures / size,
        "numbers": float(len(said.digits)),
        "conjunctions": float(conjunctions),
        "commas": float(commas),
        "sentences": float(sentences),
        "questions": float(questions),
        "lines": float(lines),
        "quotes": float(quoted),
        "capitals": capitals / size,
        "symbols": symbols / size,
    }


def overlaps(frozenset own, dict functions):
    cdef dict described = {}, named = {}
    for name, function in functions.items():
        described[name] = _shared(own, function.described) / <double>(1 + len(function.stems))
        named[name] = _shared(own, function.stems) / <double>max(len(function.stems), 1)
    return described, named


cdef Py_ssize_t _shared(frozenset one, frozenset other) except -1:
    cdef Py_ssize_t found = 0
    if len(one) > len(other):
        one, other = other, one
    for word in one:
        found += word in other
    return found


def times(cue, str text):
    """At each start of a word the first phrase that fits and ends a word."""
    cdef tuple phrases = cue.phrases
    cdef str firsts = cue.firsts, phrase
    cdef Py_ssize_t at = 0, size = len(text), found = 0
    while at < size:
        if not alnum(text[at]) and text[at] != u"_":
            at += 1
            continue
        if text[at] in firsts:
            for phrase in phrases:
                if phrase[0] == text[at] and text.startswith(phrase, at) and _ends(text, at + len(phrase), size):
                    found += 1
                    at += len(phrase)
                    break
        while at < size and (alnum(text[at]) or text[at] == u"_"):
            at += 1
    return found


cdef bint _ends(str text, Py_ssize_t at, Py_ssize_t size) except -1:
    return at == size or not (alnum(text[at]) or text[at] == u"_")
