"""The front page: what the book is, and the way to an area's pack by map, by table or by list.

For whoever opens the book first. It reads without a script; with one, the map and the table show any indicator, and the
table can be sorted and filtered.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from cbs_analysis.evidence.finding import Definition
from cbs_analysis.evidence.pack_facts import GeographyFacts
from cbs_analysis.publishing import synthetic
from cbs_analysis.publishing.areas import area_table, map_key, shown_value, sortable, tile_map, words_beside
from cbs_analysis.publishing.downloads import Download
from cbs_analysis.publishing.indicators import AreaValue, IndicatorValues
from cbs_analysis.publishing.packs import EditionContext, ExecutedPack
from cbs_analysis.publishing.templating import STATUSES, first_letter_lower, interval, link, render

FAILURES_SHOWN = 20
DATA = "cbs-areas-data"


def front_page(context: EditionContext, packs: Mapping[str, ExecutedPack], files: Sequence[Download] = ()) -> str:
    """What this is, for whom, every pack on a map, in a table and by group, and the edition's periods."""
    geography, edition = context.geography, context.edition
    failures = [(geography.area(code), failure) for code, pack in packs.items() for failure in pack.failures]
    periods = ", ".join(f"{first_letter_lower(what)} {period}" for what, period in edition.periods.items())
    return render(
        "front_page.md",
        edition=edition,
        geography=geography,
        packs=packs,
        files=files,
        folder="downloads/",
        covers=geography_summary(geography),
        periods=periods,
        banner=synthetic.banner(_findings(packs), "this edition", "finding"),
        differences=context.differences,
        failures=failures,
        failures_shown=failures[:FAILURES_SHOWN],
        finder=_finder(context, packs),
    )


def _findings(packs: Mapping[str, ExecutedPack]) -> list[dict[str, Any]]:
    return [finding for pack in packs.values() for finding in pack.findings]


def geography_summary(geography: GeographyFacts) -> str:
    """What a geography holds: the whole's name and, in brackets, how many areas there are of each level below."""
    *below, _ = geography.levels
    counts = []
    for words in below:
        count = len(geography.at_level(words.level))
        counts.append(f"{count} {words.singular if count == 1 else words.plural}")
    return f"{geography.whole.name} ({' in '.join(counts)})" if counts else geography.whole.name


def _finder(context: EditionContext, packs: Mapping[str, ExecutedPack]) -> dict[str, Any] | None:
    """The map and the table, shaded and filled by the first indicator, with what a script needs to show the others."""
    values = IndicatorValues(context, packs)
    indicator = values.first()
    if indicator is None:
        return None
    geography, leaves = context.geography, values.leaves(indicator.id)
    title = f"The {geography.leaf_words.plural} of {geography.whole.name}{_ending(leaves)}"
    groups = [area for area in geography.areas.values() if not area.is_leaf and not area.is_whole]
    return {
        "choice": [(item.id, f"{item.name}{_ending(values.leaves(item.id))}") for item in values.comparable()],
        "chosen": indicator.id,
        "shown": _described(indicator, leaves),
        "map": tile_map(leaves, indicator, geography),
        "key": map_key(leaves, geography),
        "groups": groups,
        "group_word": geography.words(groups[0].level).singular if groups else "",
        "table": area_table(leaves, indicator, geography, title),
        "data_id": DATA,
        "data": _data(values, geography),
    }


def _ending(leaves: Sequence[AreaValue]) -> str:
    return synthetic.ending(*(each.finding for each in leaves))


def _described(indicator: Definition, leaves: Sequence[AreaValue]) -> Markup:
    """Name, unit and period of what is shown, linked to its own page, and whether its records are synthetic."""
    period = next((each.finding["period"] for each in leaves if each.finding), indicator.period)
    unit = "" if indicator.unit in ("%", "ratio") or indicator.unit in indicator.name else f"{indicator.unit}, "
    label = synthetic.badge(*(each.finding for each in leaves))
    name = link(f"indicator/{indicator.id}.html", indicator.name)
    described = Markup("{} <span>({})</span>").format(name, unit + period)
    return Markup("{} {}").format(described, label) if label else described


def _data(values: IndicatorValues, geography: GeographyFacts) -> Markup:
    """What the script shows of every indicator, as JSON that a page may hold."""
    whole = geography.whole.name
    words = {word: [*STATUSES[word], words_beside(word, whole)] for word in STATUSES}
    shown: dict[str, Any] = {}
    for item in values.comparable():
        leaves = values.leaves(item.id)
        areas = {
            each.area.code: [
                shown_value(each, item),
                interval(each.finding, item),
                each.fifth,
                each.word,
                sortable(None if each.is_flagged else each.value),
                sortable(each.finding["lower"] if each.finding else None),
            ]
            for each in leaves
            if each.is_made
        }
        shown[item.id] = {"what": _described(item, leaves), "ending": _ending(leaves), "areas": areas}
    body = json.dumps({"words": words, "indicators": shown}, ensure_ascii=False, separators=(",", ":"))
    return _inside_script(body)


def _inside_script(body: str) -> Markup:
    """JSON that no text in it can end the element, or the fenced block, it stands in."""
    for sign in "<>&`":
        body = body.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(body)
