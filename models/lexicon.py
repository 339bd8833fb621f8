"""Word lists of the generator: parts of invented words, words that begin clauses, verbs that requests begin with."""

# ruff: noqa: SIM905

ONSETS = (
    """b c d f g h j k l m n p r s t v w z b c d f g h k l m n p r s t v y bl br ch cl cr dr fl fr gl gr pl pr qu sh sl
sp st th tr""".split()
    + [""] * 4
)
VOWELS = """a e i o u a e i o a e i o u a e i o ai ea ee oo ou y ie""".split()
CODAS = """n r s t l m k p d g ck nd nt rt st sh x th ll ss ng""".split() + [""] * 28
STOP = frozenset(
    """a about all am an and are as at be by down for from he her him his i i'm in is it it's list me my new no not of
off on or our out over she that the their them they this to today tomorrow up us we with you your""".split()
)
STARTERS = """i'm|i'll|i am|i've|we're|we are|we'll|the|my|it's|there is|there's|can you|could you|don't|please|let's
you should|i can't|i think|i need|are you|did you|do you|what is|where is|she is|he is|they are|our|your|see you
thanks for|sorry about|happy|good|the new|i just|i have|we have|have you|call me|bring|meet me|just|everything
we need|no""".replace("\n", "|").split("|")
NOTES = """the|my|code|idea:|password|parked|size|model|number|buy|try|room|gate|seat|order|locker|ask|the best|key|flight
look up|call|wifi|recipe|bus|our|she likes|he prefers|we need|serial""".replace("\n", "|").split("|")
WITH = """lunch dinner coffee meeting call drinks catch-up breakfast interview sync tennis appointment chat brunch review""".split()
DO_TO = """call|text|email|ring|thank|visit|pay|message|phone|meet|write to|call back|get back to|pick up|check on|talk to""".replace(
    "\n", "|"
).split("|")
GET = """buy|get|order|pick up|bring|pack|buy some|grab|fetch|return|wash|look for|take""".replace("\n", "|").split("|")
VERBS = frozenset(
    """add append block book bring buzz calculate call change check compute convert count create cut dial dim direct
drop fetch figure find fire get give guide have help jot keep kill let look lower make mark message navigate
note open organise organize pencil phone pick ping plan play pop pull put record remind ring run save schedule
search send set shoot show shut start stick switch take tell text throw time toss transfer translate turn type
wake walk write""".split()
)
NOUN_SIGNS = frozenset(""", and call details entry for from in is message number of off on to with""".split())
POLITE = """can you|could you|please|could you please|can you please|would you|i want you to|i need you to|i'd like you to
go ahead and|will you|would you please|pls|kindly|just|can u|i'd love for you to|please just|be so kind and|now""".replace("\n", "|").split(
    "|"
)
QUESTIONS = frozenset(
    """any are can could did do does how how's hows is should what what's whats when where where's which who who's whos
will would""".split()
)
ONES = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
eighteen nineteen""".split()
TENS = """_ ten twenty thirty forty fifty sixty seventy eighty ninety""".split()
