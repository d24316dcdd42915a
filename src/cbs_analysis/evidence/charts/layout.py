"""Where things go on a chart: tick positions, text widths, line breaks and labels that must not overlap.

Worked out here and not by the drawing library, so that labels can be placed without seeing the drawing and
come out the same on every machine. Lengths are in chart units (about a pixel at full width).
"""

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from cbs_analysis.evidence import theme

# Widths in ems of the letters of the house font that are not of the ordinary 0.56.
_EMS = {
    letter: ems
    for letters, ems in (
        ("ijl'\N{RIGHT SINGLE QUOTATION MARK}|", 0.22),
        ("I.,:;!/ ft", 0.28),
        ("()[]r-", 0.33),
        ("cksvxyzJ", 0.5),
        ("ABEKPSVXY&", 0.67),
        ("CDHNRUw", 0.72),
        ("GOQ", 0.78),
        ("mM%", 0.86),
        ("W@—", 1.0),
    )
    for letter in letters
}
MINUS = "\N{MINUS SIGN}"


def text_width(text: str, size: float = theme.TEXT_SIZE, *, bold: bool = False) -> float:
    """Width of a line of text in the house font, a little generously; emoji and ideographs count as wide."""
    ems = 0.0
    for letter in text:
        wide = unicodedata.east_asian_width(letter) in "WF"
        ems += _EMS.get(letter) or (1.25 if wide else 0.62 if letter.isupper() else 0.56)
    return ems * size * (1.08 if bold else 1.02)


def wrap(text: str, width: float, size: float = theme.TEXT_SIZE, *, bold: bool = False) -> list[str]:
    """The text as lines no wider than `width`; a wider word stands alone. No text, no lines."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(longer, size, bold=bold) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def spread(centres: Sequence[float], heights: Sequence[float], lower: float, upper: float) -> list[float]:
    """Centres moved as little as needed for boxes of these heights to lie apart within [lower, upper].

    Order is kept. Boxes that touch are pooled and share their mean shift. Where all do not fit, they run
    past `upper`.
    """
    order = sorted(range(len(centres)), key=lambda i: (centres[i], i))
    pools: list[tuple[list[int], float]] = []
    for i in order:
        pool, top = [i], min(max(centres[i] - heights[i] / 2, lower), upper - heights[i])
        while pools and pools[-1][1] + sum(heights[j] for j in pools[-1][0]) > top + 1e-9:
            pool = pools.pop()[0] + pool
            top = _best_top(pool, centres, heights)
            top = max(min(top, upper - sum(heights[j] for j in pool)), lower)
        pools.append((pool, top))
    placed = [0.0] * len(centres)
    for pool, top in pools:
        for i in pool:
            placed[i] = top + heights[i] / 2
            top += heights[i]
    return placed


def _best_top(pool: Sequence[int], centres: Sequence[float], heights: Sequence[float]) -> float:
    """Top of a stack of boxes that lies nearest, on average, to where each wants to be."""
    offset, wanted = 0.0, 0.0
    for i in pool:
        wanted += centres[i] - heights[i] / 2 - offset
        offset += heights[i]
    return wanted / len(pool)


@dataclass(frozen=True)
class Linear:
    """A linear scale with round ticks: its two ends, the tick values, and a number format that suits them."""

    lower: float
    upper: float
    ticks: tuple[float, ...]
    format: str

    def position(self, value: float, length: float) -> float:
        """Distance of a value from the lower end on an axis of this length."""
        return (value - self.lower) / (self.upper - self.lower) * length


def linear(
    values: Sequence[float], *, zero: bool = False, count: int = 5, round_ends: bool = True, number: str = ""
) -> Linear:
    """A scale over the finite values, with about `count` ticks at 1, 2 or 5 times a power of ten.

    `zero` makes the scale reach zero. Without `round_ends` the scale stops a little beyond the data, not at
    the next tick. `number` is the values' own format: a trailing % carries over to the ticks. No finite
    value gives a scale 0 to 1.
    """
    finite = [float(v) for v in values if v is not None and math.isfinite(v)] or [0.0, 1.0]
    low, high = min(finite), max(finite)
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    if high - low <= 1e-12 * max(abs(low), abs(high), 1e-300):
        pad = abs(high) * 0.1 or 1.0
        low, high = low - pad, high + pad
    step = _round_step((high - low) / max(count, 1))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    if not round_ends:
        margin = 0.03 * (high - low)
        low = low if zero and low == 0 else low - margin
        high = high if zero and high == 0 else high + margin
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    ticks = tuple(round(i * step, 12) for i in range(first, last + 1))
    ends = (ticks[0], ticks[-1]) if round_ends else (low, high)
    return Linear(ends[0], ends[1], ticks, _tick_format(step, number))


def _round_step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    return float(next(m for m in (1, 2, 5, 10) if m * power >= rough * 0.999) * power)


def _tick_format(step: float, number: str) -> str:
    percent = number.endswith("%")
    scaled = step * 100 if percent else step
    decimals = max(0, -math.floor(math.log10(scaled) + 1e-9))
    return f".{decimals}%" if percent else f",.{decimals}f"


def fitting_format(values: Sequence[float], number: str = "") -> str:
    """The given number format, or without one a format whose decimals suit the range of the values."""
    finite = [float(v) for v in values if v is not None and math.isfinite(v)]
    if number or not finite:
        return number or ",.0f"
    span = max(finite) - min(finite) or abs(finite[0])
    return next(fmt for least, fmt in ((100, ",.0f"), (1, ",.1f"), (0.1, ",.2f"), (0, ",.3f")) if span >= least)


def number_text(value: float, number: str) -> str:
    """A number in a format that Python and D3 both know (such as `,.1f` or `.0%`), with a true minus sign."""
    return format(value, number).replace("-", MINUS)


def thin(items: Sequence[object], most: int) -> list[int]:
    """Evenly spaced indexes of at most `most` items, the last always among them."""
    every = max(1, math.ceil((len(items) - 1) / max(most - 1, 1)))
    return [i for i in range(len(items)) if (len(items) - 1 - i) % every == 0]
