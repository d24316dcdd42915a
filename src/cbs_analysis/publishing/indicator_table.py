"""Where an area stands on every indicator: the table of a pack's first page, a spine chart in each row.

For a chief executive who asks where the area is out of line, and a statistician who asks by how much and how surely.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from cbs_analysis.edition import Indicator
from cbs_analysis.evidence.wording import level_name, listed, number
from cbs_analysis.geography import Area, Geography
from cbs_analysis.publishing import markup, synthetic
from cbs_analysis.publishing.edited import Edited
from cbs_analysis.publishing.findings import ExecutedPack
from cbs_analysis.publishing.markup import link, text
from cbs_analysis.publishing.messages import is_size
from cbs_analysis.publishing.spine import COMPARATOR_SHAPES, STATUS_SHAPES, key_mark, kind, spine
from cbs_analysis.publishing.standings import (
    Comparator,
    anchor,
    comparators_in,
    indicator_findings,
    stands,
    without_flagged,
)

SIMILAR_FINDING = "population_and_need.similar_areas"
BETTER_SIDE = {"high is good": "higher is better", "low is good": "lower is better", "none": ""}
KEY = (
    "A value is better, similar or worse by its 95% interval, or as it stands where it is a complete "
    "count, against the comparator named beside it. It is "
    "not compared where neither way is better, or where no interval was published."
)


def indicator_section(pack: ExecutedPack, edited: Edited) -> str:
    """The tables, their key, who the similar areas are, and the indicators that no pack has, as HTML.

    Rates and shares, which can be set side by side, come with spine charts; sizes follow, in a table of their own.
    """
    area, found = edited.geography.area(pack.area_code), indicator_findings(pack.findings)
    comparators = comparators_in(found.values())
    shown = {key: item for key, item in edited.indicators.items() if key in found or key in edited.made_by}
    parts = [
        _table(title, rows, comparators, area, edited, has_spines)
        for title, has_spines in ((f"{area.name} and its comparators", True), ("Sizes and forecasts", False))
        if (
            rows := "".join(
                _row(item, found.get(key), comparators, edited, pack, has_spines)
                for key, item in shown.items()
                if is_size(item) != has_spines
            )
        )
    ]
    parts.insert(1, _key(area, comparators, edited.geography) + _made_comparators(pack, comparators, edited.geography))
    label = synthetic.banner(found.values(), "this section", "row")
    return label + "".join(parts) + _not_here(found, edited) + _without_flagged(found)


def _table(
    title: str, rows: str, comparators: Sequence[Comparator], area: Area, edited: Edited, has_spines: bool
) -> str:
    others = "".join(f'<th scope="col" class="cbs-number cbs-other">{text(item.name)}</th>' for item in comparators)
    standing_heads = (
        '<th scope="col">How it compares</th>'
        f'<th scope="col" class="cbs-spread">{_sides(comparators, edited, area)}</th>'
        if has_spines
        else ""
    )
    return (
        f'<div class="cbs-scroll" tabindex="0" role="group" aria-label="{text(title)}">'
        f'<table class="cbs-table cbs-indicators"><caption>{text(title)}</caption>'
        '<thead><tr><th scope="col">Indicator</th>'
        f'<th scope="col" class="cbs-number cbs-own">{text(area.name)}</th>{standing_heads}{others}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _sides(comparators: Sequence[Comparator], edited: Edited, area: Area) -> str:
    middle = _headline_name(comparators, edited.geography, area)
    named = f"<span>lower</span><span>{text(middle)}</span><span>higher</span>"
    return f'<span class="cbs-sides">{named}</span>' if middle else "Range"


def _headline_name(comparators: Sequence[Comparator], geography: Geography, area: Area) -> str:
    """What messages are about: the geography's whole; for the whole itself the first it is held against."""
    if not area.is_whole:
        return geography.whole.name
    return comparators[0].name if comparators else ""


def _row(
    indicator: Indicator,
    finding: dict[str, Any] | None,
    comparators: Sequence[Comparator],
    edited: Edited,
    pack: ExecutedPack,
    has_spine: bool,
) -> str:
    if finding is None:
        failed = edited.made_by[indicator.id] in {failure.chapter for failure in pack.failures}
        reason = "missing: its chapter is not in this pack" if failed else "not available for this area"
        wide = len(comparators) + (3 if has_spine else 1)
        return (
            f'<tr><th scope="row">{text(indicator.short_name)}</th>'
            f'<td colspan="{wide}"><span class="cbs-minor">{reason}</span></td></tr>'
        )
    values = {item["comparator_code"]: item["value"] for item in finding["comparisons"]}
    others = "".join(
        f'<td class="cbs-number cbs-other" data-name="{text(other.name)}">'
        f"{_compared_value(values.get(other.code), indicator)}</td>"
        for other in comparators
    )
    standing_cells = (
        f'<td class="cbs-standing">{standing(finding, indicator)}</td>'
        f'<td class="cbs-spread">{spine(finding, edited.geography, indicator.decimals)}</td>'
        if has_spine
        else ""
    )
    return (
        f'<tr><th scope="row">{link(anchor(finding), indicator.short_name)}'
        f'<span class="cbs-minor">{_what(indicator, finding)}</span>{synthetic.badge(finding)}</th>'
        f'<td class="cbs-number cbs-own">{value(finding, indicator)}</td>'
        f"{standing_cells}{others}</tr>"
    )


def _what(indicator: Indicator, finding: Mapping[str, Any]) -> str:
    unit = "" if indicator.unit in ("%", "ratio") else indicator.unit
    return text(", ".join(part for part in (unit, finding["period"], BETTER_SIDE[indicator.polarity]) if part))


def _compared_value(found: float | None, indicator: Indicator) -> str:
    return '<span class="cbs-minor">–</span>' if found is None else text(markup.reading(found, indicator))


def value(finding: Mapping[str, Any], indicator: Indicator) -> str:
    """The area's value with its limits."""
    if finding["value"] is None:
        return '<span class="cbs-minor">not available</span>'
    shown = text(markup.reading(finding["value"], indicator))
    if finding["lower"] is None or finding["upper"] is None:
        return shown
    limits = f"{number(finding['lower'], indicator.decimals)} to {number(finding['upper'], indicator.decimals)}"
    return f'{shown}<span class="cbs-minor">{text(limits)}</span>'


def standing(finding: Mapping[str, Any], indicator: Indicator) -> str:
    """How the area stands to its headline comparator: a word, its shape, and against what."""
    if finding["value"] is None:
        mark = markup.mark("flagged") if finding["flagged"] else ""
        return f'{mark}<span class="cbs-minor">{link(anchor(finding), "why, and what is known")}</span>'
    word, beside = stands(finding, indicator)
    return f'{markup.mark(word)}<span class="cbs-minor">{text(beside)}</span>'


def _key(area: Area, comparators: Sequence[Comparator], geography: Geography) -> str:
    """What the marks, the bars and the shapes mean."""
    middle = _headline_name(comparators, geography, area)
    own = [
        f"{key_mark(STATUS_SHAPES.get(status, 'crossed'), f'own {css}')} {text(said)}"
        for status, css, said in (
            ("better", "better", "better"),
            ("similar", "similar", "similar"),
            ("worse", "worse", "worse"),
            ("not compared", "not-compared", "not judged better or worse"),
            ("flagged", "flagged", "flagged"),
        )
    ]
    shapes = {kind({"comparator_code": item.code}, geography): item.name for item in comparators if item.name != middle}
    others = [f"{key_mark(COMPARATOR_SHAPES[drawn], drawn)} {text(name)}" for drawn, name in shapes.items()]
    bars = f"the {level_name(geography.levels[0], plural=True)} of {geography.whole.name}, lowest to highest"
    parts = [
        f"<strong>{text(area.name)}</strong>: {' '.join(f'<span>{part}</span>' for part in own)}",
        f"<strong>Beside it</strong>: {' '.join(f'<span>{part}</span>' for part in others)}" if others else "",
        f'<span class="cbs-bar"></span> {text(bars)}; <span class="cbs-bar cbs-half"></span> the middle half of them'
        f"{f'; the upright line is {text(middle)}' if middle else ''}",
    ]
    lines = "".join(f"<p>{part}</p>" for part in parts if part)
    return (
        f'<div class="cbs-key">{lines}'
        f"<p>{text(KEY)} {link('../../reading-a-pack.html', 'How to read a pack')}.</p></div>"
    )


def _made_comparators(pack: ExecutedPack, comparators: Sequence[Comparator], geography: Geography) -> str:
    """Who is in a comparator that is no area of the geography."""
    explained = next((finding for finding in pack.findings if finding["id"] == SIMILAR_FINDING), None)
    why = f" {link(anchor(explained), 'Why these')}." if explained else ""
    return "".join(
        f'<p class="cbs-minor"><strong>{text(found.name)}</strong>, most alike first: '
        f"{text(listed(geography.area(code).name for code in found.members))}.{why}</p>"
        for found in comparators
        if found.members
    )


def _without_flagged(found: Mapping[str, Any]) -> str:
    """Why a comparator's value is not the one in that area's own pack."""
    items = [f"{text(listed(titles))}: {text(said)}" for said, titles in without_flagged(found.values()).items()]
    lead = "A comparator leaves out areas whose figures are flagged, so that its value can differ from its own pack’s."
    return f'<p class="cbs-minor">{lead}</p>{markup.bullets(items, "cbs-minor")}' if items else ""


def _not_here(found: Mapping[str, Any], edited: Edited) -> str:
    """Indicators that no pack of the edition has."""
    names = [item.name for key, item in edited.indicators.items() if key not in found and key not in edited.made_by]
    return f'<p class="cbs-minor">No chapter made for this edition gives: {text(listed(names))}.</p>' if names else ""
