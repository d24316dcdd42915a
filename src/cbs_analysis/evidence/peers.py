"""Where an area's value lies among its peers: its fifth on a map, and the funnel of all of them.

Both are frozen in a finding when it is made, so that a page which shows them works nothing out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from cbs_analysis.stats import funnel
from cbs_analysis.stats.inequality import assign_quantile

FIFTHS = 5
FEWEST_FOR_A_FUNNEL = 10
POINTS_ON_A_CURVE = 40
PROPORTIONS = "proportions"
WITH_LIMITS = (PROPORTIONS, "crude-rates", "indirect-standardisation")
OVERDISPERSION: funnel.OverdispersionMethod = "winsorised"


def fifth(values: pd.Series, code: str) -> int | None:
    """The area's fifth of its peers by value, 1 the lowest to 5 the highest; None where it has none.

    `values` are the peers' by area code, without those that are flagged. An area that is not among them has no fifth,
    and nobody has one where fewer than five values are known.
    """
    known = values.dropna().astype(float)
    if code not in known.index:
        return None
    fifths = pd.Series(assign_quantile(known.to_numpy(), FIFTHS, high_is_first=False), index=known.index)
    return None if np.isnan(fifths[code]) else int(fifths[code])


@dataclass(frozen=True)
class Funnel:
    """Peers around their average, in the unit of the indicator.

    `points` has a row for each peer whose value rests on a count: code, name, x (the denominator), y (the value) and
    status, which is inside, outside or flagged. `limits` are those of chance: x, lower_95, upper_95, lower_998 and
    upper_998; `widened`, where there is such a pair, allows for how much areas differ, and is what `status` goes by.
    The average and the limits are those of the peers that are not flagged.
    """

    average: float
    points: pd.DataFrame
    limits: pd.DataFrame
    widened: pd.DataFrame | None

    def to_json(self) -> dict[str, Any]:
        rows = {name: frame.to_dict("records") for name, frame in (("points", self.points), ("limits", self.limits))}
        widened = None if self.widened is None else self.widened.to_dict("records")
        return {"average": self.average, **rows, "widened": widened}


def peer_funnel(peers: pd.DataFrame, names: Mapping[str, str], method: str, per: int) -> Funnel | None:
    """The funnel of an indicator worked out by `method`, `per` so many; None where counts or method allow none.

    `peers` is a table of `comparing.estimates`, without groups; `names` are the peers' by code.
    Source: `stats.funnel`.
    """
    if method not in WITH_LIMITS:
        return None
    counted = peers[peers["value"].notna() & peers["denominator"].astype(float).gt(0)]
    points = pd.DataFrame(
        {
            "code": counted.index,
            "name": [names[code] for code in counted.index],
            "x": counted["denominator"].astype(float).to_numpy(),
            "y": counted["value"].astype(float).to_numpy(),
            "events": counted["numerator"].astype(float).to_numpy(),
            "flagged": counted["flagged"].astype(bool).to_numpy(),
        }
    )
    points = points.sort_values("name", kind="stable", ignore_index=True)
    known = points[~points["flagged"] & points["events"].gt(0)]
    if len(known) < FEWEST_FOR_A_FUNNEL:
        return None
    at = np.linspace(points["x"].min() * 0.9, points["x"].max() * 1.05, POINTS_ON_A_CURVE)
    limits, widened, average = _curves(known, method, per, at)
    outside = _outside(points, limits if widened is None else widened)
    points["status"] = np.select([points["flagged"], outside], ["flagged", "outside"], "inside")
    return Funnel(average, points[["code", "name", "x", "y", "status"]], limits, widened)


def _curves(
    known: pd.DataFrame, method: str, per: int, at: np.ndarray
) -> tuple[pd.DataFrame, pd.DataFrame | None, float]:
    """Limits of chance at `at`, a second pair where the method has one, and the average, in the indicator's unit."""
    if method == PROPORTIONS:
        share = float(known["events"].sum() / known["x"].sum())
        return _curve(funnel.proportion_limits(at, share) * per, at), None, share * per
    around = funnel.around_average(known["events"], known["x"] / per, OVERDISPERSION, at=at / per)
    widened = None if around.widened is None else _curve(around.widened, at)
    return _curve(around.chance, at), widened, float(around.average)


def _curve(limits: pd.DataFrame, at: np.ndarray) -> pd.DataFrame:
    columns = [f"{side}_{part}" for side in ("lower", "upper") for part in ("95", "998")]
    frame = limits[columns].reset_index(drop=True).assign(x=at)
    return frame[["x", *columns]].astype(float)


def _outside(points: pd.DataFrame, limits: pd.DataFrame) -> np.ndarray:
    lower, upper = (np.interp(points["x"], limits["x"], limits[f"{side}_998"]) for side in ("lower", "upper"))
    return np.asarray((points["y"] < lower) | (points["y"] > upper))
