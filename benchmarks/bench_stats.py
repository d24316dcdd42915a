"""How much faster is one call for many areas than a loop over them? Rates, ratios, life expectancy, trends.

For whoever changes the methods. Each function is called once with a frame of all areas. Three loops over the areas are
timed in the same run:

- groups: over the frame's groups, the formula in numpy for each and no check, as one would write it in a notebook;
- bare: the same, with the areas' numbers already lying in arrays area by area;
- calls: the function called for one area after another.

The loops run over a sample and are scaled up to all areas. Times are medians. Run on one core with

    make bench-stats
"""

import argparse
import platform
import statistics
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import gammaincinv

from cbs_analysis.stats.life_tables import LIVED_BY_THE_DYING, START_AGES, YEARS_IN_BAND, life_expectancy
from cbs_analysis.stats.standardisation import direct_rate, expected_events, indirect_ratio
from cbs_analysis.stats.trend import recent_trend

Z = 1.959963984540054
STANDARD = np.array([5000, 5500, 5500, 5500, 6000, 6000, 6500, 7000, 7000, 7000, 7000, 6500, 6000, 5500, 5000, 4000,
                     2500, 1500, 1000.0])  # fmt: skip
REFERENCE = np.linspace(100, 4_000, 19), np.full(19, 200_000.0)
DYING = np.array([500, 20, 10, 12, 40, 60, 65, 80, 110, 160, 240, 370, 600, 950, 1500, 2500, 4200, 7200, 12000,
                  20000]) / 1e5  # fmt: skip


class Case(NamedTuple):
    """One method: how many areas, rows an area, the call for a frame of areas, and the formula for one."""

    name: str
    areas: int
    rows: int
    frame: pd.DataFrame
    call: Callable[[pd.DataFrame], object]
    of_one: Callable[..., object]
    columns: tuple[str, ...]


def byar(count: float) -> tuple[float, float]:
    above = count + 1
    lower = count * (1 - 1 / (9 * count) - Z / (3 * count**0.5)) ** 3
    return lower, above * (1 - 1 / (9 * above) + Z / (3 * above**0.5)) ** 3


def direct_of_one(events: np.ndarray, people: np.ndarray) -> tuple[float, float, float]:
    share = STANDARD / STANDARD.sum() / people
    count, rate = events.sum(), (events * share).sum()
    lower, upper = byar(count)
    scale = ((events * share**2).sum() / count) ** 0.5
    return rate * 1e5, (rate + scale * (lower - count)) * 1e5, (rate + scale * (upper - count)) * 1e5


def ratio_of_one(events: np.ndarray, people: np.ndarray) -> tuple[float, float, float]:
    count, expected = events.sum(), (people * REFERENCE[0] / REFERENCE[1]).sum()
    if count >= 10:
        lower, upper = byar(count)
    else:
        lower, upper = gammaincinv(count, 0.025) if count else 0.0, gammaincinv(count + 1, 0.975)
    return count / expected, lower / expected, upper / expected


def life_of_one(people: np.ndarray, deaths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rate = deaths / people
    dying = rate * YEARS_IN_BAND / (1 + rate * YEARS_IN_BAND * (1 - LIVED_BY_THE_DYING))
    dying[-1] = 1.0
    alive = np.concatenate([[1.0], np.cumprod(1 - dying[:-1])])
    left = np.append(alive[1:], 0)
    lived = YEARS_IN_BAND * (left + LIVED_BY_THE_DYING * (alive - left))
    lived[-1] = alive[-1] / rate[-1]
    value = lived[::-1].cumsum()[::-1] / alive
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = np.where(deaths > 0, dying**2 * (1 - dying) / deaths, 0)
    spread = variance * alive**2 * ((1 - LIVED_BY_THE_DYING) * YEARS_IN_BAND + np.append(value[1:], 0)) ** 2
    spread[-1] = alive[-1] ** 2 / (deaths[-1] * rate[-1] ** 2)
    reach = Z * spread[::-1].cumsum()[::-1] ** 0.5 / alive
    return value - reach, value + reach


def trend_of_one(years: np.ndarray, values: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> str:
    weight = (2 * Z / (upper - lower)) ** 2

    def slope(kept: np.ndarray) -> tuple[float, float]:
        at, w = years[kept], weight[kept]
        centred = at - (w * at).sum() / w.sum()
        spread = (w * centred**2).sum()
        return (w * centred * values[kept]).sum() / spread, spread

    whole, spread = slope(np.arange(5))
    steady = all(np.sign(slope(np.delete(np.arange(5), out))[0]) == np.sign(whole) for out in range(5))
    if whole**2 * spread <= 9.5495 or not steady:
        return "no significant change"
    return "increasing" if whole > 0 else "decreasing"


def by_band(areas: int, rows: int, **columns: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({"area": np.repeat(np.arange(areas), rows), "band": np.tile(np.arange(rows), areas), **columns})


def cases(areas: int) -> list[Case]:
    draw = np.random.default_rng(20_061)
    people = draw.integers(500, 9_000, areas * 19).astype(float)
    counts = draw.poisson(people * np.tile(np.linspace(5e-4, 2e-2, 19), areas)).astype(float)
    standardised = by_band(areas, 19, events=counts, people=people)
    few = max(areas // 20, 1)
    alive = draw.integers(800, 9_000, few * 20).astype(float)
    lives = by_band(few, 20, people=alive, deaths=np.maximum(draw.poisson(alive * np.tile(DYING, few)), 1.0))
    lives["band"] = np.tile(START_AGES, few)
    values = draw.normal(100, 5, areas * 5)
    yearly = by_band(areas, 5, value=values, lower=values - 6, upper=values + 6)

    def ratio(frame: pd.DataFrame) -> pd.DataFrame:
        observed = np.bincount(pd.factorize(frame["area"])[0], weights=frame["events"])
        return indirect_ratio(observed, expected_events(frame, "area", "people", *REFERENCE)["expected"].to_numpy())

    def direct(frame: pd.DataFrame) -> pd.DataFrame:
        return direct_rate(frame, "area", "events", "people", STANDARD)

    def life(frame: pd.DataFrame) -> pd.DataFrame:
        return life_expectancy(frame, "area", "band", "people", "deaths")

    def trend(frame: pd.DataFrame) -> pd.DataFrame:
        return recent_trend(frame, "area", "band", "value", "lower", "upper")

    counted, limits = ("events", "people"), ("band", "value", "lower", "upper")
    return [
        Case("directly standardised rate", areas, 19, standardised, direct, direct_of_one, counted),
        Case("indirectly standardised ratio", areas, 19, standardised, ratio, ratio_of_one, counted),
        Case("life expectancy", few, 20, lives, life, life_of_one, ("people", "deaths")),
        Case("recent trend", areas, 5, yearly, trend, trend_of_one, limits),
    ]


def seconds(call: Callable[[], object], runs: int) -> float:
    """Median of several runs, in seconds, after one that is not counted."""
    call()
    taken = []
    for _ in range(runs):
        started = time.perf_counter()
        call()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def calls(case: Case, sample: int) -> None:
    for area in range(sample):
        case.call(case.frame.iloc[area * case.rows : (area + 1) * case.rows])


def groups(case: Case, sample: int) -> None:
    for _, rows in case.frame[: sample * case.rows].groupby("area"):
        case.of_one(*(rows[name].to_numpy() for name in case.columns))


def bare(case: Case, sample: int) -> None:
    numbers = case.frame[: sample * case.rows]
    columns = [numbers[name].to_numpy().reshape(sample, case.rows) for name in case.columns]
    for rows in zip(*columns, strict=True):
        case.of_one(*rows)


def main() -> None:
    parser = argparse.ArgumentParser(description="Time the methods for many areas against loops over areas.")
    parser.add_argument("--areas", type=int, default=100_000, help="how many; of life expectancy a twentieth of them")
    parser.add_argument("--runs", type=int, default=5, help="how often each is timed")
    parser.add_argument("--sample", type=int, default=2_000, help="areas that loops run over; calls, a tenth of them")
    given = parser.parse_args()
    table = []
    for case in cases(given.areas):
        once = seconds(lambda case=case: case.call(case.frame), given.runs)
        row = {"method": case.name, "areas": f"{case.areas:,}", "one call": f"{once:.3f} s"}
        for loop in (groups, bare, calls):
            sample = max(min(given.sample, case.areas) // (10 if loop is calls else 1), 1)
            taken = seconds(lambda case=case, loop=loop, sample=sample: loop(case, sample), given.runs)
            taken *= case.areas / sample
            row |= {loop.__name__: f"{taken:.2f} s", f"x {loop.__name__}": f"{taken / once:.1f}"}
        table.append(row)
    sys.stdout.write(pd.DataFrame(table).to_string(index=False) + "\n")
    sys.stdout.write(
        f"Medians of {given.runs} runs. Loops timed on {given.sample:,} areas, calls on {given.sample // 10:,}, and "
        f"scaled up. Python {platform.python_version()}, numpy {np.__version__}, pandas {pd.__version__}.\n"
    )


if __name__ == "__main__":
    main()
