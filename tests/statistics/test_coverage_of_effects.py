"""Do intervals of providers' effects and of potentials hold the truth, and are the right ones flagged?

Plain worlds of 28 providers, each made anew from each of 200 seeds. Ordinary true effects lie within two standard
deviations, those of outliers at four or five. 5,600 intervals a setting; as those of one world share a model, a
share of 95% is known to about half of one per cent.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from cbs_analysis.stats.casemix import fit
from cbs_analysis.stats.potential import best_quarter
from cbs_analysis.stats.shrinkage import flags

pytestmark = pytest.mark.slow
SEEDS = 200
UNITS = 28
CLAIMED = (0.92, 0.98)
LEVELS = {"hrg": 8, "age": 3, "sex": 2}


def true_effects(rng: np.random.Generator, spread: float, outliers: int) -> np.ndarray:
    drawn = rng.normal(size=UNITS)
    while (far := np.abs(drawn) > 2).any():
        drawn = np.where(far, rng.normal(size=UNITS), drawn)
    where = rng.permutation(UNITS)[:outliers]
    drawn[where] = rng.uniform(4, 5, outliers) * rng.choice([-1, 1], outliers)
    return spread * drawn


def cases_of(rng: np.random.Generator, number: int) -> pd.DataFrame:
    """One row a case. Providers differ in size and in what they treat."""
    unit = rng.choice(UNITS, number, p=rng.dirichlet(np.full(UNITS, 5.0)))
    frame = {"unit": unit, "pct": rng.integers(0, 4, number)}
    for name, levels in LEVELS.items():
        mix = np.cumsum(rng.dirichlet(np.full(levels, 3.0), UNITS), axis=1)
        frame[name] = np.minimum((rng.random(number)[:, None] > mix[unit]).sum(axis=1), levels - 1)
    return pd.DataFrame(frame)


def predictor(rng: np.random.Generator, cases: pd.DataFrame, effects: np.ndarray, hrg_spread: float) -> np.ndarray:
    of_levels = sum(
        rng.normal(0, hrg_spread if name == "hrg" else 0.2, levels)[cases[name]] for name, levels in LEVELS.items()
    )
    return effects[cases["unit"]] + of_levels


def cells_of(cases: pd.DataFrame, events: np.ndarray) -> pd.DataFrame:
    whole = cases.assign(cases=1, events=events, squared=events**2)
    return whole.groupby(["unit", "pct", *LEVELS], as_index=False).sum()


def nights(seed: int) -> tuple[pd.DataFrame, np.ndarray, np.ndarray, dict]:
    """Nights of each case: negative binomial, so that cases of long stays vary by far more than those of short ones."""
    rng = np.random.default_rng(seed)
    effects, cases = true_effects(rng, 0.05, 4), cases_of(rng, 5_000)
    eta = 0.8 + predictor(rng, cases, effects, 0.7)
    shape = 1.2
    events = rng.negative_binomial(shape, shape / (shape + np.exp(eta)))
    return (
        cells_of(cases, events),
        effects,
        eta,
        {"cases": cases, "family": "quasi-poisson", "events_squared": "squared"},
    )


def follow_ups(seed: int) -> tuple[pd.DataFrame, np.ndarray, np.ndarray, dict]:
    rng = np.random.default_rng(seed)
    effects, cases = true_effects(rng, 0.08, 4), cases_of(rng, 3_000)
    eta = predictor(rng, cases, effects, 0.3)
    return cells_of(cases, rng.poisson(np.exp(eta))), effects, eta, {"cases": cases, "family": "quasi-poisson"}


def readmissions(seed: int) -> tuple[pd.DataFrame, np.ndarray, np.ndarray, dict]:
    rng = np.random.default_rng(seed)
    effects, cases = true_effects(rng, 0.1, 4), cases_of(rng, 5_000)
    eta = -2.3 + predictor(rng, cases, effects, 0.3)
    return cells_of(cases, rng.random(len(cases)) < expit(eta)), effects, eta, {"cases": cases, "family": "binomial"}


def day_cases(seed: int) -> tuple[pd.DataFrame, np.ndarray, np.ndarray, dict]:
    """As many in each PCT as were stated beforehand, those first that are likeliest by case, provider and chance."""
    rng = np.random.default_rng(seed)
    effects, cases = true_effects(rng, 0.15, 4), cases_of(rng, 4_000)
    eta = predictor(rng, cases, effects, 1.0)
    drawn = pd.Series(eta + rng.logistic(size=len(cases)))
    stated = cases["pct"].map(dict(enumerate(np.linspace(0.5, 0.8, 4))))
    events = drawn.groupby(cases["pct"]).rank(pct=True) > 1 - stated
    return cells_of(cases, events.to_numpy()), effects, eta, {"cases": cases, "family": "binomial", "within": "pct"}


WORLDS: dict[str, Callable] = {
    "nights": nights,
    "follow-ups": follow_ups,
    "readmissions": readmissions,
    "day cases": day_cases,
}
FITTED: dict[str, pd.DataFrame] = {}


def fitted(name: str) -> pd.DataFrame:
    """The units of all worlds of a kind, with their true effects and true ratios."""
    if name not in FITTED:
        FITTED[name] = pd.concat([one_world(name, seed) for seed in range(SEEDS)], ignore_index=True)
    return FITTED[name]


def one_world(name: str, seed: int) -> pd.DataFrame:
    cells, effects, eta, how = WORLDS[name](seed)
    cases = how.pop("cases")
    units = fit(cells, cases="cases", events="events", covariates=list(LEVELS), unit="unit", **how).units
    present = units.index.astype(int)
    share = units["cases"] / units["cases"].sum()
    average = float(share @ effects[present])
    back = expit if how["family"] == "binomial" else np.exp
    whole = pd.DataFrame(
        {"unit": cases["unit"], "own": back(eta), "plain": back(eta - effects[cases["unit"]] + average)}
    )
    sums = whole.groupby("unit").sum().loc[present]
    ratio = np.log(sums["own"] / sums["plain"] * sums["plain"].sum() / sums["own"].sum())
    return units.assign(true_effect=effects[present] - average, true_log_ratio=ratio.to_numpy(), seed=seed)


@pytest.mark.parametrize("name", WORLDS)
def test_intervals_of_effects_hold_the_truth_as_often_as_claimed(name):
    units = fitted(name)
    apart = np.abs(units["effect"] - units["true_effect"]) / units["effect_standard_error"]
    assert len(units) == SEEDS * UNITS
    assert CLAIMED[0] < (apart < 1.96).mean() < CLAIMED[1]


@pytest.mark.parametrize("name", ["nights", "follow-ups", "readmissions"])
def test_intervals_of_observed_over_expected_hold_the_truth_as_often_as_claimed(name):
    units = fitted(name)
    truth = np.exp(units["true_log_ratio"])
    assert CLAIMED[0] < ((units["lower"] <= truth) & (truth <= units["upper"])).mean() < CLAIMED[1]


def test_cases_that_vary_more_do_not_cost_any_size_of_provider_its_level():
    units = fitted("nights")
    held = np.abs(units["effect"] - units["true_effect"]) < 1.96 * units["effect_standard_error"]
    fourths = held.groupby(pd.qcut(units["cases"], 4, labels=False)).mean()
    assert CLAIMED[0] < fourths.min() and fourths.max() < CLAIMED[1]


def estimates(seed: int, outliers: int, chance: tuple[float, float], spread: float = 0.08) -> tuple[np.ndarray, ...]:
    """True log ratios, their standard errors (from and to so many spreads), and log ratios as seen."""
    rng = np.random.default_rng(seed)
    truth = true_effects(rng, spread, outliers) if outliers else rng.normal(0, spread, UNITS)
    errors = spread * np.exp(rng.uniform(*np.log(chance), UNITS))
    return truth, errors, truth + errors * rng.standard_normal(UNITS)


SMALL_CHANCE, LARGE_CHANCE = (0.05, 0.4), (0.2, 1.2)


@pytest.fixture(scope="module", params=[(0, LARGE_CHANCE), (4, SMALL_CHANCE)], ids=str)
def shrunk_worlds(request) -> tuple[int, list]:
    """For each seed the truth, what was seen, and the potential, with 1,000 events expected of each provider."""
    outliers, chance = request.param
    found = []
    for seed in range(SEEDS):
        truth, errors, seen = estimates(seed, outliers, chance)
        groups = pd.DataFrame(np.random.default_rng(seed).dirichlet(np.ones(5), UNITS).T * 1_000)
        potential = best_quarter(seen, errors, np.full(UNITS, 1_000.0), weights=groups, draws=2_000)
        found.append((truth, seen, groups, potential))
    return outliers, found


def test_credible_intervals_hold_the_truth_as_often_as_claimed(shrunk_worlds):
    held, is_far = [], []
    for truth, _, _, potential in shrunk_worlds[1]:
        ratio = np.exp(truth)
        held.append((potential.units["ratio_lower"] <= ratio) & (ratio <= potential.units["ratio_upper"]))
        is_far.append(np.abs(truth) > 0.2)
    held, is_far = np.concatenate(held), np.concatenate(is_far)
    assert CLAIMED[0] < held.mean() < CLAIMED[1]
    if shrunk_worlds[0]:
        assert CLAIMED[0] < held[is_far].mean() < CLAIMED[1], "those out of the ordinary are not drawn in too far"


def test_shrunk_ratios_are_nearer_to_the_truth_than_those_seen(shrunk_worlds):
    missed = np.array(
        [
            [np.mean((np.log(potential.units["ratio"]) - truth) ** 2), np.mean((seen - truth) ** 2)]
            for truth, seen, _, potential in shrunk_worlds[1]
        ]
    )
    assert missed[:, 0].mean() < 0.97 * missed[:, 1].mean()


def test_intervals_of_potentials_hold_the_truth_as_often_as_claimed(shrunk_worlds):
    of_units, of_groups, of_all = [], [], []
    for truth, _, groups, potential in shrunk_worlds[1]:
        gap = np.maximum(np.exp(truth) - np.quantile(np.exp(truth), 0.25), 0)
        for found, true, held in (
            (potential.units, gap * 1_000, of_units),
            (potential.groups, groups.to_numpy() @ gap, of_groups),
            (potential.total.to_frame().T, np.array([gap.sum() * 1_000]), of_all),
        ):
            held.append((found["lower"].to_numpy() <= true + 1e-9) & (true - 1e-9 <= found["upper"].to_numpy()))
    assert CLAIMED[0] < np.mean(of_units) < CLAIMED[1]
    # Of 200 totals a share is known to 1.5%, of groups, which share providers, hardly better.
    assert 0.90 < np.mean(of_groups) < 0.985
    assert 0.89 < np.mean(of_all) < 0.985


def test_potentials_are_hardly_too_large_or_small_where_those_at_face_value_are_too_large(shrunk_worlds):
    def gap(logs: np.ndarray) -> float:
        return float(np.maximum(np.exp(logs) - np.quantile(np.exp(logs), 0.25), 0).sum() * 1_000)

    true, seen, found = np.mean(
        [(gap(truth), gap(seen), potential.total["potential"]) for truth, seen, _, potential in shrunk_worlds[1]],
        axis=0,
    )
    # Where chance is about as large as the spread it is a tenth too small: on the safe side.
    assert 0.87 < found / true < 1.03
    assert found < seen


def test_of_chance_alone_little_potential_is_left():
    shares = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        seen = rng.normal(0, 0.08, UNITS)
        potential = best_quarter(seen, np.full(UNITS, 0.08), np.full(UNITS, 1.0), draws=1_000)
        at_face_value = np.maximum(np.exp(seen) - np.quantile(np.exp(seen), 0.25), 0).sum()
        shares.append(potential.total["potential"] / at_face_value)
    assert np.mean(shares) < 0.35


def test_those_out_of_the_ordinary_are_flagged_and_the_others_are_not():
    flagged = {True: [], False: []}
    for seed in range(SEEDS):
        truth, errors, seen = estimates(seed, 3 + seed % 2, SMALL_CHANCE)
        outside = flags(seen, errors)["widened"].str.contains("99.8").to_numpy()
        for is_far in (True, False):
            flagged[is_far].extend(outside[(np.abs(truth) > 2.001 * 0.08) == is_far])
    assert len(flagged[True]) == 3.5 * SEEDS
    assert np.mean(flagged[True]) > 0.85
    assert np.mean(flagged[False]) < 0.005


def test_of_a_normal_spread_four_in_a_thousand_lie_outside_the_widened_limits():
    outside = [
        flags(seen, errors)["widened"].str.contains("99.8")
        for _, errors, seen in (estimates(seed, 0, SMALL_CHANCE) for seed in range(SEEDS))
    ]
    assert np.mean(outside) == pytest.approx(0.004, abs=0.003)
