"""How good are the forecasts? The last months of the return, forecast from those before, over every area of an edition.

For whoever changes the method: prints, by measure, the mean scaled error beside the seasonal naive forecast's and how
often limits held, as the page of method gives them. Run with the handbook's own Python:

    .venv/bin/python benchmarks/backtest_forecasts.py
    .venv/bin/python benchmarks/backtest_forecasts.py --edition england-2011-12 --without Q36
    .venv/bin/python benchmarks/backtest_forecasts.py --train 30
"""

import argparse
import sys

import numpy as np
import pandas as pd

from cbs_analysis.chapters import breaks, figures, open_pack, projections
from cbs_analysis.edition import load_edition
from cbs_analysis.geography import load_geography
from cbs_analysis.home import data_dir, params_dir
from cbs_analysis.pack import Pack
from cbs_analysis.stats import forecasting

COLUMNS = ["naive", "MASE", "ratio", "closer", "months95", "months80", "totals95", "totals80"]
SHARES = ["closer", "months95", "months80", "totals95", "totals80"]


def tested(pack: Pack, codes: list[str], train: int) -> pd.DataFrame:
    """A row for each measure and area: errors, and the share of months and totals inside their limits."""
    rows = []
    for measure in projections.NOUNS:
        counted = projections.counted(pack, measure, pack.area.code)
        leaves = figures.by_month(pack, measure)[[area.code for area in pack.peers]]
        found = breaks.screened_leaves(pack, measure, counted.day, leaves)
        series = pd.DataFrame({code: item.series for code, item in found.items()})
        starts = {code: item.starts for code, item in found.items()}
        days, horizon = counted.days(leaves.index), min(12, len(leaves) - train)
        group = forecasting.shared_season(series, days, starts, train)
        for code in codes:
            result = forecasting.backtest(series[code], horizon, train, days, season=group, breaks=starts[code])
            rows.append({"measure": measure, "day": counted.day, **_scores(result)})
    return pd.DataFrame(rows)


def _scores(result: forecasting.Backtest) -> dict[str, float]:
    total, actual = result.total, result.total["actual"]
    inside = {
        level: np.nan if np.isnan(actual) else float(total[f"lower_{level}"] <= actual <= total[f"upper_{level}"])
        for level in (95, 80)
    }
    return {
        "naive": result.naive_mase,
        "MASE": result.mase,
        "closer": np.nan if np.isnan(result.mase) else float(result.mase < result.naive_mase),
        "months95": result.coverage_95,
        "months80": result.coverage_80,
        "totals95": inside[95],
        "totals80": inside[80],
    }


def summary(frame: pd.DataFrame) -> pd.DataFrame:
    """Means by measure and over all, shares in percent; `ratio` is of the mean errors."""
    by_measure = frame.groupby(["measure", "day"], sort=False).mean().reset_index()
    over_all = frame.drop(columns=["measure", "day"]).mean().to_frame().T.assign(measure="all", day="")
    table = pd.concat([by_measure, over_all], ignore_index=True)
    table["ratio"] = table["MASE"] / table["naive"]
    table[SHARES] = (100 * table[SHARES]).round(1)
    return table[["measure", "day", *COLUMNS]].round(3)


def main() -> None:
    parser = argparse.ArgumentParser(description="Backtest the forecasts of an edition.")
    parser.add_argument("--edition", default="2011-12")
    parser.add_argument("--without", help="leave out the areas of this group")
    parser.add_argument("--train", type=int, default=24, help="months fitted: 24 to 35")
    chosen = parser.parse_args()
    geography = load_geography(load_edition(chosen.edition, params_dir()).geography, data_dir(), "")
    pack = open_pack(geography.whole.code, chosen.edition)
    left_out = pack.geography.leaves(chosen.without) if chosen.without else ()
    codes = [area.code for area in pack.peers if area.code not in left_out]
    sys.stdout.write(f"{len(codes)} areas of {geography.whole.name}, fitted to {chosen.train} months\n\n")
    sys.stdout.write(summary(tested(pack, codes, chosen.train)).to_string(index=False) + "\n")


if __name__ == "__main__":
    main()
