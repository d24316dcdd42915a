"""Shrunk effects against integrals taken another way, and flags against limits worked by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from cbs_analysis.stats.shrinkage import flags, shrunk

SEEN = pd.Series([0.12, -0.08, 0.02, -0.15, 0.05, 0.2, -0.03, 0.0], index=list("ABCDEFGH"))
ERRORS = pd.Series([0.05, 0.06, 0.04, 0.08, 0.1, 0.07, 0.05, 0.06], index=SEEN.index)


def marginal(tau: float) -> tuple[float, np.ndarray]:
    """The weight of a tau, its centre integrated out, and the means of effects given it; by formula."""
    typical = len(ERRORS) / (1 / ERRORS).sum()
    precision = 1 / (ERRORS**2 + tau**2)
    centre = (precision * SEEN).sum() / precision.sum()
    log = norm.logpdf(SEEN, centre, np.sqrt(ERRORS**2 + tau**2)).sum() - np.log(precision.sum()) / 2
    kept = tau**2 / (tau**2 + ERRORS**2)
    return np.exp(log - 8) * typical / (typical + tau) ** 2, (centre + kept * (SEEN - centre)).to_numpy()


def test_means_are_those_of_the_hierarchical_model_integrated_another_way():
    found = shrunk(SEEN, ERRORS, outliers=False)
    whole = quad(lambda tau: marginal(tau)[0], 0, 3, points=[0.05, 0.1, 0.3], limit=200)[0]
    for place, name in enumerate(SEEN.index):
        part = quad(
            lambda tau, at=place: marginal(tau)[0] * marginal(tau)[1][at], 0, 3, points=[0.05, 0.1, 0.3], limit=200
        )
        assert found.units.loc[name, "mean"] == pytest.approx(part[0] / whole, abs=0.0005)
    tau = quad(lambda tau: marginal(tau)[0] * tau, 0, 3, points=[0.05, 0.1, 0.3], limit=200)[0] / whole
    assert found.tau == pytest.approx(tau, rel=0.02)


def test_draws_have_the_means_and_deviations_of_the_units_and_are_the_same_again():
    found, again = shrunk(SEEN, ERRORS, draws=20_000), shrunk(SEEN, ERRORS, draws=20_000)
    assert found.draws.shape == (20_000, 8)
    assert (found.draws == again.draws).all()
    assert found.draws.mean(axis=0) == pytest.approx(found.units["mean"].to_numpy(), abs=0.0015)
    assert found.draws.std(axis=0) == pytest.approx(found.units["standard_deviation"].to_numpy(), rel=0.03)
    assert (found.draws == shrunk(SEEN, ERRORS, draws=20_000, seed=1).draws).mean() < 0.01


def test_an_effect_is_drawn_in_by_more_where_chance_is_larger():
    seen = pd.Series([0.1, 0.1, -0.05, 0.05, -0.1, 0.0, 0.02, -0.02], index=list("abcdefgh"))
    errors = pd.Series([0.01, 0.2, *[0.03] * 6], index=seen.index)
    means = shrunk(seen, errors).units["mean"]
    assert means["a"] == pytest.approx(0.1, abs=0.01)
    assert abs(means["b"]) < 0.05


def test_a_unit_out_of_the_ordinary_keeps_its_distance_and_leaves_the_others_where_they_were():
    rng = np.random.default_rng(4)
    ordinary = np.append(rng.normal(0, 0.03, 20), 0.0)
    errors = np.full(21, 0.03)
    without = shrunk(ordinary, errors).units
    ordinary[20] = 0.4
    found, plain = shrunk(ordinary, errors).units, shrunk(ordinary, errors, outliers=False).units
    assert found.loc[20, "mean"] > 0.38 and found.loc[20, "outlier"] > 0.99
    assert found["outlier"][:20].max() < 0.3
    moved = np.abs(found["mean"] - without["mean"])[:20].mean()
    assert moved < np.abs(plain["mean"] - without["mean"])[:20].mean() * 0.6


def test_a_unit_that_is_not_known_has_no_part():
    seen = pd.concat([SEEN, pd.Series({"I": np.nan})])
    errors = pd.concat([ERRORS, pd.Series({"I": 0.1})])
    found = shrunk(seen, errors)
    assert found.units.loc["I", ["mean", "lower", "upper", "outlier"]].isna().all()
    assert found.units["mean"].drop("I").to_numpy() == pytest.approx(shrunk(SEEN, ERRORS).units["mean"].to_numpy())


def test_where_chance_explains_the_spread_widened_limits_are_those_of_chance():
    frame = flags(pd.Series([0.05, -0.05, 0.02, -0.02, 0.0], index=list("ABCDE")), pd.Series(0.1, index=list("ABCDE")))
    assert (frame["tau2"] == 0).all() and (frame["phi"] < 1).all()
    assert frame["centre"].to_numpy() == pytest.approx(1)
    assert frame["widened_upper_998"].to_numpy() == pytest.approx(np.exp(3.0902323 * 0.1))
    assert frame["chance_lower_95"].to_numpy() == pytest.approx(np.exp(-1.9599640 * 0.1))
    assert set(frame["chance"]) == set(frame["widened"]) == {"not significant"}


def test_of_many_units_tau2_and_phi_are_those_they_were_drawn_with():
    rng = np.random.default_rng(5)
    frame = flags(0.3 + rng.normal(0, np.hypot(0.1, 0.05), 4_000), np.full(4_000, 0.05))
    assert frame["tau2"][0] == pytest.approx(0.01, rel=0.06)
    assert frame["phi"][0] == pytest.approx(5, rel=0.06)
    assert frame["centre"][0] == pytest.approx(np.exp(0.3), rel=0.01)


def test_a_unit_far_out_is_flagged_by_both_limits_and_ordinary_ones_by_those_of_chance_alone():
    seen = [0.1, -0.1, 0.08, -0.08, 0.05, -0.05, 0.02, -0.02, 0.0, 0.06, -0.06, 0.7, -0.8]
    frame = flags(seen, np.full(13, 0.02))
    assert list(frame["widened"][:11].unique()) == ["not significant"]
    assert list(frame["widened"][11:]) == ["high (99.8%)", "low (99.8%)"]
    assert frame["chance"][0] == "high (99.8%)"
    reach = 3.0902323 * np.sqrt(0.02**2 + frame["tau2"][0])
    assert frame["widened_upper_998"][0] == pytest.approx(frame["centre"][0] * np.exp(reach))


def test_a_missing_ratio_is_not_known():
    frame = flags([0.1, -0.1, 0.0, np.nan], np.full(4, 0.05))
    assert frame.loc[3, "chance"] == frame.loc[3, "widened"] == "not known"


@pytest.mark.parametrize("method", [shrunk, flags])
@pytest.mark.parametrize(
    ("seen", "errors", "said"),
    [
        ([0.1, 0.2, 0.3], [0.1, 0.1], "give as many of each"),
        ([0.1, 0.2, np.nan], [0.1, 0.1, 0.1], "2 are known"),
        (
            pd.Series([0.1, 0.2, 0.3], index=list("abc")),
            pd.Series([0.1, 0.0, 0.1], index=list("abc")),
            "b is 0; .* above 0",
        ),
        (
            pd.Series([0.1, 0.2, 0.3], index=list("abc")),
            pd.Series([0.1, 0.1, 0.1], index=list("cba")),
            "different indexes",
        ),
        ([0.1, "x", 0.3], [0.1, 0.1, 0.1], "must be a number"),
        ([0.1, np.inf, 0.3], [0.1, 0.1, 0.1], "must be finite"),
    ],
)
def test_bad_input_is_refused_by_name(method, seen, errors, said):
    with pytest.raises(ValueError, match=said):
        method(seen, errors)


def test_no_draws_are_refused():
    with pytest.raises(ValueError, match="draws is 0"):
        shrunk(SEEN, ERRORS, draws=0)
