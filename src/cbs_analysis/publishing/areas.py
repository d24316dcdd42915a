"""The areas of an edition as a tile map and as a table: value, interval and status of one indicator, with links.

For a reader who looks for their own area and its neighbours. The map is a list laid out by the style sheet, so it can
be read without seeing it, reached by keyboard and printed. A tile's shade says in which fifth of the areas its value
lies; a shape and a word say how it stands to the whole. A script can sort and filter the table.
"""

from collections.abc import Sequence

from markupsafe import Markup

from cbs_analysis.evidence.comparing import NOT_COMPARED
from cbs_analysis.evidence.finding import Definition
from cbs_analysis.evidence.pack_facts import GeographyFacts
from cbs_analysis.evidence.wording import number, sentence_case
from cbs_analysis.publishing import synthetic
from cbs_analysis.publishing.indicators import FLAGGED, AreaValue, believed
from cbs_analysis.publishing.messages import headline_comparison
from cbs_analysis.publishing.templating import STATUSES, fragment, interval, reading

TEMPLATE = "areas.html"
MOST_COLUMNS = MOST_ROWS = 16  # as many as the style sheet has places for
SHORT = 4
SMALL_WORDS = ("and", "of", "the")
NOT_MADE = "not made"
KEY_WORDS = ("better", "similar", "worse", "higher", "lower", FLAGGED, NOT_COMPARED)


def tile_map(values: Sequence[AreaValue], indicator: Definition, geography: GeographyFacts, root: str = "") -> Markup:
    """The map as HTML; empty unless every area has a place on it. `root` leads to the book's root."""
    places = [each.area.tile for each in values if each.area.tile]
    if not places or len(places) < len(values):
        return Markup()
    columns, rows = (max(place[axis] for place in places) + 1 for axis in (0, 1))
    if columns > MOST_COLUMNS or rows > MOST_ROWS:
        return Markup()
    labels = short_labels([each.area.name for each in values])
    whole = geography.whole.name
    tiles = [
        {
            "area": each.area,
            "label": labels[each.area.name],
            "value": shown_value(each, indicator),
            "shape": STATUSES[each.word][0],
            "word": words_beside(each.word, whole),
            "css": f"cbs-tile cbs-f{each.fifth}{' cbs-hatched' if each.is_flagged else ''}",
            "address": f"{root}packs/{each.area.code}/index.html" if each.is_made else "",
        }
        for each in values
    ]
    label = synthetic.ending(*(each.finding for each in values))
    what = f"{geography.leaf_words.plural} of {whole}, roughly where they lie{label}"
    return fragment(TEMPLATE, "tile_map", columns, what, tiles)


def map_key(values: Sequence[AreaValue], geography: GeographyFacts) -> Markup:
    """What shades and shapes mean."""
    used = [word for word in KEY_WORDS if any(each.word == word for each in values)]
    return fragment(
        TEMPLATE, "map_key", bool(believed(values)), geography.leaf_words.plural, geography.whole.name, used
    )


def area_table(
    values: Sequence[AreaValue],
    indicator: Definition,
    geography: GeographyFacts,
    title: str,
    root: str = "",
    counts: bool = False,
    to_findings: bool = False,
) -> Markup:
    """Areas in the order given. `counts` adds numerator and denominator; links lead to findings, or to packs."""
    has_groups = any(each.group is not None and not each.group.is_whole for each in values)
    heads = {
        "area": geography.leaf_words.singular if has_groups else "Area",
        "group": sentence_case(geography.levels[1].singular) if has_groups else "",
        "beside": f"Beside {geography.whole.name}",
    }
    rows = [_row(each, indicator, geography, root, to_findings) for each in values]
    return fragment(TEMPLATE, "area_table", title, heads, rows, counts)


def _row(
    each: AreaValue, indicator: Definition, geography: GeographyFacts, root: str, to_findings: bool
) -> dict[str, object]:
    finding = each.finding
    against = headline_comparison(finding) if finding else None
    other = against["comparator"] if against else geography.whole.name
    counted = [finding[count] if finding else None for count in ("numerator", "denominator")]
    return {
        "area": each.area,
        "address": f"{root}{each.address if to_findings else f'packs/{each.area.code}/index.html'}"
        if each.is_made
        else "",
        "group": each.group.name if each.group and not each.group.is_whole else "",
        "value": (shown_value(each, indicator), sortable(None if each.is_flagged else each.value)),
        "limits": (interval(finding, indicator), sortable(finding["lower"] if finding else None)),
        "counts": [("" if count is None else number(count), sortable(count)) for count in counted],
        "word": each.word if each.is_made else "",
        "beside": words_beside(each.word, other).removeprefix(each.word),
    }


def shown_value(each: AreaValue, indicator: Definition) -> str:
    """The value as it is read, or why there is none."""
    return reading(each.value, indicator) if each.is_made else NOT_MADE


def words_beside(word: str, whole: str) -> str:
    """'better than' an area, 'similar to' it, or 'flagged'."""
    if word in (FLAGGED, NOT_COMPARED):
        return word
    return f"{word} {'to' if word == 'similar' else 'than'} {whole}"


def sortable(value: float | None) -> str:
    """A number for a script to sort by; empty sorts last."""
    return "" if value is None else f"{value:.10g}"


def short_labels(names: Sequence[str]) -> dict[str, str]:
    """A few letters for each name, for narrow screens: the first of one word, the initials of several; no two alike."""
    labels: dict[str, str] = {}
    for name in names:
        label, length = _short(name, SHORT), SHORT
        while label in labels.values() and length < len(name):
            length += 1
            label = name[:length]
        labels[name] = label
    return labels


def _short(name: str, length: int) -> str:
    words = name.split()
    if len(words) == 1:
        return name[:length]
    return "".join("&" if word == "and" else word[0] for word in words if word == "and" or word not in SMALL_WORDS)
