"""Numbers, times of day, durations, days, money and measures: as people write them, and what they mean."""

from random import Random

from models.grammar import Value
from models.lexicon import ONES, TENS

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
CURRENCIES: dict[str, tuple[str, ...]] = {
    "EUR": ("euros", "euros", "euros", "EUR", "eur", "euro"),
    "USD": ("dollars", "dollars", "US dollars", "USD", "usd", "american dollars", "us dollars", "bucks"),
    "GBP": ("pounds", "pounds", "british pounds", "GBP", "gbp", "pounds sterling", "quid"),
    "JPY": ("yen", "yen", "japanese yen", "JPY", "jpy"),
    "CHF": ("swiss francs", "swiss francs", "francs", "CHF", "chf"),
    "INR": ("rupees", "rupees", "indian rupees", "INR", "inr"),
    "CAD": ("canadian dollars", "canadian dollars", "CAD", "cad", "Canadian dollars"),
    "AUD": ("australian dollars", "australian dollars", "AUD", "aud", "aussie dollars"),
    "CNY": ("yuan", "chinese yuan", "CNY", "cny", "renminbi", "rmb"),
    "BRL": ("reais", "brazilian reais", "BRL", "brl", "brazilian real"),
}
SIGNS = {"EUR": "€", "USD": "$", "GBP": "£", "JPY": "¥", "INR": "₹"}
WEIGHTS = {"EUR": 4, "USD": 4, "GBP": 3, "JPY": 2, "CHF": 2, "INR": 2, "CAD": 2, "AUD": 2, "CNY": 2, "BRL": 2}
DIMENSIONS = (("km", "mi", "m", "ft"), ("kg", "lb"), ("c", "f"), ("l", "gal"))
UNITS: dict[str, tuple[str, ...]] = {
    "km": ("km", "kilometers", "kilometres", "kms"),
    "mi": ("miles", "miles", "mi"),
    "m": ("meters", "metres", "m"),
    "ft": ("feet", "feet", "ft"),
    "kg": ("kilograms", "kg", "kilos", "kgs"),
    "lb": ("pounds", "pounds", "lbs", "lb"),
    "c": ("celsius", "celsius", "degrees celsius", "C", "centigrade"),
    "f": ("fahrenheit", "fahrenheit", "degrees fahrenheit", "F"),
    "l": ("liters", "litres", "l"),
    "gal": ("gallons", "gallons", "gal"),
}
SINGULAR = {"km": "kilometer", "mi": "mile", "m": "meter", "ft": "foot", "kg": "kilo", "lb": "pound"} | {
    "l": "liter",
    "gal": "gallon",
}


def words(n: int) -> str:
    """A whole number below a million in words."""
    if n < 20:
        return ONES[n]
    if n < 100:
        return TENS[n // 10] + (f"-{ONES[n % 10]}" if n % 10 else "")
    if n < 1000:
        return f"{ONES[n // 100]} hundred" + (f" and {words(n % 100)}" if n % 100 else "")
    return f"{words(n // 1000)} thousand" + (f" {words(n % 1000)}" if n % 1000 else "")


def spoken(n: int, rng: Random, digits: float = 0.75) -> str:
    """A whole number as digits or, where a person would, in words."""
    if rng.random() < digits or (n > 20 and n % 5 and rng.random() < 0.8):
        return f"{n:,}" if n >= 1000 and rng.random() < 0.4 else str(n)
    text = words(n)
    return text.replace("-", " ") if rng.random() < 0.3 else text


def compact(amount: float) -> Value:
    """The amount as an integer where it is one."""
    return int(amount) if float(amount).is_integer() else round(amount, 4)


def clock(minutes: int) -> str:
    """Minutes after midnight on the 24-hour clock."""
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def random_time(rng: Random) -> int:
    """Minutes after midnight, round ones and waking hours preferred."""
    hour = rng.choice((6, 7, 7, 8, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 18, 19, 20, 21, 22, rng.randrange(24)))
    minute = rng.choice((0, 0, 0, 30, 30, 15, 45, rng.randrange(12) * 5, rng.randrange(60)))
    return hour * 60 + minute


def part_of_day(hour: int, rng: Random) -> str:
    """The words that make an hour of the twelve-hour clock plain."""
    if hour < 12:
        return "in the morning"
    if hour < 17 or (hour == 17 and rng.random() < 0.4):
        return "in the afternoon"
    return "at night" if hour >= 21 or (hour == 20 and rng.random() < 0.3) else "in the evening"


def today_part(hour: int) -> str:
    """The words that say a part of the present day."""
    if hour < 12:
        return "this morning"
    return "this afternoon" if hour < 17 else "tonight" if hour >= 18 else "this evening"


def suffix(hour: int, rng: Random) -> str:
    """A mark for morning or afternoon, with its space."""
    mark = "am" if hour < 12 else "pm"
    dotted = mark[0] + ".m."
    return rng.choice((mark, f" {mark}", f" {mark}", f" {mark}", f" {mark.upper()}", mark.upper(), f" {dotted}"))


def time_text(minutes: int, rng: Random, today: bool = False) -> str:
    """A time of day as somebody would write it, never ambiguous."""
    hour, minute = divmod(minutes, 60)
    twelve = (hour - 1) % 12 + 1
    if minutes in (0, 720) and rng.random() < 0.7:
        return rng.choice(("noon", "noon", "midday", "12 noon") if minutes else ("midnight",))
    choice = rng.random()
    if choice < 0.17:
        return clock(minutes)
    part = today_part(hour) if today and hour >= 6 and hour != 12 else part_of_day(hour, rng)
    if choice < 0.6 or hour in (0, 12):
        figures = f"{twelve}" if not minute else f"{twelve}{'.' if rng.random() < 0.08 else ':'}{minute:02d}"
        return figures + suffix(hour, rng)
    if choice < 0.7:
        return (f"{twelve}:{minute:02d}" if minute else str(twelve)) + f" {part}"
    tail = part if rng.random() < 0.6 else suffix(hour, rng).strip()
    return f"{clock_words(twelve, minute, rng)} {tail}"


def clock_words(twelve: int, minute: int, rng: Random) -> str:
    """An hour and a minute in words, without morning or afternoon."""
    hour = ONES[twelve] if rng.random() < 0.6 else str(twelve)
    following = twelve % 12 + 1
    after = ONES[following] if rng.random() < 0.6 else str(following)
    if not minute:
        return f"{hour} o'clock" if rng.random() < 0.5 else ONES[twelve]
    if minute in (15, 30, 45) and rng.random() < 0.7:
        if minute == 45:
            if twelve == 11:
                return f"{ONES[twelve]} forty-five"
            return rng.choice((f"quarter to {after}", f"a quarter to {after}"))
        return f"half past {hour}" if minute == 30 else rng.choice((f"quarter past {hour}", f"a quarter past {hour}"))
    if minute < 10:
        return f"{ONES[twelve]} oh {ONES[minute]}"
    text = words(minute)
    return f"{ONES[twelve]} {text if rng.random() < 0.5 else text.replace('-', ' ')}"


def bare_time(minutes: int, rng: Random) -> str:
    """A time of day that leaves morning or afternoon to other words."""
    hour, minute = divmod(minutes, 60)
    twelve = (hour - 1) % 12 + 1
    if (rng.random() < 0.6 and twelve != 11) or (minute < 10 and minute):
        return f"{twelve}:{minute:02d}" if minute else str(twelve)
    return clock_words(twelve, minute, rng)


def duration_text(minutes: int, rng: Random) -> str:
    """A plain duration: minutes, or whole hours."""
    if minutes == 30 and rng.random() < 0.4:
        return rng.choice(("half an hour", "half an hour", "a half hour"))
    if minutes == 60 and rng.random() < 0.7:
        return rng.choice(("an hour", "an hour", "one hour", "1 hour", "1 hr", "1h"))
    if minutes % 60 == 0 and rng.random() < 0.85:
        n = minutes // 60
        unit = rng.choice(("hours", "hours", "hours", "hrs", "h")) if n > 1 else rng.choice(("hour", "hr"))
        return f"{n}h" if unit == "h" else f"{spoken(n, rng)} {unit}"
    if minutes == 1:
        return rng.choice(("1 minute", "one minute", "a minute", "1 min"))
    text = spoken(minutes, rng).replace(",", "")
    unit = rng.choice(("minutes", "minutes", "minutes", "mins", "min")) if text.isdigit() else "minutes"
    return f"{text} {unit}" if unit != "min" or rng.random() < 0.6 else f"{text}{unit}"


def duration_adjective(minutes: int, rng: Random) -> str:
    """A duration that stands before a noun."""
    gap = "-" if rng.random() < 0.45 else " "
    if minutes == 30 and rng.random() < 0.3:
        return f"half{gap}hour"
    if minutes == 60 and rng.random() < 0.8:
        return rng.choice((f"one{gap}hour", f"1{gap}hour", "hour-long", "hour long"))
    if minutes % 60 == 0 and rng.random() < 0.8:
        return f"{spoken(minutes // 60, rng)}{gap}hour"
    text = spoken(minutes, rng).replace(",", "")
    return f"{text}{gap}{rng.choice(('minute', 'minute', 'minute', 'min')) if text.isdigit() else 'minute'}"


def random_duration(rng: Random, event: bool) -> int:
    """Minutes of a plain timer or event, the usual ones preferred."""
    if event:
        return rng.choice((15, 20, 30, 30, 45, 60, 90, 120, 180, 240, 25, 40, 50, 75, 10, rng.randrange(5, 240)))
    usual = rng.choice((1, 2, 3, 5, 5, 8, 10, 10, 12, 15, 20, 25, 30, 45, 60, 90, 120))
    return rng.choice((usual, usual, rng.randrange(1, 61), rng.randrange(1, 61), rng.randrange(60, 300)))


def random_amount(rng: Random) -> tuple[str, Value]:
    """An amount of money: its text and its number."""
    kind = rng.random()
    if kind < 0.12:
        text = f"{rng.randrange(1, 1000)}.{rng.choice(('50', '99', '5', '25', '75', '95', f'{rng.randrange(1, 100):02d}'))}"
        return text, compact(float(text))
    if kind < 0.17:
        return "a hundred", 100
    if kind < 0.2:
        return "a thousand", 1000
    n = rng.choice((rng.randrange(1, 100), rng.randrange(1, 20) * 10, rng.randrange(1, 1000), rng.randrange(1, 50) * 100))
    return spoken(n, rng, 0.85), n


def money(code: str, rng: Random) -> tuple[str, Value]:
    """Money in a currency: its text and its amount."""
    text, amount = random_amount(rng)
    sign = SIGNS.get(code)
    if sign and text[0].isdigit() and rng.random() < 0.3:
        return (f"{sign}{text}" if code != "EUR" or rng.random() < 0.6 else f"{text}{sign}"), amount
    return f"{text} {named(code, amount, rng)}", amount


def named(code: str, amount: Value, rng: Random) -> str:
    """A currency's name after an amount."""
    name = rng.choice(CURRENCIES[code])
    if amount == 1:
        return {"EUR": "euro", "USD": "dollar", "GBP": "pound", "CHF": "swiss franc", "INR": "rupee"}.get(code, code)
    return code if name in ("euro", "brazilian real") else name


def quantity(unit: str, rng: Random) -> tuple[str, Value]:
    """A measure in a unit: its text and its number."""
    if unit in ("c", "f"):
        return temperature(unit, rng)
    if rng.random() < 0.04:
        return f"a {SINGULAR[unit]}", 1
    n = rng.choice((rng.randrange(2, 13), rng.randrange(2, 100), rng.randrange(1, 20) * 10, rng.randrange(2, 1000)))
    if rng.random() < 0.17:
        text = f"{rng.randrange(100)}.{rng.choice('5512346789')}"
        number = float(text)
    else:
        text, number = spoken(n, rng, 0.85), n
    name = rng.choice(UNITS[unit])
    figures = text[0].isdigit()
    if not figures and len(name) < 4:
        name = UNITS[unit][0] if len(UNITS[unit][0]) > 3 else UNITS[unit][1]
    return (f"{text}{name}" if figures and len(name) < 4 and rng.random() < 0.4 else f"{text} {name}"), compact(number)


def temperature(unit: str, rng: Random) -> tuple[str, Value]:
    """A temperature: its text and its number."""
    n = rng.randrange(-30, 120 if unit == "f" else 60)
    name = "celsius" if unit == "c" else "fahrenheit"
    sign = rng.choice(("-", "-", "minus ")) if n < 0 else ""
    figures = f"{abs(n)}" if rng.random() < 0.85 or sign == "-" else words(abs(n))
    letter = unit.upper()
    ends = [f" {name}", f" {name}", f" degrees {name}", f" degrees {name}"]
    if figures.isdigit():
        ends += [f" {letter}", f"°{letter}", f" degrees {letter}", f"{letter.lower()}"]
    return f"{sign}{figures}{rng.choice(ends)}", n
