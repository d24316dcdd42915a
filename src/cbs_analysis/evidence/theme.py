"""How every chart looks: one font, one palette, one meaning per mark, on paper, screen and phone.

The area under study is always the same dark blue. What it is held against always looks the same as well,
and never by colour alone: its parent (a sector, a strategic health authority) is a teal triangle with long
dashes, the areas most like it together a purple cross with short dashes, its region (London) an orange square
with dots, the nation (England) a dark grey diamond with dash and dot. Other areas are light grey. A value
that is flagged is hollow with a cross. The hues stay apart under the common kinds of colour blindness, and
each colour that writes text has a contrast of at least 4.5 to 1 on white. Sizes are chosen for a drawing 640
units wide that must stay readable when a phone shows it at 340.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

VEGA_LITE_SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"

# The first family ships inside the renderer, so text is measured alike on every machine.
FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
WIDTH = 640
TITLE_SIZE = 19
TEXT_SIZE = 15
SMALL_SIZE = 14
LINE_HEIGHT = 18

INK = "#222222"
MUTED = "#595959"
RULE = "#8A8A8A"
GRID = "#E6E6E6"
BAND = "#F1F1F1"
WHITE = "#FFFFFF"
AREA_COLOUR = "#12436D"
AREA_TINT = "#E7EEF5"
SIGNAL_COLOUR = "#A01A58"
# Fan chart: the inner and the outer interval around a forecast.
INNER_BAND = "#8FB0CE"
OUTER_BAND = "#D3E0EC"
# Parts of a whole, in stacking order; light enough apart to be told by lightness too.
PARTS = ("#1D7F77", "#801650", "#F2A15F", "#4B6FA8", "#BDBDBD", "#3D3D3D")

# Marker outlines beyond the built-in ones, in a box from -1 to 1.
DASHES = "M-1,0L-0.25,0M0.25,0L1,0"
CROSSED_CIRCLE = "M-1,0A1,1,0,1,1,1,0A1,1,0,1,1,-1,0M-0.7,-0.7L0.7,0.7M-0.7,0.7L0.7,-0.7"


@dataclass(frozen=True)
class Style:
    """How one series is drawn: its colour, the colour of its text, its marker, its dashes and its weight."""

    colour: str
    text: str
    shape: str
    dash: tuple[int, ...]
    stroke_width: float
    size: int
    filled: bool = True

    @property
    def fill(self) -> str:
        """Colour inside the marker: white where the marker is hollow."""
        return self.colour if self.filled else WHITE


AREA = Style(AREA_COLOUR, AREA_COLOUR, "circle", (1, 0), 3.5, 110)
PEER = Style("#A9A9A9", MUTED, "circle", (1, 0), 1.2, 50)
FLAGGED = Style("#767676", MUTED, CROSSED_CIRCLE, (1, 0), 1.2, 90, filled=False)
FLAGGED_AREA = Style(AREA_COLOUR, AREA_COLOUR, CROSSED_CIRCLE, (1, 0), 3.5, 120, filled=False)
PARENT = Style("#1D7F77", "#1D7F77", "triangle-up", (8, 4), 2.4, 95)
SIMILAR = Style("#7B3FA0", "#7B3FA0", "cross", (4, 2), 2.4, 120)
REGION = Style("#BF4F0F", "#BF4F0F", "square", (2, 3), 2.4, 85)
NATION = Style("#4A4A4A", "#4A4A4A", "diamond", (9, 3, 2, 3), 2.4, 100)

# Those that an area lies in, from the narrowest to the widest, then with the areas like it among them.
NESTED = (PARENT, REGION, NATION)
COMPARATORS = (PARENT, SIMILAR, REGION, NATION)

# A role is what a series is to the area; the level of a comparator may stand for its role.
ROLES: Mapping[str, Style] = MappingProxyType(
    {
        "area": AREA,
        "peer": PEER,
        "flagged": FLAGGED,
        "flagged_area": FLAGGED_AREA,
        "parent": PARENT,
        "sector": PARENT,
        "sha": PARENT,
        "similar": SIMILAR,
        "region": REGION,
        "london": REGION,
        "nation": NATION,
        "england": NATION,
    }
)
GENERIC_COMPARATOR = "comparator"


def is_own(role: str) -> bool:
    """Whether the role is that of the area under study, flagged or not."""
    return role in ("area", "flagged_area")


def is_flagged(role: str) -> bool:
    """Whether the role is that of a value that is shown and never ranked."""
    return role in ("flagged", "flagged_area")


def is_comparator(role: str) -> bool:
    """Whether the role is that of something the area is held against."""
    return role == GENERIC_COMPARATOR or ROLES.get(role) in COMPARATORS


def styles(named_roles: Iterable[tuple[str, str]]) -> dict[str, Style]:
    """Style by name, from (name, role) pairs.

    The role `comparator` says nothing of its level: such names are expected from the narrowest to the
    widest, so the last is styled as the nation, the one before it as the region, the one before that as the
    parent. Raises ValueError for an unknown role, or for more than three plain comparators.
    """
    pairs = dict(named_roles)
    for name, role in pairs.items():
        if role != GENERIC_COMPARATOR and role not in ROLES:
            known = ", ".join([*ROLES, GENERIC_COMPARATOR])
            raise ValueError(f"{name}: role {role!r} is not one of {known}")
    plain = [name for name, role in pairs.items() if role == GENERIC_COMPARATOR]
    if len(plain) > len(NESTED):
        raise ValueError(f"at most {len(NESTED)} comparators can be told apart, not {len(plain)}")
    widest_last = dict(zip(plain, NESTED[len(NESTED) - len(plain) :], strict=True))
    return {name: widest_last.get(name) or ROLES[role] for name, role in pairs.items()}


def config() -> dict[str, Any]:
    """The Vega-Lite configuration that every chart carries.

    Vega's own accessible descriptions are off: they would read out every mark, and they are built as code
    from titles. The text alternative of the whole chart stands in their place.
    """
    return {
        "aria": False,
        "background": WHITE,
        "font": FONT,
        "padding": {"left": 4, "right": 4, "top": 6, "bottom": 6},
        "view": {"stroke": None},
        "title": {
            "anchor": "start",
            "frame": "group",
            "fontSize": TITLE_SIZE,
            "fontWeight": "bold",
            "color": INK,
            "lineHeight": 23,
            "subtitleFontSize": TEXT_SIZE,
            "subtitleColor": MUTED,
            "subtitleLineHeight": 19,
            "subtitlePadding": 5,
        },
        "axis": {
            "labelFontSize": TEXT_SIZE,
            "labelColor": MUTED,
            "labelPadding": 5,
            "labelOverlap": False,
            "titleFontSize": TEXT_SIZE,
            "titleFontWeight": "normal",
            "titleColor": MUTED,
            "titlePadding": 8,
            "gridColor": GRID,
            "domainColor": RULE,
            "tickColor": RULE,
            "tickSize": 5,
        },
        "text": {"fontSize": TEXT_SIZE, "color": INK},
    }
