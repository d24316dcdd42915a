"""Emergency admission ratios in a funnel: who differs by more than chance, and by more than such areas commonly differ?

For the chapter on emergency care. Areas are so large that nearly all lie outside limits of chance, so a second pair of
limits allows for the spread between them. Both are drawn around the unflagged areas' own average, because the expected
admissions are at the standard's rates: see `book/decisions/funnel-centre.md`. Flagged areas have no part in it.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cbs_analysis.chapters.area_estimates import AreaEstimates, leaf_levels, peer_role, peers_named
from cbs_analysis.chapters.plausibility import unrecovered_falls
from cbs_analysis.evidence import charts
from cbs_analysis.evidence.finding import Chart
from cbs_analysis.evidence.tables import Column, Table
from cbs_analysis.evidence.wording import listed, number, plural, sentence_case
from cbs_analysis.pack import Pack
from cbs_analysis.stats import funnel

METHOD: funnel.OverdispersionMethod = "winsorised"
SAID = {
    "low (99.8%)": "outside 99.8%, low side",
    "high (99.8%)": "outside 99.8%, high side",
    "low (95%)": "outside 95%, low side",
    "high (95%)": "outside 95%, high side",
    "not significant": "inside",
}
OUTSIDE = ("low (99.8%)", "high (99.8%)")
ANY = (*OUTSIDE, "low (95%)", "high (95%)")
SHORT = {status: status.replace("not significant", "inside") for status in SAID}
NOT_JUDGED = "flagged, not judged"


@dataclass(frozen=True)
class Judged:
    """The unflagged peers about their own average. `table`, by area_code: value, and where it lies by `chance` and
    `widened` limits, in the words of `stats.funnel.status`.
    """

    around: funnel.AroundAverage
    table: pd.DataFrame

    def outside(self, column: str, statuses: tuple[str, ...] = OUTSIDE) -> pd.Index:
        """Codes of the peers whose status by these limits is one of those given."""
        return self.table.index[self.table[column].isin(statuses)]


def judged(pack: Pack, estimates: AreaEstimates) -> Judged | None:
    """Where each unflagged peer lies; None where too few are known for a spread between them."""
    peers = estimates.table.loc[[area.code for area in pack.peers]]
    clean = peers[~peers["flagged"].astype(bool)].dropna(subset=["value"])
    if len(clean) < funnel.FEWEST_AREAS:
        return None
    around = funnel.around_average(clean["numerator"], clean["denominator"], METHOD)
    table = clean[["value"]].assign(
        chance=funnel.status(clean["value"], around.chance), widened=funnel.status(clean["value"], around.widened)
    )
    return Judged(around, table)


def sentences(pack: Pack, found: Judged | None) -> str:
    """How many peers lie outside either pair of limits, and whether the pack's area, or how many of its own, do."""
    if found is None:
        return ""
    levels, total = leaf_levels(pack), len(found.table)
    beyond = len(found.outside("widened")), len(found.outside("widened", ANY))
    return (
        f" Of {pack.geography.whole.name}'s {total} {levels} that are not flagged, "
        f"{_lie(len(found.outside('chance')), total)} outside the 99.8% limits of chance around their own average of "
        f"{number(found.around.average, 2)}{_own(pack, found, 'chance')}. With limits widened by how much these "
        f"{levels} differ anyway, {_lie(beyond[0], total)} outside 99.8% and {_lie(beyond[1], total)} outside 95%"
        f"{_own(pack, found, 'widened')}."
    )


def _lie(count: int, total: int) -> str:
    """'all 26 lie', '2 lie', '1 lies', 'none lies'."""
    return f"{'all ' if count == total else ''}{number(count) if count else 'none'} {'lie' if count > 1 else 'lies'}"


def _own(pack: Pack, found: Judged, column: str) -> str:
    """Where the pack's area lies; for a group, how many of its own lie outside."""
    own = found.table.index.intersection(list(pack.geography.leaves(pack.area.code)))
    if pack.area.is_whole or own.empty:
        return ""
    if pack.area.is_leaf:
        where, _, side = SAID[found.table.loc[pack.area.code, column]].partition(", ")
        return f"; {pack.area.name} is {f'{where}, on the {side}' if side else where}"
    outside = len(found.outside(column, OUTSIDE if column == "chance" else ANY).intersection(own))
    of = f"{len(own)} of {pack.area.name}'s" if outside == len(own) else f"of {pack.area.name}'s {len(own)}"
    count = "all" if outside == len(own) else number(outside) if outside else "none"
    return f", {count} {of} among them"


def caveats(pack: Pack, found: Judged | None) -> list[str]:
    """What phi is, and what being outside either pair of limits says and does not say."""
    if found is None:
        return []
    levels, around = leaf_levels(pack), found.around
    return [
        f"{levels} of this size differ by far more than chance: with the extremes drawn in, they lie "
        f"{number(around.times_chance)} times as far from their average as chance alone would put them, as a root mean "
        f"square (phi, its square, is {number(around.phi)}). So outside the limits of chance says only that a "
        "difference is real, not that it is large or unusual.",
        f"Outside the widened 99.8% limits is unusual even among these {levels}. Outside the 95% ones is not: about 1 "
        "in 10 lies there with nothing out of the ordinary. Inside them "
        "is no sign that all is well: the spread that they allow for is itself need, care and recording.",
        *_doubted(pack, found),
        f"The limits are around the average of these areas and not around {standard_rates(pack)}, which are a ratio of "
        "1: how far all of them lie from it is said by the comparisons, and is no spread between them.",
    ]


def _standard(pack: Pack) -> str:
    return pack.geography.nation.name if pack.geography.nation else ""


def standard_rates(pack: Pack) -> str:
    """Whose rates are expected: 'England's rates', or the standard's where there is no nation."""
    return f"{_standard(pack) or 'the standard'}'s rates"


def _doubted(pack: Pack, found: Judged) -> list[str]:
    """Who of those outside the widened limits may lie there for want of records."""
    falls = [fall for code in found.outside("widened", ANY) for fall in unrecovered_falls(pack, [str(code)])]
    return [f"Of those outside, records may be short: {listed(falls)}, and had not come back."] if falls else []


def places(pack: Pack, estimates: AreaEstimates, found: Judged | None) -> Table | None:
    """Where each peer lies, by both pairs of limits, highest first and flagged ones last."""
    if found is None:
        return None
    frame = estimates.table.loc[[area.code for area in pack.peers], ["denominator", "value", "flagged"]].copy()
    frame.insert(0, "area", [pack.geography.area(code).name for code in frame.index])
    for column in ("chance", "widened"):
        frame[column] = found.table[column].map(SHORT).reindex(frame.index, fill_value=NOT_JUDGED)
    frame = frame.sort_values(["flagged", "value", "area"], ascending=[True, False, True])
    columns = {
        "area": Column("Area"),
        "denominator": Column("Expected", decimals=0),
        "value": Column("Observed over expected", decimals=estimates.measured.decimals),
        "chance": Column("Limits of chance"),
        "widened": Column("Widened limits"),
    }
    levels, average = leaf_levels(pack), number(found.around.average, 2)
    title = f"Where each of {peers_named(pack)} lies by the limits around the {levels}' average, {average}"
    return Table(title, frame.reset_index(drop=True), columns, emphasis=pack.area.name)


def funnel_chart(pack: Pack, estimates: AreaEstimates, found: Judged | None, year: str) -> Chart | None:
    """Every peer that has a ratio, within both pairs of limits; None where no limits can be drawn."""
    if found is None:
        return None
    frame = estimates.table.loc[[area.code for area in pack.peers]].dropna(subset=["value"])
    own = set(pack.geography.leaves(pack.area.code)) if not pack.area.is_whole else set()
    points = pd.DataFrame(
        {
            "name": [pack.geography.area(code).name for code in frame.index],
            "x": frame["denominator"].to_numpy(),
            "y": frame["value"].to_numpy(),
            "role": [peer_role(c in own, f) for c, f in frame["flagged"].items()],
        }
    )
    clean = estimates.table.loc[found.table.index]
    expected = np.linspace(points["x"].min() * 0.9, points["x"].max() * 1.05, 40)
    curves = funnel.around_average(clean["numerator"], clean["denominator"], METHOD, at=expected)
    levels = leaf_levels(pack)
    chart = charts.funnel(
        points,
        curves.chance.assign(x=expected),
        average=curves.average,
        average_label=f"{levels} {number(curves.average, 2)}",
        widened=curves.widened.assign(x=expected),
        reference=(f"{_standard(pack)} 1".strip(), 1.0),
        title="Emergency admissions, observed over expected",
        subtitle=f"{sentence_case(peers_named(pack))}, {year}; limits around the average of those not flagged",
        x_title=f"Expected admissions at {standard_rates(pack)}",
        y_title="Observed over expected",
    )
    outside = len(found.outside("chance")), len(found.outside("widened"))
    description = (
        f"Funnel plot of {len(frame)} areas with two pairs of limits. Unflagged ratios run from "
        f"{number(found.table['value'].min(), 2)} to {number(found.table['value'].max(), 2)}, average "
        f"{number(curves.average, 2)}. {number(outside[0])} lie outside the 99.8% limits of chance, "
        f"{number(outside[1]) if outside[1] else 'none'} outside those widened by the spread between areas. "
        f"{plural(len(points) - len(clean), 'area')} flagged."
    )
    return Chart(chart, description)
