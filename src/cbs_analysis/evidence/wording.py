"""How numbers and comparisons are said in plain English, the same on every page."""

import math
from collections.abc import Iterable, Sequence

from cbs_analysis.edition import Measure

AS_A_COMPARATOR = "As a comparator, "
MISSING = "not available"
UNIT_SYMBOL = {"%": "%"}


def number(value: float | None, decimals: int = 0) -> str:
    """A number to read: thousands separated, a true minus sign, or 'not available' where it is missing."""
    if value is None or math.isnan(value):
        return MISSING
    text = f"{value:,.{decimals}f}"
    if text.lstrip("-").strip("0.,") == "":
        text = text.lstrip("-")
    return text.replace("-", "\N{MINUS SIGN}")


def signed(value: float | None, decimals: int = 0) -> str:
    """A change to read, with its sign."""
    text = number(value, decimals)
    return f"+{text}" if value is not None and value > 0 and text.strip("0.,") else text


def measure(value: float | None, measured: Measure) -> str:
    """A value with its unit: '52.1%', '79.3 years', '212.4 per 1,000'."""
    text = number(value, measured.decimals)
    if text == MISSING or measured.unit == "ratio":
        return text
    symbol = UNIT_SYMBOL.get(measured.unit)
    return f"{text}{symbol}" if symbol else f"{text} {measured.unit}"


def interval(lower: float | None, upper: float | None, decimals: int) -> str:
    """'95% interval 1.2 to 1.4', or nothing where there is no interval."""
    if lower is None or upper is None or math.isnan(lower) or math.isnan(upper):
        return ""
    return f"95% interval {number(lower, decimals)} to {number(upper, decimals)}"


def listed(words: Iterable[str]) -> str:
    """'a', 'a and b', 'a, b and c'."""
    *first, last = [str(word) for word in words] or [""]
    return f"{', '.join(first)} and {last}" if first else last


def plural(count: int, noun: str, nouns: str | None = None) -> str:
    return f"{number(count)} {noun if count == 1 else nouns or noun + 's'}"


def sentence_case(text: str) -> str:
    """The text with its first letter in upper case, the rest as it is."""
    return text[:1].upper() + text[1:]


def level_name(level: str, plural: bool = False) -> str:
    """A level of a geography in words: 'PCTs', 'sector'."""
    word = level.upper() if len(level) <= 3 else level.replace("_", " ")
    return f"{word}s" if plural else word


def ordinal(rank: int) -> str:
    """1st, 2nd, 3rd, 11th."""
    suffix = "th" if rank % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(rank % 10, "th")
    return f"{rank}{suffix}"


def against(directions: Sequence[tuple[str, str, str]]) -> str:
    """Where a value stands: 'higher than London (210.1) and England (205.0), similar to South East London (240.2)'.

    `directions` are (direction, comparator, its value as text), in order; those without a direction are left out.
    """
    parts = []
    for direction, joined in (("higher", "higher than"), ("lower", "lower than"), ("similar", "similar to")):
        names = [f"{name} ({value})" for found, name, value in directions if found == direction]
        if names:
            parts.append(f"{joined} {listed(names)}")
    return ", ".join(parts)
