"""The flow map: which trusts treat an area's people, and how far they go for it.

For the chapter on providers and market. A trust lies where the PCTs that led for it in 2006 lie on the tile map, so
places are rough; one that none led for lies at the PCT that pays for most of its spells.
"""

from collections.abc import Mapping

import pandas as pd

from cbs_analysis.chapters.record_tables import OUTSIDE, provider_names
from cbs_analysis.evidence import charts, disclosure
from cbs_analysis.evidence.finding import Chart
from cbs_analysis.evidence.wording import level_name, listed, number, plural
from cbs_analysis.pack import Pack
from cbs_analysis.stats import rates

LEAST_SHARE, LEAST_SHARE_OF_WHOLE = 5, 10
"""In percent of a PCT's spells: flows below it are not drawn. The whole's lines would hide each other at five."""
MOST_SAID = 5


def flow_map(pack: Pack, spells: pd.DataFrame) -> Chart | None:
    """The area's PCTs and the trusts that treat their people, drawn and said in words.

    `spells` has a row a PCT and a column a trust, by code, and counts the spells of the year. None where the geography
    has no tile map, or none of the area's PCTs has spells enough to show.
    """
    tiles = {area.code: area.tile for area in pack.peers if area.tile is not None}
    own = [code for code in pack.geography.leaves(pack.area.code) if code in spells.index]
    if len(tiles) < len(pack.peers) or not own:
        return None
    names = provider_names(pack)
    known = [code for code in spells.columns if code in names.index and spells[code].sum() >= disclosure.FEWEST_EVENTS]
    flows = _flows(pack, spells.loc[own, known], spells.loc[own].sum(axis=1), tiles)
    if flows.empty:
        return None
    levels = level_name(pack.peers[0].level, plural=True)
    least = LEAST_SHARE_OF_WHOLE if pack.area.is_whole else LEAST_SHARE
    drawn = charts.flow_map(
        pd.DataFrame(
            [
                {"name": area.name, "x": x, "y": y, "role": "area" if area.code in own else "peer"}
                for area in pack.peers
                for x, y in [tiles[area.code]]
            ]
        ),
        charts.placed(_trusts(pack, spells[known], tiles)),
        flows,
        title=f"Where {pack.area.name}'s people are treated",
        subtitle=f"Trusts with at least {least}% of a PCT's spells, {pack.edition.activity_year}"
        + (f"; {levels}' own tiles left out" if pack.area.is_whole else ""),
        fewest_share_pct=least,
    )
    return Chart(drawn, _described(pack, spells.loc[own].sum()))


def _flows(pack: Pack, own: pd.DataFrame, total: pd.Series, tiles: Mapping[str, tuple[int, int]]) -> pd.DataFrame:
    """A row for each PCT and trust: area, provider, count, share_pct; of the whole those beyond a PCT's own tile."""
    names = provider_names(pack)
    rows = own.rename_axis(index="area_code", columns="provider_code").stack().rename("count").reset_index()
    rows["share_pct"] = rates.ratio(rows["count"], rows["area_code"].map(total), 100)
    if pack.area.is_whole:
        places = _places(pack, own, tiles)
        away = [
            tiles[area] != places.get(trust)
            for area, trust in zip(rows["area_code"], rows["provider_code"], strict=True)
        ]
        rows = rows[away]
    rows = disclosure.safe_points(rows, "count")
    return pd.DataFrame(
        {
            "area": [pack.geography.area(code).name for code in rows["area_code"]],
            "provider": [names[code] for code in rows["provider_code"]],
            "count": rows["count"].to_numpy(),
            "share_pct": rows["share_pct"].to_numpy(),
        }
    )


def _trusts(pack: Pack, spells: pd.DataFrame, tiles: Mapping[str, tuple[int, int]]) -> pd.DataFrame:
    """Every trust: name, x and y in tiles (none of those outside), size in spells."""
    places = _places(pack, spells, tiles)
    names, nowhere = provider_names(pack), (float("nan"), float("nan"))
    rows = [(names[code], *places.get(str(code), nowhere), spells[code].sum()) for code in spells.columns]
    return pd.DataFrame(rows, columns=["name", "x", "y", "size"])


def _places(pack: Pack, spells: pd.DataFrame, tiles: Mapping[str, tuple[int, int]]) -> dict[str, tuple[float, float]]:
    """The middle of the tiles of the PCTs that led for each trust; without any, the tile of the PCT that pays most."""
    leads = pack.read("lead_commissioners_2006")
    leads = leads[leads["lead_pct_code"].isin(list(tiles))]
    found = {}
    for code, sent in spells[spells.index.isin(list(tiles))].drop(columns=OUTSIDE, errors="ignore").items():
        leading = leads.loc[leads["provider_code"] == code, "lead_pct_code"].unique()
        at = pd.DataFrame([tiles[pct] for pct in (leading if len(leading) else [sent.idxmax()])])
        found[str(code)] = (float(at[0].mean()), float(at[1].mean()))
    return found


def _described(pack: Pack, own: pd.Series) -> str:
    """The map in words: what is drawn, the main trusts with their shares, and what goes outside."""
    names = provider_names(pack)
    share = pd.Series(rates.ratio(own, own.sum(), 100), index=own.index)[own >= disclosure.FEWEST_EVENTS]
    main = share.drop(index=OUTSIDE, errors="ignore").nlargest(MOST_SAID)
    said = listed(f"{names.get(code, code)} {number(part)}%" for code, part in main.items())
    outside = f" Outside London {number(share[OUTSIDE])}%." if OUTSIDE in share.index else ""
    return (
        f"Map of {pack.geography.whole.name}'s {plural(len(pack.peers), level_name(pack.peers[0].level))} as tiles and "
        f"its trusts as circles, with lines from {pack.area.name} to the trusts that treat its people. Main trusts by "
        f"share of spells: {said}.{outside}"
    )
