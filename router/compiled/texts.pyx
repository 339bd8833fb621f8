"""Words and numbers of a text, character by character in place of a regular expression; see `router/calibration/words.py` and `asked.py`."""

from cpython.set cimport PySet_Add
from cpython.unicode cimport PyUnicode_DATA, PyUnicode_KIND, PyUnicode_READ, PyUnicode_Substring
from libc.math cimport log1p

cdef extern from "Python.h":
    frozenset PyFrozenSet_New(void*)

cdef Py_ssize_t LONGEST = 6000
cdef unsigned char[128] KNOWN
for _code in range(128):
    KNOWN[_code] = chr(_code).isalnum()
cdef object said_words = None, said_asked = None


cdef object of_words():
    """The plain module of the words, which imports this one."""
    global said_words
    if said_words is None:
        from router.calibration import words

        said_words = words
    return said_words


cdef object of_asked():
    """The plain module of what is asked, which imports this one."""
    global said_asked
    if said_asked is None:
        from router.calibration import asked

        said_asked = asked
    return said_asked


cdef frozenset stop_words():
    return of_words().STOP


cdef struct Signs:
    int kind
    void* data
    Py_ssize_t size


cdef inline Signs signs_of(str text) noexcept:
    """The text's characters where they lie, for as long as the text is held: asking the text for each takes longer than all else."""
    return Signs(PyUnicode_KIND(text), PyUnicode_DATA(text), len(text))


cdef inline Py_UCS4 sign_at(Signs* signs, Py_ssize_t at) noexcept:
    return PyUnicode_READ(signs.kind, signs.data, at)


cdef inline bint alnum(Py_UCS4 sign) noexcept:
    """What a word is made of: a letter or a digit of any script."""
    return KNOWN[sign] if sign < 128 else sign.isalnum()


cdef inline bint in_word(Py_UCS4 sign) noexcept:
    return alnum(sign) or sign == u"_"


cdef inline bint decimal(Py_UCS4 sign) noexcept:
    return u"0" <= sign <= u"9" if sign < 128 else sign.isdecimal()


def spoken(str text):
    return spoken_words(text)


cdef list spoken_words(str text):
    cdef Signs signs = signs_of(text)
    cdef Py_UCS4 sign
    cdef list found = []
    cdef Py_ssize_t at = 0, start
    while at < signs.size:
        if not alnum(sign_at(&signs, at)):
            at += 1
            continue
        start = at
        at = _past_word(&signs, at)
        if at + 1 < signs.size:
            sign = sign_at(&signs, at)
            if (sign == u"'" or sign == u"\u2019") and alnum(sign_at(&signs, at + 1)):
                at = _past_word(&signs, at + 1)
        found.append(PyUnicode_Substring(text, start, at))
    return found


cdef inline Py_ssize_t _past_word(Signs* signs, Py_ssize_t at) noexcept:
    while at < signs.size and alnum(sign_at(signs, at)):
        at += 1
    return at


def digits(str text):
    return written_numbers(text)


cdef list written_numbers(str text):
    cdef Signs signs = signs_of(text)
    cdef Py_UCS4 sign
    cdef list found = []
    cdef Py_ssize_t at = 0, start
    while at < signs.size:
        if not decimal(sign_at(&signs, at)):
            at += 1
            continue
        start = at
        at = _past_digits(&signs, at)
        while at + 1 < signs.size:
            sign = sign_at(&signs, at)
            if not (sign == u"." or sign == u",") or not decimal(sign_at(&signs, at + 1)):
                break
            at = _past_digits(&signs, at + 1)
        found.append(PyUnicode_Substring(text, start, at))
    return found


cdef inline Py_ssize_t _past_digits(Signs* signs, Py_ssize_t at) noexcept:
    while at < signs.size and decimal(sign_at(signs, at)):
        at += 1
    return at


def stems(found):
    return stems_of(found)


cdef frozenset stems_of(found):
    cdef frozenset made = PyFrozenSet_New(NULL), stop = stop_words()
    cdef str word
    for word in found:
        if word not in stop:
            PySet_Add(made, word if len(word) <= 6 else PyUnicode_Substring(word, 0, 6))  # nobody else has seen it yet
    return made


cdef list told(found):
    """Stems of the words that are no stop words."""
    cdef frozenset stop = stop_words()
    cdef str word
    return [word if len(word) <= 6 else word[:6] for word in found if word not in stop]


def names(str text):
    return _names(text)


cdef list _names(str text):
    """Lower-cased; capital letters stand first, behind a blank that ends no sentence."""
    cdef Signs signs = signs_of(text)
    cdef list found = []
    cdef Py_ssize_t at = 2, start
    cdef Py_UCS4 sign
    while at + 1 < signs.size:
        if not u"A" <= sign_at(&signs, at) <= u"Z" or sign_at(&signs, at - 1) != u" ":
            at += 1
            continue
        sign = sign_at(&signs, at - 2)
        if not (u"a" <= sign <= u"z" or u"0" <= sign <= u"9" or sign == u","):
            at += 1
            continue
        start = at
        at += 1
        while at < signs.size and _in_name(sign_at(&signs, at)):
            at += 1
        if at > start + 1:
            found.append(PyUnicode_Substring(text, start, at).casefold())
    return found


cdef inline bint _in_name(Py_UCS4 sign) noexcept:
    return in_word(sign) or sign == u"'" or sign == u"\u2019" or sign == u"-"


def text_features(str original, said, conjunctions, quoted):
    return _of_text(original, said, conjunctions, quoted)


cdef dict _of_text(str original, said, Py_ssize_t conjunctions, Py_ssize_t quoted):
    cdef Signs last = signs_of(field(said, SAID_TEXT)), first = signs_of(original)
    cdef list words = field(said, SAID_WORDS), figured = field(said, SAID_DIGITS)
    cdef str word
    cdef Py_UCS4 sign
    cdef Py_ssize_t at, letters = 0, figures = 0, capitals = 0
    cdef Py_ssize_t commas = 0, sentences = 0, questions = 0, lines = 0, symbols = 0
    cdef double count = max(len(words), 1), size = max(last.size, 1)
    for at in range(last.size):
        sign = sign_at(&last, at)
        if alnum(sign):
            continue
        commas += sign == u","
        questions += sign == u"?"
        lines += sign == u"\n"
        if sign == u"." or sign == u"!" or sign == u"?":
            sentences += at + 1 == last.size or sign_at(&last, at + 1).isspace()
        symbols += sign != u"_" and not sign.isspace()
    for at in range(first.size):
        capitals += u"A" <= sign_at(&first, at) <= u"Z"
    for word in words:
        letters += len(word)
    for word in figured:
        figures += len(word) - word.count(".") - word.count(",")
    return {
        "chars": log1p(last.size),
        "words": log1p(len(words)),
        "word_length": letters / count,
        "content": len(<frozenset>field(said, SAID_STEMS)) / count,
        "digits": figures / size,
        "numbers": float(len(figured)),
        "conjunctions": <double>conjunctions,
        "commas": float(commas),
        "sentences": float(sentences),
        "questions": float(questions),
        "lines": float(lines),
        "quotes": <double>quoted,
        "capitals": capitals / size,
        "symbols": symbols / size,
    }


def overlaps(frozenset own, dict functions):
    return _overlaps(own, functions)


cdef tuple _overlaps(frozenset own, dict functions):
    cdef dict described = {}, named = {}
    cdef frozenset stems
    for name, function in functions.items():
        stems = field(function, FUNCTION_STEMS)
        described[name] = _shared(own, field(function, DESCRIBED)) / <double>(1 + len(stems))
        named[name] = _shared(own, stems) / <double>max(len(stems), 1)
    return described, named


cdef Py_ssize_t _shared(frozenset one, frozenset other) except -1:
    cdef Py_ssize_t found = 0
    if len(one) > len(other):
        one, other = other, one
    for word in one:
        found += word in other
    return found


def times(cue, str text):
    return _times(cue, text)


cdef Py_ssize_t _times(cue, str text) except -1:
    """At each start of a word the first phrase that fits and ends a word."""
    cdef Signs signs = signs_of(text)
    cdef tuple phrases = cue.phrases
    cdef str firsts = cue.firsts, phrase
    cdef Py_UCS4 sign
    cdef Py_ssize_t at = 0, found = 0
    while at < signs.size:
        sign = sign_at(&signs, at)
        if not in_word(sign):
            at += 1
            continue
        if sign in firsts:
            for phrase in phrases:
                if phrase[0] == sign and text.startswith(phrase, at) and _ends(&signs, at + len(phrase)):
                    found += 1
                    at += len(phrase)
                    break
        while at < signs.size and in_word(sign_at(&signs, at)):
            at += 1
    return found


cdef inline bint _ends(Signs* signs, Py_ssize_t at) noexcept:
    return at == signs.size or not in_word(sign_at(signs, at))


cdef Py_ssize_t _count(cue, str text, frozenset found, bint hidden) except -1:
    """As `Cue.count`, where it is known whether an apostrophe may hide a word."""
    cdef Py_ssize_t said = 0
    cdef bint any = hidden
    if not any:
        for word in <frozenset>cue.signs:
            if word in found:
                any = True
                break
    if any:
        said = _times(cue, text)
    return said + text.count(cue.mark) if cue.mark else said


cdef inline bint _hides(str text) except -1:
    return u"'" in text or u"\u2019" in text


def said(str text):
    cdef str lowered = text.casefold()
    cdef list found = spoken_words(lowered), figures = written_numbers(lowered)
    cdef frozenset distinct = frozenset(found), written = frozenset([number_of(figure) for figure in figures])
    cdef dict numerals = of_words().NUMERALS
    cdef list spelled = [numerals[word] for word in distinct if word in numerals]
    cdef frozenset numbers = written.union(spelled) if spelled else written
    return _named(of_asked().Said, (lowered, found, distinct, stems_of(distinct), figures, written, numbers))


cdef object _named = tuple.__new__  # a named tuple of its fields, without the call of Python that its name makes


cdef object number_of(str figure):
    return float(figure) if figure.isdecimal() else of_words().number(figure)


cdef list _quotes(str text):
    """Most texts have none."""
    if u"'" in text or u'"' in text or u"\u201c" in text or u"\u2018" in text:
        return of_words().quotes(text)
    return []


def turns_of(messages):
    cdef list turns = []
    cdef str text
    for message in messages[-20:]:
        text = message.text
        turns.append((message.role, text if len(text) <= LONGEST else text[-LONGEST:]))
    return tuple(turns)


def taken_apart(tuple turns, offered):
    words, plain = of_words(), of_asked()
    remembered = plain.said
    cdef str original = "", text
    for role, text in reversed(turns):
        if role == "user":
            original = text
            break
    cdef list every = [remembered(text) for _, text in turns]
    said = remembered(original)
    cdef bint more = len(turns) > 1 or not original
    cdef frozenset own = field(said, SAID_STEMS), stems = own, numbers = field(said, SAID_NUMBERS), distinct = field(said, SAID_DISTINCT)
    cdef str last = field(said, SAID_TEXT)
    cdef bint hidden = _hides(last)
    cdef Py_ssize_t conjunctions = _count(words.CONJUNCTION, last, distinct, hidden)
    if more:
        stems = own.union(*[field(other, SAID_STEMS) for other in every])
        numbers = numbers.union(*[field(other, SAID_NUMBERS) for other in every])
    cdef list quoted = _quotes(original)
    cdef dict features = _of_text(original, said, conjunctions, len(quoted))
    features["corrections"] = float(_count(words.CORRECTION, last, distinct, hidden))
    features["negations"] = float(_count(words.NEGATION, last, distinct, hidden))
    features["relative"] = float(_count(words.RELATIVE, last, distinct, hidden))
    described, named = _overlaps(own, offered.functions)
    return _named(plain.Asked, (
        last,
        "\n".join([field(other, SAID_TEXT) for other in every]),
        field(said, SAID_WORDS),
        own,
        stems,
        field(said, SAID_WRITTEN),
        field(said, SAID_NUMBERS),
        numbers,
        conjunctions,
        quoted,
        frozenset(_names(original)),
        offered,
        described,
        named,
        features,
    ))


cdef int of_request(dict found, request, known) except -1:
    """Features of the request, into those that were found already."""
    cdef Py_ssize_t characters = 0
    cdef double best = 0.0, second = 0.0, value, name_best = 0.0
    cdef dict overlapping = field(known, OVERLAPS)
    contract, offer = request.contract, field(known, OFFER)
    for name, one in (<dict>field(known, FEATURES)).items():  # an update of an empty dict would take the other's size, and grow again
        found[name] = one
    for message in request.messages:
        characters += len(<str>message.text)
    for one in overlapping.values():
        value = one
        if value > best:
            best, second = value, best
        elif value > second:
            second = value
    for one in (<dict>field(known, NAMED)).values():
        name_best = max(name_best, <double>one)
    found["turns"] = float(len(request.messages))
    found["all_chars"] = log1p(characters)
    for name, one in (<dict>offer.features).items():
        found[name] = one
    found["overlap_best"] = best
    found["name_best"] = name_best
    found["overlap_gap"] = best - second if len(overlapping) > 1 else 0.0
    found["kind"] = float(of_asked().KINDS.index(contract.kind))
    found["must_call"] = float(contract.tool_choice.mode in ("required", "named"))
    return 0


def request_features(request, known=None):
    cdef dict found = {}
    of_request(found, request, of_asked().asked(request) if known is None else known)
    return found
