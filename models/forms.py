"""Times, durations, days and amounts that must be worked out, and the forms of words that state them."""

from collections.abc import Callable
from functools import cache
from random import Random

from models import quantities
from models.grammar import Slot, Split, portion
from models.lexicon import ONES
from models.quantities import DAYS, SIGNS, clock, compact, spoken, words
from models.slots import Context, Filled, currencies, units

TIMES = """- {d} before {t}
- {d} ahead of {t}
- {d} prior to {t}
- {d} earlier than {t}
- {t} minus {d}
- {d} short of {t}
- {d} in advance of {t}
- {d} before it's {t}
- {d} sooner than {t}
+ {d} after {t}
+ {d} past {t}
+ {d} later than {t}
+ {t} plus {d}
+ {d} following {t}
+ {d} beyond {t}
+ {d} after it's {t}
- {m} to {h}
- {m} minutes to {h}
- {m} before {h}
- {m} minutes before {h}
- {m} till {h}
- {m} minutes till {h}
- {m} min to {h}
+ {m} past {h}
+ {m} minutes past {h}
+ {m} after {h}
+ {m} minutes after {h}
+ {m} min past {h}
- exactly {d} before {t}
- just {d} before {t}
- {t} less {d}
- {t} but {d} earlier
- {d} back from {t}
- {d} before the clock strikes {t}
- {m} mins to {h}
- {m} min before {h}
- {m} mins before {h}
- {m} mins till {h}
- {m} minutes short of {h}
- {m} minutes shy of {h}
+ exactly {d} after {t}
+ just {d} after {t}
+ {t} + {d}
+ {t} but {d} later
+ {d} on from {t}
+ {d} after the clock strikes {t}
+ {m} mins past {h}
+ {m} mins after {h}
+ {m} min after {h}""".splitlines()
DURATIONS: dict[str, Callable[[int, int, int], int]] = {
    "{H} and a half": lambda h, m, k: h * 60 + 30,
    "{h} and a half hours": lambda h, m, k: h * 60 + 30,
    "{H} and {m} minutes": lambda h, m, k: h * 60 + m,
    "{H} {m} minutes": lambda h, m, k: h * 60 + m,
    "{H}, {m} minutes": lambda h, m, k: h * 60 + m,
    "{H} {m}": lambda h, m, k: h * 60 + m,
    "{H} plus {m} minutes": lambda h, m, k: h * 60 + m,
    "{H} and {m} mins": lambda h, m, k: h * 60 + m,
    "{i}h{j}": lambda h, m, k: h * 60 + m,
    "{i}h {j}m": lambda h, m, k: h * 60 + m,
    "{i} h {j} min": lambda h, m, k: h * 60 + m,
    "{i} hr {j} min": lambda h, m, k: h * 60 + m,
    "{i}hr {j}min": lambda h, m, k: h * 60 + m,
    "{m} minutes more than {H}": lambda h, m, k: h * 60 + m,
    "{H} minus {m} minutes": lambda h, m, k: h * 60 - m,
    "{H} less {m} minutes": lambda h, m, k: h * 60 - m,
    "{m} minutes less than {H}": lambda h, m, k: h * 60 - m,
    "{m} minutes short of {H}": lambda h, m, k: h * 60 - m,
    "{H} and a quarter": lambda h, m, k: h * 60 + 15,
    "{h} and a quarter hours": lambda h, m, k: h * 60 + 15,
    "{H} and three quarters": lambda h, m, k: h * 60 + 45,
    "{h} and three quarter hours": lambda h, m, k: h * 60 + 45,
    "{H} plus half an hour": lambda h, m, k: h * 60 + 30,
    "half an hour plus {m} minutes": lambda h, m, k: 30 + m,
    "half an hour and {m} minutes": lambda h, m, k: 30 + m,
    "three quarters of an hour": lambda h, m, k: 45,
    "a quarter of an hour": lambda h, m, k: 15,
    "quarter of an hour": lambda h, m, k: 15,
    "three-quarters of an hour": lambda h, m, k: 45,
    "{m} minutes plus {n}": lambda h, m, k: m + 5 * k,
    "{m} plus {n} minutes": lambda h, m, k: m + 5 * k,
    "{m} minutes and {n} more": lambda h, m, k: m + 5 * k,
    "{m} minutes and another {n}": lambda h, m, k: m + 5 * k,
    "{m} minutes plus {n} minutes": lambda h, m, k: m + 5 * k,
    "{m} + {n} minutes": lambda h, m, k: m + 5 * k,
    "twice {m} minutes": lambda h, m, k: 2 * m,
    "double {m} minutes": lambda h, m, k: 2 * m,
    "two times {m} minutes": lambda h, m, k: 2 * m,
    "2 x {j} minutes": lambda h, m, k: 2 * m,
    "{k} times {m} minutes": lambda h, m, k: k * m,
    "{H} and {m}": lambda h, m, k: h * 60 + m,
    "{H} & {m} minutes": lambda h, m, k: h * 60 + m,
    "{H} and another {m} minutes": lambda h, m, k: h * 60 + m,
    "{H}, plus {m} minutes": lambda h, m, k: h * 60 + m,
    "{H} with {m} minutes on top": lambda h, m, k: h * 60 + m,
    "{m} minutes on top of {H}": lambda h, m, k: h * 60 + m,
    "{m} minutes over {H}": lambda h, m, k: h * 60 + m,
    "{m} mins more than {H}": lambda h, m, k: h * 60 + m,
    "{i}h{j}m": lambda h, m, k: h * 60 + m,
    "{i} h {j} m": lambda h, m, k: h * 60 + m,
    "{i}h {j}min": lambda h, m, k: h * 60 + m,
    "{H} minus {m}": lambda h, m, k: h * 60 - m,
    "{m} minutes under {H}": lambda h, m, k: h * 60 - m,
    "{m} minutes shy of {H}": lambda h, m, k: h * 60 - m,
    "{m} mins less than {H}": lambda h, m, k: h * 60 - m,
    "{H} but {m} minutes less": lambda h, m, k: h * 60 - m,
    "{H} and half an hour": lambda h, m, k: h * 60 + 30,
    "half an hour more than {H}": lambda h, m, k: h * 60 + 30,
    "half an hour less than {H}": lambda h, m, k: h * 60 - 30,
    "{H} minus half an hour": lambda h, m, k: h * 60 - 30,
    "{H} plus a quarter of an hour": lambda h, m, k: h * 60 + 15,
    "{H} and a quarter of an hour": lambda h, m, k: h * 60 + 15,
    "{H} minus a quarter of an hour": lambda h, m, k: h * 60 - 15,
    "{H} and three quarters of an hour": lambda h, m, k: h * 60 + 45,
    "a quarter of an hour plus {m} minutes": lambda h, m, k: 15 + m,
    "three quarters of an hour plus {m} minutes": lambda h, m, k: 45 + m,
    "{m} minutes with {n} more on top": lambda h, m, k: m + 5 * k,
    "{m} mins + {n} mins": lambda h, m, k: m + 5 * k,
    "{n} minutes more than {m} minutes": lambda h, m, k: m + 5 * k,
    "three times {m} minutes": lambda h, m, k: 3 * m,
    "3 x {j} minutes": lambda h, m, k: 3 * m,
    "4 times {j} minutes": lambda h, m, k: 4 * m,
    "{k} lots of {m} minutes": lambda h, m, k: k * m,
}
DAY_FORMS: dict[str, int] = {
    "the day after {d}": 1,
    "a day after {d}": 1,
    "one day after {d}": 1,
    "the day following {d}": 1,
    "a day later than {d}": 1,
    "the next day after {d}": 1,
    "the day right after {d}": 1,
    "the day that follows {d}": 1,
    "the day just after {d}": 1,
    "1 day after {d}": 1,
    "the day before {d}": -1,
    "a day before {d}": -1,
    "one day before {d}": -1,
    "the day preceding {d}": -1,
    "a day earlier than {d}": -1,
    "the day right before {d}": -1,
    "the day prior to {d}": -1,
    "the day just before {d}": -1,
    "1 day before {d}": -1,
    "two days after {d}": 2,
    "2 days after {d}": 2,
    "two days later than {d}": 2,
    "three days after {d}": 3,
    "3 days after {d}": 3,
    "two days before {d}": -2,
    "2 days before {d}": -2,
    "two days ahead of {d}": -2,
    "three days before {d}": -3,
    "3 days before {d}": -3,
    "the day directly after {d}": 1,
    "the day immediately after {d}": 1,
    "the day straight after {d}": 1,
    "the day that comes after {d}": 1,
    "the first day after {d}": 1,
    "a day past {d}": 1,
    "the day directly before {d}": -1,
    "the day immediately before {d}": -1,
    "the day that comes before {d}": -1,
    "the day that precedes {d}": -1,
    "the last day before {d}": -1,
    "a day ahead of {d}": -1,
    "a day prior to {d}": -1,
    "one day prior to {d}": -1,
    "two days past {d}": 2,
    "two days prior to {d}": -2,
    "2 days prior to {d}": -2,
    "two days earlier than {d}": -2,
    "three days later than {d}": 3,
    "three days prior to {d}": -3,
    "four days after {d}": 4,
    "4 days after {d}": 4,
    "four days before {d}": -4,
    "five days after {d}": 5,
}
NOWS: dict[str, int] = {
    "today is {d}": 0,
    "it's {d} today": 0,
    "it's {d}": 0,
    "today's {d}": 0,
    "it is {d} today": 0,
    "it is {d}": 0,
    "since today is {d}": 0,
    "since it's {d}": 0,
    "as it's {d} today": 0,
    "given that it's {d}": 0,
    "given today is {d}": 0,
    "so today is {d}": 0,
    "ok it's {d} today": 0,
    "now it's {d}": 0,
    "seeing that it's {d}": 0,
    "if today is {d}": 0,
    "my calendar says today is {d}": 0,
    "we have {d} today": 0,
    "because today is {d}": 0,
    "remember, it's {d} today": 0,
    "yesterday was {d}": 1,
    "it was {d} yesterday": 1,
    "since yesterday was {d}": 1,
    "tomorrow is {d}": -1,
    "tomorrow will be {d}": -1,
    "it'll be {d} tomorrow": -1,
    "tomorrow's {d}": -1,
    "today happens to be {d}": 0,
    "it happens to be {d} today": 0,
    "my phone says it's {d}": 0,
    "the calendar shows {d} for today": 0,
    "for the record, today is {d}": 0,
    "just so you know, it's {d} today": 0,
    "fyi today is {d}": 0,
    "today it's {d}": 0,
    "we've got {d} today": 0,
    "given that today is {d}": 0,
    "as today is {d}": 0,
    "since it is {d} today": 0,
    "seeing as today is {d}": 0,
    "if it's {d} today": 0,
    "now that it's {d}": 0,
    "given yesterday was {d}": 1,
    "as yesterday was {d}": 1,
    "if yesterday was {d}": 1,
    "yesterday it was {d}": 1,
    "the day before yesterday was {d}": 2,
    "two days ago it was {d}": 2,
    "tomorrow it's {d}": -1,
    "since tomorrow is {d}": -1,
    "given that tomorrow is {d}": -1,
    "if tomorrow is {d}": -1,
    "the day after tomorrow is {d}": -2,
}
AHEAD = """in {n} days
{n} days from now
{n} days from today
in {n} days' time
in {n} days time
the day after tomorrow
the day after tomorrow
the day after tomorrow
{n} days after today
exactly {n} days from now
{n} days ahead
in {n} days from now
{n} days on from today
in exactly {n} days
{n} days hence
{n} days on
{n} days down the line
{n} days later than today
{n} days past today
in precisely {n} days
exactly {n} days after today
{n} days in the future
{n} days away from today
the day following tomorrow
the day that comes after tomorrow
one day after tomorrow
a day after tomorrow""".splitlines()
UNITS_OF_TIME: dict[str, int] = {
    "{s} seconds": 0,
    "{s} secs": 0,
    "{s} sec": 0,
    "{s}s": 0,
    "{s} s": 0,
    "{w} seconds": 0,
    "{x} hours": 1,
    "{x} hrs": 1,
    "{x}h": 1,
    "{x} h": 1,
    "{i} hours": 2,
    "{o} hours": 2,
    "{i} hrs": 2,
    "{i}h": 2,
    "{i} full hours": 2,
    "{o} whole hours": 2,
    "half a day": 720,
    "a dozen minutes": 12,
    "half a dozen minutes": 6,
    "two dozen minutes": 24,
    "a third of an hour": 20,
    "a quarter of a day": 360,
    "a full hour": 60,
    "a whole hour": 60,
    "a half hour": 30,
    "half of an hour": 30,
    "a twelfth of an hour": 5,
    "two thirds of an hour": 40,
    "a sixth of an hour": 10,
    "two half hours": 60,
    "{s}sec": 0,
    "{s}secs": 0,
    "{w} secs": 0,
    "exactly {s} seconds": 0,
    "{x}hrs": 1,
    "{x} hr": 1,
    "{x}hr": 1,
    "{i}hrs": 2,
    "{i} h": 2,
    "{i} whole hours": 2,
    "{o} full hours": 2,
    "{o} hrs": 2,
    "{o} solid hours": 2,
    "half of a day": 720,
    "a third of a day": 480,
    "a sixth of a day": 240,
    "an eighth of a day": 180,
    "a twelfth of a day": 120,
    "three quarters of a day": 1080,
    "a full day": 1440,
    "a tenth of an hour": 6,
    "a fifth of an hour": 12,
    "a fourth of an hour": 15,
    "two fifths of an hour": 24,
    "three fifths of an hour": 36,
    "five sixths of an hour": 50,
    "a full half hour": 30,
    "three half hours": 90,
    "three dozen minutes": 36,
    "four dozen minutes": 48,
    "five dozen minutes": 60,
}
NUMBERS: dict[str, Callable[[int], float]] = {
    "{n}k": lambda n: n * 1000,
    "{n} k": lambda n: n * 1000,
    "{n}.5k": lambda n: n * 1000 + 500,
    "{n}K": lambda n: n * 1000,
    "{n} thousand": lambda n: n * 1000,
    "{w} thousand": lambda n: n * 1000,
    "{w} and a half thousand": lambda n: n * 1000 + 500,
    "{n} and a half thousand": lambda n: n * 1000 + 500,
    "{n}.5 thousand": lambda n: n * 1000 + 500,
    "{n} million": lambda n: n * 1_000_000,
    "{w} million": lambda n: n * 1_000_000,
    "{n}.5 million": lambda n: n * 1_000_000 + 500_000,
    "{w} and a half million": lambda n: n * 1_000_000 + 500_000,
    "half a million": lambda n: 500_000,
    "a million": lambda n: 1_000_000,
    "half a thousand": lambda n: 500,
    "a dozen": lambda n: 12,
    "half a dozen": lambda n: 6,
    "two dozen": lambda n: 24,
    "three dozen": lambda n: 36,
    "a hundred and {w}": lambda n: 100 + n,
    "a hundred {w}": lambda n: 100 + n,
    "{w} hundred": lambda n: n * 100,
    "{n} hundred": lambda n: n * 100,
    "a thousand {w} hundred": lambda n: 1000 + n * 100 if n < 10 else 0,
    "a hundred thousand": lambda n: 100_000,
    "{n}00": lambda n: n * 100,
    "{n}0 thousand": lambda n: n * 10_000,
    "{w} hundred and fifty": lambda n: n * 100 + 50,
    "{w} and a half": lambda n: n + 0.5,
    "{n}.5K": lambda n: n * 1000 + 500,
    "{n}.5 k": lambda n: n * 1000 + 500,
    "{n}.25k": lambda n: n * 1000 + 250,
    "{n}.2k": lambda n: n * 1000 + 200,
    "{n}.75 thousand": lambda n: n * 1000 + 750,
    "{n}0k": lambda n: n * 10_000,
    "{n}00k": lambda n: n * 100_000,
    "{n}M": lambda n: n * 1_000_000,
    "{n}.5M": lambda n: n * 1_000_000 + 500_000,
    "{n}.2 million": lambda n: n * 1_000_000 + 200_000,
    "{w} hundred thousand": lambda n: n * 100_000 if n < 10 else 0,
    "a quarter of a million": lambda n: 250_000,
    "a quarter million": lambda n: 250_000,
    "three quarters of a million": lambda n: 750_000,
    "a million and a half": lambda n: 1_500_000,
    "a hundred and fifty thousand": lambda n: 150_000,
    "a thousand": lambda n: 1000,
    "four dozen": lambda n: 48,
    "five dozen": lambda n: 60,
    "a thousand and {w}": lambda n: 1000 + n,
    "one thousand {w} hundred": lambda n: 1000 + n * 100 if n < 10 else 0,
    "{w} thousand and fifty": lambda n: n * 1000 + 50,
    "{w} thousand five hundred": lambda n: n * 1000 + 500,
    "{w} thousand two hundred and fifty": lambda n: n * 1000 + 250,
    "{w} hundred fifty": lambda n: n * 100 + 50,
    "{w} hundred and twenty-five": lambda n: n * 100 + 25,
    "{w} and a quarter": lambda n: n + 0.25,
    "{w} and three quarters": lambda n: n + 0.75,
}
MEASURES: dict[str, float] = {
    "half a {u}": 0.5,
    "a quarter of a {u}": 0.25,
    "three quarters of a {u}": 0.75,
    "a {u} and a half": 1.5,
    "a {u} and a quarter": 1.25,
    "one and a half {us}": 1.5,
    "two and a half {us}": 2.5,
    "three and a half {us}": 3.5,
    "four and a half {us}": 4.5,
    "five and a half {us}": 5.5,
    "two and a quarter {us}": 2.25,
    "a dozen {us}": 12,
    "half a dozen {us}": 6,
    "two dozen {us}": 24,
    "a hundred {us}": 100,
    "a hundred and ten {us}": 110,
    "a hundred and fifty {us}": 150,
    "a thousand {us}": 1000,
    "two thousand {us}": 2000,
    "ten thousand {us}": 10000,
    "2k {us}": 2000,
    "5k {us}": 5000,
    "10k {us}": 10000,
    "1.5k {us}": 1500,
    "half a thousand {us}": 500,
    "one and a quarter {us}": 1.25,
    "ten and a half {us}": 10.5,
    "half of a {u}": 0.5,
    "a tenth of a {u}": 0.1,
    "a fifth of a {u}": 0.2,
    "an eighth of a {u}": 0.125,
    "a {u} and three quarters": 1.75,
    "two and three quarter {us}": 2.75,
    "three and a quarter {us}": 3.25,
    "four and a quarter {us}": 4.25,
    "six and a half {us}": 6.5,
    "seven and a half {us}": 7.5,
    "eight and a half {us}": 8.5,
    "twelve and a half {us}": 12.5,
    "three dozen {us}": 36,
    "four dozen {us}": 48,
    "a hundred and twenty {us}": 120,
    "two hundred and fifty {us}": 250,
    "five hundred {us}": 500,
    "twelve hundred {us}": 1200,
    "fifteen hundred {us}": 1500,
    "five thousand {us}": 5000,
    "a hundred thousand {us}": 100000,
    "half a million {us}": 500000,
    "a million {us}": 1000000,
    "3k {us}": 3000,
    "2.5k {us}": 2500,
    "20k {us}": 20000,
}


@cache
def own(forms: tuple[str, ...], split: Split) -> tuple[str, ...]:
    """A split's forms: 12 % of them are calibration's, 12 % the test's; those two may use training's forms as well."""
    ordered = sorted(dict.fromkeys(forms), key=portion)
    count = max(1, round(len(ordered) * 0.12))
    held = {"calibration": ordered[:count], "test": ordered[count : 2 * count], "train": ordered[2 * count :]}
    return tuple(held[split])


def form(forms: tuple[str, ...], context: Context) -> str:
    """One of the split's forms; outside training, half of them are held-out ones and half are the trained."""
    split: Split = "train" if context.rng.random() < 0.5 else context.split
    return context.rng.choice(own(forms, split))


def span(minutes: int, rng: Random) -> str:
    """A stretch of time in words that fit beside a time of day."""
    if minutes == 15 and rng.random() < 0.25:
        return "a quarter of an hour"
    if minutes == 90:
        return rng.choice(("an hour and a half", "90 minutes", "one and a half hours", "1.5 hours"))
    return quantities.duration_text(minutes, rng)


def worked_time(context: Context, _: Slot) -> Filled:
    """A time of day that is so long before or after another."""
    rng = context.rng
    sign, text = form(tuple(TIMES), context).split(" ", 1)
    if "{h}" in text:
        return near_hour(context, text, -1 if sign == "-" else 1)
    step = rng.choice((5, 10, 15, 15, 20, 25, 30, 30, 30, 45, 60, 60, 60, 90, 120, 120, 180))
    start = rng.choice((0, 0, 0, 0, 30, 30, 15, 45)) + 60 * rng.randint(5, 20)
    text = text.replace("{d}", span(step, rng)).replace("{t}", quantities.time_text(start, rng))
    return Filled(text, clock(start + (step if sign == "+" else -step)), bare=True)


def near_hour(context: Context, text: str, sign: int) -> Filled:
    """Some minutes before or after an hour, the part of the day told."""
    rng = context.rng
    hour = rng.choice((*range(6, 12), *range(13, 23)))
    minutes = rng.choice((5, 10, 20, 25, rng.randint(2, 29)))
    twelve = (hour - 1) % 12 + 1
    told = ONES[twelve] if rng.random() < 0.6 else str(twelve)
    part = quantities.part_of_day(hour, rng) if rng.random() < 0.6 else "am" if hour < 12 else "pm"
    text = text.replace("{m}", spoken(minutes, rng, 0.5)).replace("{h}", f"{told} {part}")
    return Filled(text, clock(hour * 60 + sign * minutes))


def worked_duration(context: Context, _: Slot) -> Filled:
    """A duration that is a sum, a difference, a multiple or a mixture of hours and minutes."""
    rng, shape = context.rng, form(tuple(DURATIONS), context)
    h, m, k = rng.choice((1, 1, 1, 2, 2, 3, 4)), rng.choice((5, 10, 15, 20, 25, 30, 40, 45)), rng.randint(2, 4)
    one = rng.choice(("an hour", "an hour", "one hour", "1 hour"))
    fields = {"{H}": one if h == 1 else f"{spoken(h, rng, 0.5)} hours", "{h}": spoken(h, rng, 0.3), "{m}": spoken(m, rng, 0.7)}
    fields |= {"{i}": str(h), "{j}": str(m), "{k}": spoken(k, rng, 0.4), "{n}": spoken(5 * k, rng)}
    return Filled(filled(shape, fields), DURATIONS[shape](h, m, k))


def filled(shape: str, fields: dict[str, str]) -> str:
    """A form with its fields written in."""
    for mark, text in fields.items():
        shape = shape.replace(mark, text)
    return shape


def united_duration(context: Context, _: Slot) -> Filled:
    """A duration in seconds, hours or parts of a day."""
    rng, shape = context.rng, form(tuple(UNITS_OF_TIME), context)
    while context.days_on and UNITS_OF_TIME[shape] == 0:
        shape = form(tuple(UNITS_OF_TIME), context)
    kind = UNITS_OF_TIME[shape]
    if kind > 2:
        return Filled(shape, kind)
    if kind == 0:
        m = rng.choice((1, 2, 2, 3, 4, 5, 10))
        return Filled(filled(shape, {"{s}": str(m * 60), "{w}": words(m * 60).replace("-", " ")}), m)
    if kind == 1:
        hours = rng.choice((1.5, 2.5, 3.5, 0.5, 4.5, 1.25, 0.25, 0.75, 2.25))
        return Filled(shape.replace("{x}", str(hours)), int(hours * 60))
    n = rng.choice((2, 2, 3, 3, 4, 5, 6, 7, 8, 10, 12, 24))
    return Filled(filled(shape, {"{i}": str(n), "{o}": words(n).replace("-", " ")}), n * 60)


def large_number(context: Context) -> tuple[str, float]:
    """An amount that is partly in words or shortened."""
    rng = context.rng
    while True:
        shape, n = form(tuple(NUMBERS), context), rng.choice((1, 2, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20))
        number = NUMBERS[shape](n)
        if number and not (n > 9 and "hundred" in shape and shape[0] in "{a" and n % 10 == 0 and "{w}" in shape):
            return filled(shape, {"{n}": str(n), "{w}": words(n)}), number


def large_money(context: Context, _: Slot) -> Filled:
    """Money in such an amount."""
    code = currencies(context)[0]
    text, number = large_number(context)
    if code in SIGNS and text[0].isdigit() and "half" not in text and context.rng.random() < 0.35:
        return Filled(SIGNS[code] + text, compact(number), code)
    return Filled(f"{text} {quantities.named(code, compact(number), context.rng)}", compact(number), code)


def worded_quantity(context: Context, _: Slot) -> Filled:
    """A measure in an amount that must be worked out."""
    source = units(context)[0]
    if source in ("c", "f"):
        n = context.rng.randint(1, 40)
        side = context.rng.choice((" below zero", " below zero", " under zero"))
        name = "celsius" if source == "c" else "fahrenheit"
        return Filled(f"{spoken(n, context.rng)} degrees {name}{side}", -n, source)
    shape = form(tuple(MEASURES), context)
    one = quantities.SINGULAR[source]
    many = [name for name in quantities.UNITS[source] if len(name) > 3]
    return Filled(filled(shape, {"{u}": one, "{us}": context.rng.choice(many)}), compact(MEASURES[shape]), source)


def capital(day: str, context: Context) -> str:
    """A weekday in the writer's casing."""
    return day.capitalize() if context.style == "sentence" or (context.style == "plain" and context.rng.random() < 0.5) else day


def near_day(context: Context, slot: Slot) -> Filled:
    """A weekday that is so many days before or after another."""
    day = context.rng.randrange(7)
    shape = form(tuple(DAY_FORMS), context)
    text = shape.replace("{d}", capital(DAYS[day], context))
    if slot.kind == "on_day" and shape.startswith("the ") and context.rng.random() < 0.6:
        text = f"on {text}"
    return Filled(text, DAYS[(day + DAY_FORMS[shape]) % 7])


def now(context: Context) -> tuple[str, int]:
    """A clause that says which weekday it is, and today's number from it."""
    day, shape = context.rng.randrange(7), form(tuple(NOWS), context)
    return context.say(shape.replace("{d}", capital(DAYS[day], context))), (day + NOWS[shape]) % 7


def ahead(context: Context, slot: Slot, today: int) -> Filled:
    """A day counted from today."""
    shape = form(tuple(AHEAD), context)
    days = 2 if "{n}" not in shape else context.rng.choice((2, 2, 3, 3, 4, 5, 6))
    text = shape.replace("{n}", spoken(days, context.rng, 0.4))
    if shape.startswith("the ") and slot.kind == "on_day" and context.rng.random() < 0.25:
        text = f"on {text}"
    return Filled(text, DAYS[(today + days) % 7])
