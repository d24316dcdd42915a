"""One page per indicator, over all areas: the point, a map, who stands where with what uncertainty, and the definition.

For a commissioner who asks how their area compares, and a statistician who asks how sure that is. Everything is read
out of the packs' findings.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from cbs_analysis.edition import Indicator
from cbs_analysis.evidence.wording import level_name, listed, plural
from cbs_analysis.publishing import markup, synthetic
from cbs_analysis.publishing.across import Across, Standing, believed
from cbs_analysis.publishing.area_table import area_table
from cbs_analysis.publishing.edited import Edited
from cbs_analysis.publishing.indicator_charts import funnel_chart, ranked_chart
from cbs_analysis.publishing.markup import link, raw, text
from cbs_analysis.publishing.messages import headline_comparison, is_size
from cbs_analysis.publishing.standings import without_flagged
from cbs_analysis.publishing.tile_map import map_key, tile_map

ROOT = "../"
POLARITY = {
    "high is good": "higher is better",
    "low is good": "lower is better",
    "none": "neither way is better, so it is not judged",
}
INTERVAL = {
    "estimate": "an estimate, with a 95% interval",
    "complete count": "a complete count, compared as it is",
    "not published": "published without an interval, so it is not judged",
}


def indicator_page(indicator: Indicator, across: Across, edited: Edited, titles: Mapping[str, str]) -> str:
    """The page of one indicator. `titles` are the catalogue's titles of tables by name."""
    geography = edited.geography
    leaves, groups = across.leaves(indicator.id), across.groups(indicator.id)
    known = [each for each in (*leaves, *groups) if each.finding]
    found = [each.finding for each in known if each.finding]
    period = str(known[0].finding["period"]) if known and known[0].finding else indicator.period
    counts = any(each.finding["denominator"] is not None for each in known if each.finding)
    levels, whole = level_name(geography.levels[0], plural=True), geography.whole.name
    label = synthetic.ending(*found)
    table = (leaves, f"The {levels} of {whole}{label}"), (groups, f"{whole} and its groups{label}")
    return markup.page(
        markup.heading(indicator.name, 1),
        raw(
            f'<p class="cbs-subtitle">{text(", ".join((indicator.unit, period, POLARITY[indicator.polarity])))}</p>',
            synthetic.banner(found, "this page", "finding"),
            f'<p class="cbs-statement">{text(_point(indicator, leaves, levels, whole))}</p>',
            _partial(leaves, levels),
            _held_against(indicator, leaves, groups, whole),
            _cautions(leaves),
            *_side_by_side(indicator, leaves, groups, edited, period),
        ),
        markup.heading("Every area") if known else "",
        raw(
            *(
                area_table(rows, indicator, geography, title, ROOT, counts, to_findings=True)
                for rows, title in table
                if known and rows
            )
        )
        if known
        else "",
        markup.heading("Definition"),
        raw(f"<p>{text(indicator.definition)}</p>", definition_facts(indicator, titles, ROOT)),
    )


def _side_by_side(
    indicator: Indicator, leaves: Sequence[Standing], groups: Sequence[Standing], edited: Edited, period: str
) -> list[str]:
    """Map and charts; none of a size, by which areas are not ranked."""
    if is_size(indicator) or not believed(leaves):
        return []
    geography = edited.geography
    drawn = tile_map(leaves, indicator, geography, ROOT)
    label = synthetic.badge(*(each.finding for each in leaves))
    return [
        f"{label}{drawn}{map_key(leaves, geography)}" if drawn else "",
        ranked_chart(leaves, groups, indicator, geography, period),
        funnel_chart(leaves, indicator, geography, period),
    ]


def _point(indicator: Indicator, leaves: Sequence[Standing], levels: str, whole: str) -> str:
    """What the page shows, in a sentence or two."""
    known = believed(leaves)
    if not known:
        return "No pack of this edition has a value for it."
    if is_size(indicator):
        return f"A size: it says how large an area is, and {levels} are not ranked by it."
    highest, lowest = (pick(known, key=lambda each: each.value or 0.0) for pick in (max, min))
    ends = (
        f"From {markup.reading(lowest.value, indicator)} in {lowest.area.name} to "
        f"{markup.reading(highest.value, indicator)} in {highest.area.name}."
    )
    counted = Counter(each.word for each in leaves if each.value is not None)
    said = [
        f"{counted[word]} {'is' if counted[word] == 1 else 'are'} {joined}"
        for word, joined in (
            ("better", f"better than {whole}"),
            ("worse", f"worse than {whole}"),
            ("higher", f"higher than {whole}"),
            ("lower", f"lower than {whole}"),
            ("similar", f"similar to {whole}"),
            ("flagged", "flagged and not ranked"),
        )
        if counted[word]
    ]
    return f"{ends} Of the {len(leaves)} {levels}, {listed(said)}." if said else ends


def _partial(leaves: Sequence[Standing], levels: str) -> str:
    made = sum(each.is_made for each in leaves)
    if made == len(leaves):
        return ""
    are = "is" if made == 1 else "are"
    return f'<p class="cbs-note">{plural(made, "pack")} of {len(leaves)} {text(levels)} {are} made and shown here.</p>'


def _held_against(indicator: Indicator, leaves: Sequence[Standing], groups: Sequence[Standing], whole: str) -> str:
    """What the leaves are held against, where it is not the value of the whole that the table shows."""
    own = next((markup.reading(each.value, indicator) for each in groups if each.area.is_whole and each.finding), None)
    held = [found for each in leaves if each.finding and (found := headline_comparison(each.finding))]
    values = {markup.reading(found["value"], indicator) for found in held if found["value"] is not None}
    is_without_some = any(without_flagged([each.finding]) for each in leaves if each.finding)
    if is_size(indicator) or own is None or not is_without_some or len(values) != 1 or values == {own}:
        return ""
    return (
        f'<p class="cbs-note">They are held against {text(values.pop())}, which is {text(whole)} without the areas '
        "whose figures are flagged.</p>"
    )


def _cautions(leaves: Sequence[Standing]) -> str:
    """Whose value is to be checked before anyone acts on it, and why."""
    items = [
        f"{link(f'{ROOT}{each.address}', each.area.name)}: {text(each.finding['caution'])}"
        for each in believed(leaves)
        if each.finding and each.finding["caution"]
    ]
    if not items:
        return ""
    return f'<div class="cbs-flag"><p><strong>Check before acting.</strong></p>{markup.bullets(items)}</div>'


def indicators_page(
    indicators: Mapping[str, Indicator], titles: Mapping[str, str], made_up: Collection[str] = ()
) -> str:
    """Every indicator as a line: its page, unit, period, which way is better, source. `made_up` are the ids of those
    that rest on synthetic records.
    """
    rows = "".join(_index_row(item, titles, item.id in made_up) for item in indicators.values())
    heads = "".join(
        f'<th scope="col">{head}</th>' for head in ("Indicator", "Unit", "Period", "Better", "Figures from")
    )
    lead = "Each indicator has a page: what it counts, how every area stands on it, and how sure that is."
    return markup.page(
        markup.heading("Indicators", 1),
        raw(
            f'<p class="cbs-lead">{lead}</p>',
            '<div class="cbs-scroll" tabindex="0" role="group" aria-label="Indicators">'
            f'<table class="cbs-table"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>',
        ),
    )


def _index_row(item: Indicator, titles: Mapping[str, str], is_made_up: bool) -> str:
    sources = ", ".join(_table(name, titles, "") for name in item.sources)
    better = {"high is good": "higher", "low is good": "lower", "none": "not judged"}[item.polarity]
    label = f" {synthetic.BADGE}" if is_made_up else ""
    return (
        f'<tr id="{text(item.id)}"><th scope="row">{link(f"indicator/{item.id}.html", item.name)}{label}</th>'
        f"<td>{text(item.unit)}</td><td>{text(item.period)}</td><td>{better}</td><td>{sources}</td></tr>"
    )


def definition_facts(item: Indicator, titles: Mapping[str, str], root: str) -> str:
    """What an indicator counts, over what, from where and how, as a list."""
    return markup.definitions(
        {
            "Unit": text(item.unit),
            "Numerator": _unless_none(item.numerator),
            "Denominator": _unless_none(item.denominator),
            "Period": text(item.period),
            "Polarity": text(POLARITY[item.polarity]),
            "Value": text(INTERVAL[item.interval]),
            "Method": link(f"{root}methods/{item.method}.html", item.method.replace("-", " ")),
            "Source": ", ".join(_table(name, titles, root) for name in item.sources),
            "Id": f"<code>{text(item.id)}</code>",
        }
    )


def _table(name: str, titles: Mapping[str, str], root: str) -> str:
    """A link to a table of the catalogue; its name alone where it is made from records, and none were prepared."""
    return link(f"{root}catalogue.html#table-{name}", titles[name]) if name in titles else text(name)


def _unless_none(value: str) -> str:
    return "" if value == "none" else text(value)
