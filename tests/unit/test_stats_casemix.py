"""Case-mix models against statsmodels fitted densely, against counts worked by hand, and against bad input."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy.special import expit

from cbs_analysis.stats.casemix import POOLED, fit

NAMES = {"cases": "cases", "events": "events", "unit": "trust"}


def cells(seed: int = 1, rows: int = 400, units: str = "ABCDEFGH") -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "trust": rng.choice(list(units), rows),
            "hrg": rng.choice(["EA01", "EA02", "EA03"], rows, p=[0.5, 0.3, 0.2]),
            "sex": rng.choice(["women", "men"], rows, p=[0.6, 0.4]),
            "pct": rng.choice(["5LE", "5K7"], rows, p=[0.55, 0.45]),
            "cases": rng.integers(20, 90, rows),
        }
    )
    eta = -1 + 0.5 * (frame["hrg"] == "EA02") - 0.3 * (frame["sex"] == "men") + 0.25 * (frame["trust"] == "B")
    frame["day"] = rng.binomial(frame["cases"], expit(eta))
    frame["nights"] = rng.negative_binomial(frame["cases"], 1 / (1 + 3 * np.exp(eta)))
    return frame


def dense(frame: pd.DataFrame, events: str, family: str, terms: list[str]):
    """The same model by statsmodels alone: cells added up, dummies beside an intercept, commonest level left out."""
    summed = frame.groupby([*terms, "trust"], as_index=False)[["cases", events]].sum()
    columns = {"intercept": np.ones(len(summed))}
    for term in (*terms, "trust"):
        levels = summed.groupby(term)["cases"].sum().sort_values(ascending=False).index
        columns |= {(term, level): (summed[term] == level) * 1.0 for level in levels[1:]}
    design = pd.DataFrame(columns)
    if family == "binomial":
        both = np.column_stack([summed[events], summed["cases"] - summed[events]])
        return sm.GLM(both, design.to_numpy(), sm.families.Binomial()).fit(tol=1e-12), design, summed
    offset = np.log(summed["cases"])
    model = sm.GLM(summed[events], design.to_numpy(), sm.families.Poisson(), offset=offset)
    return model.fit(tol=1e-12, scale="X2"), design, summed


@pytest.mark.parametrize(("events", "family"), [("day", "binomial"), ("nights", "quasi-poisson")])
@pytest.mark.parametrize("within", [None, "pct"])
def test_coefficients_and_errors_are_those_of_statsmodels(events, family, within):
    frame = cells()
    terms = ["hrg", "sex", *([within] if within else [])]
    found = fit(frame, **NAMES | {"events": events}, covariates=["hrg", "sex"], within=within, family=family)
    wanted, design, _ = dense(frame, events, family, terms)
    dispersion = wanted.pearson_chi2 / wanted.df_resid
    scale = max(dispersion, 1) if family == "binomial" else dispersion
    assert found.dispersion == pytest.approx(scale, rel=1e-6)
    estimate, error = dict(zip(design, wanted.params, strict=True)), dict(zip(design, wanted.bse, strict=True))
    times = np.sqrt(scale) if family == "binomial" else 1
    shown = found.coefficients.set_index(["term", "level"])
    assert set(shown.index.get_level_values("term")) == set(terms)
    for label, row in shown.iterrows():
        assert row["estimate"] == pytest.approx(estimate.get(label, 0), abs=1e-7)
        assert row["standard_error"] == pytest.approx(error.get(label, 0) * times, abs=1e-7)
    trusts = [estimate.get(("trust", trust), 0) for trust in found.units.index]
    share = found.units["cases"] / found.units["cases"].sum()
    assert found.units["effect"].to_numpy() == pytest.approx(trusts - share.to_numpy() @ trusts, abs=1e-7)
    if family != "binomial":
        assert found.discrimination == pytest.approx(1 - wanted.deviance / wanted.null_deviance, rel=1e-6)


@pytest.mark.parametrize(("events", "family"), [("day", "binomial"), ("nights", "quasi-poisson")])
def test_the_error_of_a_ratio_is_that_of_statsmodels_covariance_carried_through(events, family):
    frame = cells()
    found = fit(frame, **NAMES | {"events": events}, covariates=["hrg", "sex"], family=family)
    wanted, design, summed = dense(frame, events, family, ["hrg", "sex"])
    unit_columns = np.array([name[0] == "trust" for name in design])
    share = np.average(design.loc[:, unit_columns], axis=0, weights=summed["cases"])
    plain = design.to_numpy().copy()
    plain[:, unit_columns] = share
    back = expit if family == "binomial" else np.exp

    def log_ratios(beta: np.ndarray) -> np.ndarray:
        own, average = (pd.Series(summed["cases"] * back(x @ beta)) for x in (design.to_numpy(), plain))
        scale = own.sum() / average.sum()
        return np.log(own.groupby(summed["trust"]).sum() / average.groupby(summed["trust"]).sum() / scale).to_numpy()

    steps = np.eye(len(wanted.params)) * 1e-5
    slopes = np.array([(log_ratios(wanted.params + d) - log_ratios(wanted.params - d)) / 2e-5 for d in steps]).T
    covariance = wanted.cov_params() * (found.dispersion if family == "binomial" else 1)
    assert found.units["log_ratio"].to_numpy() == pytest.approx(log_ratios(wanted.params), abs=1e-7)
    errors = np.sqrt(np.diag(slopes @ covariance @ slopes.T))
    assert found.units["standard_error"].to_numpy() == pytest.approx(errors, rel=1e-4)
    assert found.units["upper"].to_numpy() == pytest.approx(
        np.exp(log_ratios(wanted.params) + 1.959964 * errors), rel=1e-4
    )


def worked() -> pd.DataFrame:
    """Short stays of 2 nights and long ones of 4 at trust A, twice that at B, which has more of the long ones."""
    return pd.DataFrame(
        {
            "trust": ["A", "A", "B", "B"],
            "stay": ["short", "long", "short", "long"],
            "cases": [300, 100, 100, 300],
            "events": [600, 400, 400, 2_400],
        }
    )


def test_expected_events_are_those_worked_by_hand():
    found = fit(worked(), **NAMES, covariates=["stay"], family="quasi-poisson")
    # 300 x 2 + 100 x 4 against 100 x 2 + 300 x 4: 3,800 nights are shared 1,000 to 1,400.
    assert found.units["expected"].to_numpy() == pytest.approx([3_800 * 1_000 / 2_400, 3_800 * 1_400 / 2_400])
    assert found.units["ratio"].to_numpy() == pytest.approx([24 / 38, 48 / 38])
    assert found.units["effect"].to_numpy() == pytest.approx([-np.log(2) / 2, np.log(2) / 2])
    again = found.expected(worked())
    assert again == pytest.approx(3_800 / 2_400 * np.array([600, 400, 200, 1_200]))


def test_all_observed_is_all_expected_and_cells_may_be_split_or_shuffled():
    frame = cells()
    found = fit(frame, **NAMES | {"events": "day"}, covariates=["hrg", "sex"], family="binomial")
    assert found.units["expected"].sum() == pytest.approx(frame["day"].sum())
    assert found.expected(frame).sum() == pytest.approx(frame["day"].sum())
    halves = pd.concat([frame.assign(cases=frame["day"]), frame.assign(cases=frame["cases"] - frame["day"], day=0)])
    other = fit(
        halves.sample(frac=1, random_state=1), **NAMES | {"events": "day"}, covariates=["hrg", "sex"], family="binomial"
    )
    pd.testing.assert_frame_equal(found.units, other.units, rtol=1e-9)


def test_the_c_statistic_is_the_share_of_pairs_in_the_right_order():
    frame = cells(rows=40)
    found = fit(frame, **NAMES | {"events": "day"}, covariates=["hrg", "sex"], family="binomial")
    chance = (found.expected(frame) / frame["cases"]).round(10).to_numpy()
    with_event, without = np.repeat(chance, frame["day"]), np.repeat(chance, frame["cases"] - frame["day"])
    pairs = np.sign(with_event[:, None] - without[None, :])
    assert found.discrimination == pytest.approx((pairs > 0).mean() + (pairs == 0).mean() / 2, rel=1e-9)


def test_the_variance_of_nights_is_that_which_they_were_drawn_with():
    rng = np.random.default_rng(2)
    rows = 40_000
    drawn = pd.DataFrame({"trust": rng.choice(list("ABC"), rows), "hrg": rng.choice(["x", "y", "z"], rows)})
    mean = drawn["hrg"].map({"x": 0.8, "y": 3.0, "z": 9.0})
    drawn["events"] = rng.negative_binomial(0.8, 0.8 / (0.8 + mean))
    drawn["squared"] = drawn["events"] ** 2
    grouped = drawn.assign(cases=1).groupby(["trust", "hrg"], as_index=False).sum()
    found = fit(grouped, **NAMES, covariates=["hrg"], family="quasi-poisson", events_squared="squared")
    means = np.array([0.8, 3.0, 9.0])
    one_each = pd.DataFrame({"hrg": ["x", "y", "z"], "cases": 1})
    assert found.variance(one_each) == pytest.approx(means + means**2 / 0.8, rel=0.12)


def test_the_variance_of_proportions_is_binomial_where_cells_scatter_no_more():
    rng = np.random.default_rng(3)
    frame = cells().assign(events=lambda given: rng.binomial(given["cases"], 0.3))
    found = fit(frame, **NAMES, covariates=["hrg"], family="binomial")
    assert 1 <= found.dispersion < 1.6
    assert found.variance(frame) == pytest.approx(found.dispersion * frame["cases"] * 0.21, rel=0.1)


def test_levels_of_few_cases_are_pooled_and_levels_never_seen_count_as_those():
    frame = cells()
    rare = frame.head(4).assign(hrg=["R1", "R1", "R2", "R3"], cases=10, day=[3, 2, 4, 1])
    found = fit(pd.concat([frame, rare]), **NAMES | {"events": "day"}, covariates=["hrg"], family="binomial", fewest=50)
    assert set(found.coefficients["level"]) == {"EA01", "EA02", "EA03", POOLED}
    new = pd.DataFrame({"hrg": ["R1", "never seen"], "cases": 100})
    assert found.expected(new)[0] == found.expected(new)[1]


def test_a_level_never_seen_counts_as_the_average_where_none_is_pooled():
    found = fit(worked(), **NAMES, covariates=["stay"], family="quasi-poisson")
    new = pd.DataFrame({"stay": ["short", "long", "never seen"], "cases": 1})
    short, long, other = found.expected(new)
    assert other == pytest.approx(np.sqrt(short * long))


def test_a_unit_without_events_has_a_ratio_of_nought_and_does_not_move_the_others():
    frame = worked()
    with_none = pd.concat([frame, pd.DataFrame({"trust": ["C"], "stay": ["short"], "cases": [100], "events": [0]})])
    units = fit(with_none, **NAMES, covariates=["stay"], family="quasi-poisson").units
    assert units.loc["C", "ratio"] == 0 and np.isnan(units.loc["C", "effect"]) and np.isnan(units.loc["C", "lower"])
    assert units["expected"].sum() == pytest.approx(3_800)
    assert units.loc["B", "ratio"] / units.loc["A", "ratio"] == pytest.approx(2)


def test_events_of_cells_without_cases_are_counted_as_left_out():
    extra = pd.DataFrame({"trust": ["A"], "stay": ["none"], "cases": [0], "events": [7]})
    found = fit(pd.concat([worked(), extra]), **NAMES, covariates=["stay"], family="quasi-poisson")
    assert found.left_out == 7
    assert found.units["observed"].sum() == 3_800


def test_a_model_of_units_alone_compares_plain_rates():
    units = fit(worked(), **NAMES, covariates=[], family="quasi-poisson").units
    assert units["expected"].to_numpy() == pytest.approx([1_900, 1_900])


@pytest.mark.parametrize(
    ("change", "how", "said"),
    [
        ({}, {"family": "poisson"}, "family is 'poisson'"),
        ({}, {"covariates": ["age"]}, "no column age"),
        ({"events": [1, 2, "many", 4]}, {}, "events: 2 is 'many'"),
        ({"events": [1, -2, 3, 4]}, {}, "events: 1 is -2; events must be a number and not negative"),
        ({"cases": [1, np.nan, 3, 4]}, {}, "cases: 1 is nan"),
        ({"stay": ["short", None, "short", "long"]}, {}, "stay: row 1 is missing"),
        ({"trust": ["A", "A", "B", None]}, {}, "trust: row 3 is missing"),
        ({}, {"family": "binomial"}, "events: 0 is 600, 1 is 400, 2 is 400 and 1 more; events must not exceed cases"),
        ({"events": [0, 0, 5, 5]}, {}, "trust: 1 have events"),
        (
            {"trust": ["A", "B", "A", "B"]},
            {},
            "trust B, stay long cannot be told apart|stay long, trust A|stay .*apart",
        ),
        ({"squared": [1, 2, 3, 4]}, {"events_squared": "squared"}, "squared: 0 is 1.* at least the square of events"),
    ],
)
def test_bad_input_is_refused_by_name(change, how, said):
    with pytest.raises(ValueError, match=said):
        fit(worked().assign(**change), **NAMES | {"covariates": ["stay"], "family": "quasi-poisson"} | how)


def test_a_level_with_the_name_of_pooled_levels_is_refused_and_not_merged_with_them():
    frame = cells()
    frame.loc[frame.index[0], "hrg"] = POOLED
    with pytest.raises(ValueError, match="hrg has a level 'other', which is the name of pooled levels"):
        fit(frame, cases="cases", events="day", covariates=["hrg"], unit="trust", family="binomial")
