"""The front page: what the book is, and the way to an area's pack by map, by table or by list.

For whoever opens the book first. It reads without a script; with one, the map and the table show any indicator, and the
table can be sorted and filtered.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from cbs_analysis.edition import Indicator
from cbs_analysis.evidence.wording import level_name, plural, sentence_case
from cbs_analysis.geography import Area, Geography
from cbs_analysis.publishing import markup, synthetic
from cbs_analysis.publishing.across import Across, Standing
from cbs_analysis.publishing.area_table import area_table, limits, sortable
from cbs_analysis.publishing.downloads import Download
from cbs_analysis.publishing.edited import Edited
from cbs_analysis.publishing.findings import ExecutedPack, FindingJson
from cbs_analysis.publishing.markup import link, raw, text
from cbs_analysis.publishing.summary import in_reading_order, take_away, why
from cbs_analysis.publishing.tile_map import map_key, shown_value, tile_map, words_beside

FAILURES_SHOWN = 20
DATA = "cbs-areas-data"


def front_page(edited: Edited, packs: Mapping[str, ExecutedPack], downloads: Sequence[Download] = ()) -> str:
    """What this is, for whom, every pack on a map, in a table and by group, and the edition's data cut."""
    geography, edition = edited.geography, edited.edition
    return markup.page(
        markup.heading(edition.title, 1),
        raw(
            f'<p class="cbs-lead">Evidence for commissioning in {text(in_words(geography))}: what the '
            "published figures say about each area, held against its comparators, for the people who decide "
            "what care to buy.</p>",
            f"<p>Data cut: hospital activity {text(edition.activity_year)}, population mid-{edition.population_year}, "
            f"emergency admissions {text(edition.emergency_year)}. "
            f"{link('reading-a-pack.html', 'How to read a pack')} explains the words and marks.</p>",
            synthetic.banner(_findings(packs), "this edition", "finding"),
            _failed_note(packs, geography),
        ),
        *_finder(edited, packs),
        markup.heading("Packs"),
        raw(_pack_lists(geography, packs)),
        markup.heading("This edition"),
        raw(_edition_facts(edited), markup.bullets(map(text, edition.notes)), take_away(downloads, "downloads/")),
    )


def _findings(packs: Mapping[str, ExecutedPack]) -> list[FindingJson]:
    return [finding for pack in packs.values() for finding in pack.findings]


def in_words(geography: Geography) -> str:
    """What a geography holds: 'London: 31 PCTs in 6 sectors'."""
    *below, _ = geography.levels
    counts = []
    for level in below:
        count = len(geography.at_level(level))
        counts.append(f"{count} {level_name(level, plural=count != 1)}")
    return f"{geography.whole.name} ({' in '.join(counts)})" if counts else geography.whole.name


def _finder(edited: Edited, packs: Mapping[str, ExecutedPack]) -> list[str]:
    """The map and the table, shaded and filled by the first indicator, with what a script needs to show the others."""
    across = Across(edited, packs)
    indicator = across.first()
    if indicator is None:
        return []
    geography, leaves = edited.geography, across.leaves(indicator.id)
    levels = level_name(geography.levels[0], plural=True)
    return [
        markup.heading("Find your area"),
        raw(
            _choice(indicator, across),
            f'<p class="cbs-shown">{_what(indicator, leaves)}</p>',
            tile_map(leaves, indicator, geography),
            map_key(leaves, geography),
            _filter(geography),
            area_table(leaves, indicator, geography, f"The {levels} of {geography.whole.name}{_ending(leaves)}"),
            _data(across, geography),
        ),
    ]


def _ending(leaves: Sequence[Standing]) -> str:
    return synthetic.ending(*(each.finding for each in leaves))


def _choice(first: Indicator, across: Across) -> str:
    """The list of indicators, which a script shows; each has a page of its own where none runs."""
    options = "".join(
        f'<option value="{text(item.id)}"{" selected" if item is first else ""}>'
        f"{text(item.name)}{_ending(across.leaves(item.id))}</option>"
        for item in across.comparable()
    )
    return (
        f'<p class="cbs-choice" hidden><label for="cbs-indicator">Show</label> '
        f'<select id="cbs-indicator">{options}</select></p>'
        "<noscript><p>The map and the table show one indicator; "
        f"{link('indicators.html', 'each of the others has a page')} with its own.</p></noscript>"
    )


def _what(indicator: Indicator, leaves: Sequence[Standing]) -> str:
    """Name, unit and period of what is shown, linked to its own page, and whether its records are synthetic."""
    period = next((each.finding["period"] for each in leaves if each.finding), indicator.period)
    unit = "" if indicator.unit in ("%", "ratio") or indicator.unit in indicator.name else f"{indicator.unit}, "
    label = synthetic.badge(*(each.finding for each in leaves))
    what = f"{link(f'indicator/{indicator.id}.html', indicator.name)} <span>({text(unit + period)})</span>"
    return f"{what} {label}" if label else what


def _filter(geography: Geography) -> str:
    groups = [area for area in geography.areas.values() if not area.is_leaf and not area.is_whole]
    options = "".join(f"<option>{text(area.name)}</option>" for area in groups)
    level = level_name(groups[0].level) if groups else ""
    select = f'<select id="cbs-group"><option value="">All</option>{options}</select>'
    chosen = f"<label>{text(sentence_case(level))} {select}</label>" if groups else ""
    return (
        '<p class="cbs-filter" hidden><label>Name <input type="search" id="cbs-name" autocomplete="off"></label> '
        f'{chosen} <span id="cbs-left" role="status"></span></p>'
    )


def _data(across: Across, geography: Geography) -> str:
    """What the script shows of every indicator, as JSON that a page may hold."""
    whole = geography.whole.name
    words = {word: [*markup.STATUSES[word], words_beside(word, whole)] for word in markup.STATUSES}
    shown: dict[str, Any] = {}
    for item in across.comparable():
        leaves = across.leaves(item.id)
        areas = {
            each.area.code: [
                shown_value(each, item),
                limits(each, item),
                each.fifth,
                each.word,
                sortable(None if each.is_flagged else each.value),
                sortable(each.finding["lower"] if each.finding else None),
            ]
            for each in leaves
            if each.is_made
        }
        shown[item.id] = {"what": _what(item, leaves), "ending": _ending(leaves), "areas": areas}
    body = json.dumps({"words": words, "indicators": shown}, ensure_ascii=False, separators=(",", ":"))
    return f'<script type="application/json" id="{DATA}">{_inside_script(body)}</script>'


def _inside_script(body: str) -> str:
    """JSON that no text in it can end the element, or the fenced block, it stands in."""
    for sign in "<>&`":
        body = body.replace(sign, f"\\u{ord(sign):04x}")
    return body


def _failed_note(packs: Mapping[str, ExecutedPack], geography: Geography) -> str:
    failed = sum(len(pack.failures) for pack in packs.values())
    if not failed:
        return ""
    where = [
        f"{link(f'packs/{code}/index.html', geography.area(code).name)}: {text(failure.title)}. {text(why(failure))}"
        for code, pack in packs.items()
        for failure in pack.failures
    ]
    shown = markup.bullets(where[:FAILURES_SHOWN])
    return (
        f'<div class="cbs-failed"><p><strong>{plural(failed, "chapter")} could not be made.</strong> '
        f"The packs concerned say which messages are therefore missing.</p>{shown}</div>"
    )


def _pack_lists(geography: Geography, packs: Mapping[str, ExecutedPack]) -> str:
    whole = geography.whole
    groups = [geography.area(code) for code in whole.members]
    if all(group.is_leaf for group in groups):
        return _group(whole, geography, packs)
    cards = "".join(_group(group, geography, packs) for group in groups)
    return f'<p class="cbs-whole">{_pack_link(whole, packs)}</p><div class="cbs-groups">{cards}</div>'


def _group(group: Area, geography: Geography, packs: Mapping[str, ExecutedPack]) -> str:
    items = [_pack_link(area, packs) for area in in_reading_order(group, geography)]
    return f'<section class="cbs-group"><h3>{_pack_link(group, packs)}</h3>{markup.bullets(items)}</section>'


def _pack_link(area: Area, packs: Mapping[str, ExecutedPack]) -> str:
    if area.code not in packs:
        return f'<span class="cbs-minor">{text(area.name)} (not made)</span>'
    return link(f"packs/{area.code}/index.html", area.name)


def _edition_facts(edited: Edited) -> str:
    edition, geography = edited.edition, edited.geography
    return markup.definitions(
        {
            "Prospectus year": text(edition.prospectus_year),
            "Geography": f"{text(geography.title)}. {text(geography.note)}",
            "Hospital activity": text(edition.activity_year),
            "Population": text(f"mid-{edition.population_year}"),
            "Emergency admissions": text(edition.emergency_year),
        }
    )
