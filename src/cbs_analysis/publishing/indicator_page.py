"""One page per indicator, over all areas: the point, a map, who stands where with what uncertainty, and the definition.

For a commissioner who asks how their area compares, and a statistician who asks how sure that is. Everything is read
out of the packs' findings; the charts draw what they hold.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pandas as pd
from markupsafe import Markup

from cbs_analysis.evidence import charts, rendering
from cbs_analysis.evidence.drawing import Drawing
from cbs_analysis.evidence.finding import SYNTHETIC_LABEL, Definition
from cbs_analysis.evidence.pack_facts import GeographyFacts
from cbs_analysis.evidence.wording import listed, plural
from cbs_analysis.publishing import synthetic
from cbs_analysis.publishing.areas import area_table, map_key, tile_map
from cbs_analysis.publishing.chapter_page import figure
from cbs_analysis.publishing.indicators import POLARITY, AreaValue, IndicatorValues, believed, without_flagged
from cbs_analysis.publishing.messages import headline_comparison
from cbs_analysis.publishing.packs import EditionContext
from cbs_analysis.publishing.templating import definitions, link, reading, render

ROOT = "../"
INTERVAL = {
    "estimate": "an estimate, with a 95% interval",
    "complete count": "a complete count, compared as it is",
    "not published": "published without an interval, so it is not judged",
}
BETTER = {"high is good": "higher", "low is good": "lower", "none": "not judged"}
WITH_INTERVALS = "; 95% intervals"
NO_INTERVAL = float("nan")


def indicators_page(
    indicators: Mapping[str, Definition], titles: Mapping[str, str], synthetic_ones: Collection[str] = ()
) -> str:
    """Every indicator as a line: its page, unit, period, which way is better, source. `synthetic_ones` are the ids of
    those that rest on synthetic records.
    """
    rows = [
        {
            "item": item,
            "label": synthetic.BADGE if item.id in synthetic_ones else "",
            "better": BETTER[item.polarity],
            "sources": _sources(item, titles, ""),
        }
        for item in indicators.values()
    ]
    return render("indicators.md", rows=rows)


def indicator_page(
    indicator: Definition, values: IndicatorValues, context: EditionContext, titles: Mapping[str, str]
) -> str:
    """The page of one indicator. `titles` are the catalogue's titles of tables by name."""
    geography = context.geography
    leaves, groups = values.leaves(indicator.id), values.groups(indicator.id)
    findings = [each.finding for each in (*leaves, *groups) if each.finding]
    period = str(findings[0]["period"]) if findings else indicator.period
    levels, whole = geography.leaf_words.plural, geography.whole.name
    label = synthetic.ending(*findings)
    counts = any(finding["denominator"] is not None for finding in findings)
    tables = [
        area_table(rows, indicator, geography, title, ROOT, counts, to_findings=True)
        for rows, title in ((leaves, f"The {levels} of {whole}{label}"), (groups, f"{whole} and its groups{label}"))
        if findings and rows
    ]
    made = sum(each.is_made for each in leaves)
    return render(
        "indicator_page.md",
        indicator=indicator,
        subtitle=", ".join((indicator.unit, period, POLARITY[indicator.polarity])),
        banner=synthetic.banner(findings, "this page", "finding"),
        statement=_statement(indicator, leaves, levels, whole),
        made=made,
        leaves=leaves,
        levels=levels,
        compared_with=_compared_with(indicator, leaves, groups),
        whole=whole,
        cautions=_cautions(leaves),
        side_by_side=_side_by_side(indicator, values, context, period),
        tables=tables,
        facts=definition_facts(indicator, titles, ROOT),
    )


def _statement(indicator: Definition, leaves: Sequence[AreaValue], levels: str, whole: str) -> str:
    """What the page shows, in a sentence or two."""
    known = believed(leaves)
    if not known:
        return "No pack of this edition has a value for it."
    if indicator.is_size:
        return f"A size: it says how large an area is, and {levels} are not ranked by it."
    highest, lowest = (pick(known, key=lambda each: each.value or 0.0) for pick in (max, min))
    ends = (
        f"From {reading(lowest.value, indicator)} in {lowest.area.name} to "
        f"{reading(highest.value, indicator)} in {highest.area.name}."
    )
    counted = Counter(each.word for each in leaves if each.value is not None)
    parts = [
        f"{counted[word]} {'is' if counted[word] == 1 else 'are'} {words}"
        for word, words in (
            *((word, f"{word} than {whole}") for word in ("better", "worse", "higher", "lower")),
            ("similar", f"similar to {whole}"),
            ("flagged", "flagged and not ranked"),
        )
        if counted[word]
    ]
    return f"{ends} Of the {len(leaves)} {levels}, {listed(parts)}." if parts else ends


def _compared_with(indicator: Definition, leaves: Sequence[AreaValue], groups: Sequence[AreaValue]) -> str:
    """What the leaves are compared with, where it is not the value of the whole that the table shows; else empty."""
    own = next((reading(each.value, indicator) for each in groups if each.area.is_whole and each.finding), None)
    findings = [each.finding for each in leaves if each.finding]
    comparisons = [item for finding in findings if (item := headline_comparison(finding))]
    values = {reading(item["value"], indicator) for item in comparisons if item["value"] is not None}
    if indicator.is_size or own is None or not without_flagged(findings) or len(values) != 1 or values == {own}:
        return ""
    return values.pop()


def _cautions(leaves: Sequence[AreaValue]) -> list[tuple[Markup, str]]:
    """Whose value is to be checked before anyone acts on it, and why."""
    return [
        (link(f"{ROOT}{each.address}", each.area.name), each.finding["caution"])
        for each in believed(leaves)
        if each.finding and each.finding["caution"]
    ]


def definition_facts(item: Definition, titles: Mapping[str, str], root: str) -> Markup:
    """What an indicator counts, over what, from where and how, as a list."""
    return definitions(
        {
            "Unit": item.unit,
            "Numerator": "" if item.numerator == "none" else item.numerator,
            "Denominator": "" if item.denominator == "none" else item.denominator,
            "Period": item.period,
            "Polarity": POLARITY[item.polarity],
            "Value": INTERVAL[item.interval],
            "Method": link(f"{root}methods/{item.method}.html", item.method.replace("-", " ")),
            "Source": _sources(item, titles, root),
            "Id": Markup("<code>{}</code>").format(item.id),
        }
    )


def _sources(item: Definition, titles: Mapping[str, str], root: str) -> Markup:
    """Links to the catalogue's tables; only the name of one that is made from records, where none were prepared."""
    tables = (
        link(f"{root}catalogue.html#table-{name}", titles[name]) if name in titles else name for name in item.sources
    )
    return Markup(", ").join(tables)


# ---- Map and charts


def _side_by_side(indicator: Definition, values: IndicatorValues, context: EditionContext, period: str) -> list[Markup]:
    """Map and charts; none of a size, by which areas are not ranked."""
    geography = context.geography
    leaves, groups = values.leaves(indicator.id), values.groups(indicator.id)
    if indicator.is_size or not believed(leaves):
        return []
    parts = []
    if shown := tile_map(leaves, indicator, geography, ROOT):
        parts.append(synthetic.badge(*(each.finding for each in leaves)) + shown + map_key(leaves, geography))
    label = SYNTHETIC_LABEL if synthetic.ending(*(each.finding for each in (*leaves, *groups))) else ""
    parts.append(ranked_chart(leaves, groups, indicator, geography, period, label))
    if funnel := values.funnel(indicator.id):
        parts.append(funnel_chart(funnel, indicator, geography, period, label))
    return parts


def ranked_chart(
    leaves: Sequence[AreaValue],
    groups: Sequence[AreaValue],
    indicator: Definition,
    geography: GeographyFacts,
    period: str,
    label: str = "",
) -> Markup:
    """Leaves and groups in one order of value, each with its interval; flagged ones apart. Empty without a value."""
    rows = [_ranked_row(each, "flagged" if each.is_flagged else "peer") for each in leaves if each.value is not None]
    rows += [
        _ranked_row(each, "region" if each.area.is_whole else "parent")
        for each in groups
        if each.value is not None and not each.is_flagged
    ]
    rows += _nation(leaves, geography)
    frame = pd.DataFrame(rows, columns=["name", "value", "lower", "upper", "role"])
    known = frame[frame["role"] == "peer"]
    if known.empty:
        return Markup()
    lowest, highest = known.loc[known["value"].idxmin()], known.loc[known["value"].idxmax()]
    levels = geography.leaf_words.plural
    has_limits = frame["lower"].notna().any()
    drawing = charts.ranked_intervals(
        frame,
        title=f"{indicator.name}: from {reading(lowest['value'], indicator)} in {lowest['name']} to "
        f"{reading(highest['value'], indicator)} in {highest['name']}",
        subtitle=f"{levels} of {geography.whole.name} and their groups, {period}{WITH_INTERVALS if has_limits else ''}",
        value_title=_axis(indicator),
        value_format=_format(indicator),
    )
    alt = (
        f"Ranked dot chart of {len(frame)} areas. "
        f"Highest is {highest['name']}, {reading(highest['value'], indicator)}; "
        f"lowest {lowest['name']}, {reading(lowest['value'], indicator)}. "
        f"{plural(int((frame['role'] == 'flagged').sum()), 'area')} flagged and not ranked."
    )
    return _figure(drawing, "ranked", alt, label)


def funnel_chart(
    funnel: Mapping[str, Any], indicator: Definition, geography: GeographyFacts, period: str, label: str = ""
) -> Markup:
    """Each leaf by what its value rests on, inside the limits, as the finding of the whole holds them."""
    points = pd.DataFrame(funnel["points"])
    points["role"] = points["status"].eq("flagged").map({True: "flagged", False: "peer"})
    outside, average = int(points["status"].eq("outside").sum()), funnel["average"]
    words, is_widened = geography.leaf_words, funnel["widened"] is not None
    limits = "the 99.8% limits of chance"
    if is_widened:
        limits = f"the 99.8% limits, widened by how much {words.plural} usually differ"
    count = plural(outside, words.singular, words.plural) if outside else f"no {words.singular}"
    drawing = charts.funnel(
        points,
        pd.DataFrame(funnel["limits"]),
        average=average,
        average_label=f"{words.plural} {reading(average, indicator)}",
        widened=pd.DataFrame(funnel["widened"]) if is_widened else None,
        title=f"{indicator.name}: {count} outside {limits}",
        subtitle=f"{words.plural} of {geography.whole.name}, {period}; limits around the average of those not flagged",
        x_title=indicator.denominator,
        y_title=_axis(indicator),
        y_format=_format(indicator),
        peers_label=words.plural,
    )
    alt = (
        f"Funnel plot of {len(points)} areas around an average of {reading(average, indicator)}. "
        f"{plural(outside, 'area')} outside {limits}."
    )
    return _figure(drawing, "funnel", alt, label)


def _ranked_row(each: AreaValue, role: str) -> tuple[str, float | None, float, float, str]:
    finding = each.finding or {}
    lower, upper = (NO_INTERVAL if finding.get(end) is None else finding[end] for end in ("lower", "upper"))
    return each.area.name, each.value, lower, upper, role


def _nation(
    leaves: Sequence[AreaValue], geography: GeographyFacts
) -> list[tuple[str, float | None, float, float, str]]:
    """The nation, as the first leaf that is compared with it has it; nothing where it is one of the areas."""
    code, _ = geography.nation or ("", "")
    if not code or code in geography.areas:
        return []
    for each in leaves:
        for item in each.finding["comparisons"] if each.finding else ():
            if item["comparator_code"] == code and item["value"] is not None:
                return [(item["comparator"], item["value"], NO_INTERVAL, NO_INTERVAL, "nation")]
    return []


def _figure(drawing: Drawing, name: str, alt: str, label: str) -> Markup:
    specification = rendering.labelled({**drawing.specification, "description": alt}, label)
    return figure(rendering.svg(specification, name, specification["description"]), specification)


def _axis(indicator: Definition) -> str:
    unit = "" if indicator.unit == "ratio" or indicator.unit in indicator.name else f" ({indicator.unit})"
    return f"{indicator.name}{unit}"


def _format(indicator: Definition) -> str:
    return f",.{indicator.decimals}f"
