"""The areas as a table: value, limits and standing of one indicator, a row each, which a script can sort and filter."""

from collections.abc import Sequence

from cbs_analysis.edition import Indicator
from cbs_analysis.evidence.wording import level_name, number, sentence_case
from cbs_analysis.geography import Geography
from cbs_analysis.publishing import markup
from cbs_analysis.publishing.across import Standing
from cbs_analysis.publishing.markup import link, text
from cbs_analysis.publishing.messages import headline_comparison
from cbs_analysis.publishing.tile_map import shown_value, words_beside


def area_table(
    standings: Sequence[Standing],
    indicator: Indicator,
    geography: Geography,
    title: str,
    root: str = "",
    counts: bool = False,
    to_findings: bool = False,
) -> str:
    """Areas in the order given. `counts` adds numerator and denominator; links lead to findings, or to packs."""
    has_groups = any(each.group is not None and not each.group.is_whole for each in standings)
    heads = [_head(level_name(geography.levels[0]) if has_groups else "Area")]
    heads += [_head(sentence_case(level_name(geography.levels[1])), "cbs-spare")] if has_groups else []
    heads += [_head("Value", "cbs-number"), _head("95% interval", "cbs-number cbs-limits")]
    heads += [_head(count, "cbs-number cbs-spare") for count in ("Numerator", "Denominator")] if counts else []
    heads.append(_head(f"Beside {geography.whole.name}"))
    rows = "".join(_row(each, indicator, geography, root, has_groups, counts, to_findings) for each in standings)
    return (
        f'<div class="cbs-scroll" tabindex="0" role="group" aria-label="{text(title)}">'
        f'<table class="cbs-table cbs-areas"><caption>{text(title)}</caption><thead><tr>{"".join(heads)}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def limits(standing: Standing, indicator: Indicator) -> str:
    """The 95% interval as it is read; empty where there is none."""
    found = standing.finding
    if found is None or found["lower"] is None or found["upper"] is None:
        return ""
    return f"{number(found['lower'], indicator.decimals)} to {number(found['upper'], indicator.decimals)}"


def sortable(value: float | None) -> str:
    """A number for a script to sort by; empty sorts last."""
    return "" if value is None else f"{value:.10g}"


def _head(title: str, css: str = "") -> str:
    return f'<th scope="col" class="{css}">{text(title)}</th>' if css else f'<th scope="col">{text(title)}</th>'


def _row(
    standing: Standing,
    indicator: Indicator,
    geography: Geography,
    root: str,
    has_groups: bool,
    counts: bool,
    to_findings: bool,
) -> str:
    area, finding = standing.area, standing.finding
    address = f"{root}{standing.address if to_findings else f'packs/{area.code}/index.html'}"
    name = link(address, area.name) if standing.is_made else text(area.name)
    group = standing.group.name if standing.group and not standing.group.is_whole else ""
    cells = [f'<td class="cbs-spare">{text(group)}</td>'] if has_groups else []
    cells.append(_number(shown_value(standing, indicator), sortable(None if standing.is_flagged else standing.value)))
    cells.append(_number(limits(standing, indicator), sortable(finding["lower"] if finding else None), " cbs-limits"))
    if counts:
        for count in ("numerator", "denominator"):
            found = finding[count] if finding else None
            cells.append(_number("" if found is None else number(found), sortable(found), " cbs-spare"))
    against = headline_comparison(finding) if finding else None
    other = against["comparator"] if against else geography.whole.name
    beside = words_beside(standing.word, other).removeprefix(standing.word)
    mark = f'{markup.mark(standing.word)}<span class="cbs-beside">{text(beside)}</span>' if standing.is_made else ""
    return f'<tr data-area="{text(area.code)}"><th scope="row">{name}</th>{"".join(cells)}<td>{mark}</td></tr>'


def _number(shown: str, sort: str, css: str = "") -> str:
    return f'<td class="cbs-number{css}" data-sort="{sort}">{text(shown)}</td>'
