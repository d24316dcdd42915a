"""Names beside circles on a map, placed so that none covers another, a circle, or what must stay readable."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cbs_analysis.evidence import theme
from cbs_analysis.evidence.charts.layout import text_width
from cbs_analysis.evidence.charts.marks import Align, Layer, Note, notes

LINE = 16.0
# Steps away from the circle at which a place is tried, and where around it: right, left, below, above, then between.
STEPS = (3.0, 8.0, 13.0, 20.0)
SIDES = (
    (1.0, 0.0), (-1.0, 0.0), (0.0, 1.0), (0.0, -1.0), (0.7, 0.7), (-0.7, 0.7), (0.7, -0.7), (-0.7, -0.7),
    (0.4, 0.9), (-0.4, 0.9), (0.4, -0.9), (-0.4, -0.9),
)  # fmt: skip
# A name nearer than this to another circle might be taken for that one's: kept to wherever there is room for it.
CLEAR = 5.0
# How much each further step counts against a place, in units of area covered.
FARTHER = 160.0


@dataclass(frozen=True)
class Box:
    """A rectangle on the drawing."""

    left: float
    top: float
    width: float
    height: float

    @classmethod
    def around(cls, x: float, y: float, half: float) -> "Box":
        return cls(x - half, y - half, 2 * half, 2 * half)

    def wider(self, by: float) -> "Box":
        return Box(self.left - by, self.top - by, self.width + 2 * by, self.height + 2 * by)

    def shared(self, other: "Box") -> float:
        """The area that both cover."""
        across = min(self.left + self.width, other.left + other.width) - max(self.left, other.left)
        down = min(self.top + self.height, other.top + other.height) - max(self.top, other.top)
        return max(across, 0.0) * max(down, 0.0)

    def holds(self, other: "Box") -> bool:
        """Whether the other lies within, with nothing over the edge."""
        return self.shared(other) >= other.width * other.height - 1e-6


@dataclass(frozen=True)
class Labelled:
    """A circle that is to be named, and the lines of its name."""

    x: float
    y: float
    radius: float
    lines: tuple[str, ...]

    @property
    def box(self) -> Box:
        return Box.around(self.x, self.y, self.radius)


def placed_labels(
    asked: Sequence[Labelled], circles: Sequence[Box], keep: Sequence[Box], rather_not: Sequence[Box], within: Box
) -> list[Note]:
    """Names as notes, in the order asked: the first gets the best place. One that could only stand over another name, a
    circle, or what is to be kept free, is left out. What is in `rather_not` is covered only where nothing else is free.
    """
    taken, found = list(keep), list[Note]()
    for item in asked:
        others = [circle for circle in circles if circle != item.box]
        apart = [circle.wider(CLEAR) for circle in others]
        place = _best(item, [*taken, *apart], rather_not, within) or _best(item, [*taken, *others], rather_not, within)
        if place is None:
            continue
        box, align = place
        taken.append(box)
        x = {"left": box.left, "right": box.left + box.width, "center": box.left + box.width / 2}[align]
        found += [
            Note(x, box.top + LINE * (i + 0.5), line, theme.INK, align, bold=True, size=theme.SMALL_SIZE)
            for i, line in enumerate(item.lines)
        ]
    return found


def _best(item: Labelled, taken: Sequence[Box], rather_not: Sequence[Box], within: Box) -> tuple[Box, Align] | None:
    """The place that covers least of what should not be covered and is near; None where all that is near is taken."""
    places = [
        (FARTHER * step + sum(box.shared(other) for other in rather_not), rank, box, align)
        for rank, (step, box, align) in enumerate(_tried(item))
        if within.holds(box) and not any(box.shared(other) > 0 for other in taken)
    ]
    return min(places, key=lambda place: place[:2])[2:] if places else None


def along(x: float, y: float, x2: float, y2: float, width: float) -> list[Box]:
    """A line as boxes, for names to keep off."""
    count = max(int(math.hypot(x2 - x, y2 - y) / 10), 1)
    shares = [i / count for i in range(count + 1)]
    return [Box.around(x + (x2 - x) * share, y + (y2 - y) * share, max(width, 6.0) / 2) for share in shares]


def halo(texts: Sequence[Note], name: str) -> list[Layer]:
    """An edge of white behind texts, so that they read over lines and tiles."""
    layers = notes(texts, name)
    for layer in layers:
        layer.mark.stroke, layer.mark.strokeWidth, layer.mark.strokeJoin = theme.WHITE, 4, "round"
    return layers


def _tried(item: Labelled) -> Iterator[tuple[int, Box, Align]]:
    """Places for a name, the best first, with how many steps away."""
    width = max(text_width(line, theme.SMALL_SIZE, bold=True) for line in item.lines)
    height = LINE * len(item.lines)
    for step, more in enumerate(STEPS):
        away = item.radius + more
        for across, down in SIDES:
            align: Align = "left" if across > 0 else "right" if across < 0 else "center"
            start = {"left": 0.0, "right": -width, "center": -width / 2}[align]
            top = {1: 0.0, 0: -height / 2, -1: -height}[(down > 0) - (down < 0)]
            yield step, Box(item.x + away * across + start, item.y + away * down + top, width, height), align
