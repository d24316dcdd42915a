"""The PDF's table of every indicator: a row each, with a strip that shows the area in the range of those compared."""

from collections.abc import Mapping, Sequence
from typing import Any

from cbs_analysis.edition import Indicator
from cbs_analysis.evidence.finding import SYNTHETIC_LABEL
from cbs_analysis.evidence.wording import level_name, listed, number
from cbs_analysis.geography import Geography
from cbs_analysis.publishing import markup, synthetic
from cbs_analysis.publishing.edited import Edited
from cbs_analysis.publishing.findings import ExecutedPack, FindingJson
from cbs_analysis.publishing.indicator_table import BETTER_SIDE
from cbs_analysis.publishing.messages import headline_comparison, is_size
from cbs_analysis.publishing.spine import described
from cbs_analysis.publishing.standings import Comparator, comparators_in, indicator_findings, stands, without_flagged

Json = dict[str, Any]

# How a word is drawn, so that it can be told without its colour; a square where neither side is better.
SHAPES = {"better": "disc", "similar": "ring", "worse": "diamond", "flagged": "crossed"}


def indicators(pack: ExecutedPack, edited: Edited, places: Mapping[str, str]) -> Json:
    """The rows, rates and shares apart from sizes, and what is needed to read them. `places` are the labels of findings
    by their ids.
    """
    found, geography = indicator_findings(pack.findings), edited.geography
    comparators = comparators_in(found.values())
    rows: dict[bool, list[Json]] = {True: [], False: []}
    for key, item in edited.indicators.items():
        if finding := found.get(key):
            rows[is_size(item)].append(_row(item, finding, comparators, geography, places[finding["id"]]))
        elif key in edited.made_by:
            failed = edited.made_by[key] in {failure.chapter for failure in pack.failures}
            why = "missing: its chapter is not in this pack" if failed else "not available for this area"
            rows[is_size(item)].append({"name": item.short_name, "absent": why})
    absent = [item.name for key, item in edited.indicators.items() if key not in found and key not in edited.made_by]
    return {
        "comparators": [item.name for item in comparators],
        "rates": rows[False],
        "sizes": rows[True],
        "middle": next((row["beside"] for row in rows[False] if row.get("beside")), ""),
        "compared": f"{level_name(geography.levels[0], plural=True)} of {geography.whole.name}",
        "made": [
            {"name": item.name, "members": listed(geography.area(code).name for code in item.members)}
            for item in comparators
            if item.members
        ],
        "without": [f"{listed(titles)}: {said}" for said, titles in without_flagged(found.values()).items()],
        "absent": f"No chapter made for this edition gives: {listed(absent)}." if absent else "",
    }


def mark(word: str) -> Json:
    """A status as a shape and its word, and the name of its colour, which only repeats them."""
    shape, colour = markup.STATUSES[word]
    return {"shape": shape, "word": word, "colour": colour}


def _row(
    item: Indicator, finding: FindingJson, comparators: Sequence[Comparator], geography: Geography, label: str
) -> Json:
    against = headline_comparison(finding)
    values = {other["comparator_code"]: other["value"] for other in finding["comparisons"]}
    unit = "" if item.unit in ("%", "ratio") else item.unit
    word, standing = stands(finding, item)
    return {
        "name": item.short_name,
        "label": label,
        "synthetic": SYNTHETIC_LABEL if synthetic.said(finding) else "",
        "what": ", ".join(part for part in (unit, finding["period"], BETTER_SIDE[item.polarity]) if part),
        "value": markup.reading(finding["value"], item),
        "limits": _limits(item, finding),
        "mark": mark(word),
        "standing": standing,
        "beside": against["comparator"] if against else "",
        "others": ["–" if (other := values.get(found.code)) is None else markup.reading(other, item)
                   for found in comparators],
        "strip": _strip(item, finding, against, geography, SHAPES.get(word, "square")),
    }  # fmt: skip


def _limits(item: Indicator, finding: FindingJson) -> str:
    if finding["value"] is None or finding["lower"] is None or finding["upper"] is None:
        return ""
    return f"{number(finding['lower'], item.decimals)} to {number(finding['upper'], item.decimals)}"


def _strip(
    item: Indicator, finding: FindingJson, against: Mapping[str, Any] | None, geography: Geography, shape: str
) -> Json | None:
    """Places from 0 to 1: the headline comparator is at 0.5, and what lies farthest from it at an edge. None where the
    finding does not know the range of those compared.
    """
    peers, value = finding.get("peers"), finding["value"]
    if not peers or value is None:
        return None
    held = against if against and against["value"] is not None else None
    middle = held["value"] if held else peers["median"]
    limits = [finding[end] for end in ("lower", "upper") if finding[end] is not None]
    reach = max(abs(end - middle) for end in (value, peers["lowest"], peers["highest"], *limits)) or 1.0

    def at(end: float) -> float:
        return float(round(0.5 + (end - middle) / reach / 2, 4))

    return {
        **{end: at(peers[end]) for end in ("lowest", "lower_quartile", "upper_quartile", "highest")},
        "value": at(value),
        "limits": [at(end) for end in limits] if len(limits) == 2 else [],
        "ends": [number(peers[end], item.decimals) for end in ("lowest", "highest")],
        "shape": shape,
        "is_held": held is not None,
        "said": described(finding, peers, against, geography, item.decimals),
    }
