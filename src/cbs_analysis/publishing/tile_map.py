"""The areas as a map of equal tiles, each a link to its pack, shaded by one indicator.

For a reader who looks for their own area and its neighbours. The map is a list laid out by the style sheet, so it can
be read without seeing it, reached by keyboard and printed. A tile's shade says in which fifth of the areas its value
lies; a shape and a word say how it stands to the whole.
"""

from collections.abc import Sequence

from cbs_analysis.edition import Indicator
from cbs_analysis.evidence.comparing import NOT_COMPARED
from cbs_analysis.evidence.wording import level_name
from cbs_analysis.geography import Geography
from cbs_analysis.publishing import markup
from cbs_analysis.publishing.across import Standing, believed
from cbs_analysis.publishing.markup import text
from cbs_analysis.publishing.synthetic import ending

MOST_COLUMNS = MOST_ROWS = 16  # as many as the style sheet has places for
SHORT = 4
SMALL_WORDS = ("and", "of", "the")
NOT_MADE = "not made"


def tile_map(standings: Sequence[Standing], indicator: Indicator, geography: Geography, root: str = "") -> str:
    """The map and its key as HTML; empty unless every area has a place on it. `root` leads to the book's root."""
    places = [each.area.tile for each in standings]
    known = [place for place in places if place is not None]
    if not known or len(known) < len(places):
        return ""
    columns, rows = (max(place[axis] for place in known) + 1 for axis in (0, 1))
    if columns > MOST_COLUMNS or rows > MOST_ROWS:
        return ""
    labels = short_labels([each.area.name for each in standings])
    whole = geography.whole.name
    tiles = "".join(_tile(each, labels[each.area.name], indicator, whole, root) for each in standings)
    label = ending(*(each.finding for each in standings))
    what = f"{level_name(geography.levels[0], plural=True)} of {whole}, roughly where they lie{label}"
    return f'<ol class="cbs-map cbs-columns-{columns}" aria-label="{text(what)}">{tiles}</ol>'


def map_key(standings: Sequence[Standing], geography: Geography) -> str:
    """What shades and shapes mean."""
    levels, whole = level_name(geography.levels[0], plural=True), geography.whole.name
    shades = "".join(f'<span class="cbs-shade cbs-f{fifth}"></span>' for fifth in range(1, 6))
    words = ("better", "similar", "worse", "higher", "lower", "flagged", NOT_COMPARED)
    used = [word for word in words if any(each.word == word for each in standings)]
    marks = " ".join(f"<span>{markup.mark(word)}</span>" for word in used)
    fifths = f"<span>lowest fifth {shades} highest fifth of the {text(levels)}</span>" if believed(standings) else ""
    return f'<p class="cbs-map-key">{fifths} <span>beside {text(whole)}:</span> {marks}</p>'


def shown_value(standing: Standing, indicator: Indicator) -> str:
    """The value as it is read, or why there is none."""
    if not standing.is_made:
        return NOT_MADE
    return markup.reading(standing.value, indicator)


def words_beside(word: str, whole: str) -> str:
    """'better than London', 'similar to London', 'flagged'."""
    if word in ("flagged", NOT_COMPARED):
        return word
    return f"{word} {'to' if word == 'similar' else 'than'} {whole}"


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


def _tile(standing: Standing, label: str, indicator: Indicator, whole: str, root: str) -> str:
    column, row = standing.area.tile or (0, 0)
    shape, _ = markup.STATUSES[standing.word]
    inside = (
        f'<span class="cbs-tile-name">{text(standing.area.name)}</span>'
        f'<span class="cbs-tile-short" aria-hidden="true">{text(label)}</span>'
        f'<span class="cbs-tile-value">{text(shown_value(standing, indicator))}</span>'
        f'<span class="cbs-tile-mark" aria-hidden="true">{shape}</span>'
        f'<span class="cbs-unseen cbs-tile-word">{text(words_beside(standing.word, whole))}</span>'
    )
    shade = f"cbs-tile cbs-f{standing.fifth}{' cbs-hatched' if standing.is_flagged else ''}"
    linked = f'<a class="{shade}" href="{root}packs/{text(standing.area.code)}/index.html">{inside}</a>'
    tile = linked if standing.is_made else f'<span class="{shade}">{inside}</span>'
    return f'<li class="cbs-c{column} cbs-r{row}" data-area="{text(standing.area.code)}">{tile}</li>'
