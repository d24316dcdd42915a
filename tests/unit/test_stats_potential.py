"""What being like the best quarter would be worth, against figures worked by hand where chance is next to nothing."""

import numpy as np
import pandas as pd
import pytest

from cbs_analysis.stats.potential import best_quarter

TRUSTS = pd.Index(list("ABCDE"), name="trust")
RATIOS = pd.Series([0.8, 0.9, 1.0, 1.1, 1.3], index=TRUSTS)
TINY = pd.Series(1e-5, index=TRUSTS)
EXPECTED = pd.Series([100.0, 200, 300, 400, 500], index=TRUSTS)


def potential(**changes):
    given = {"log_ratio": np.log(RATIOS), "standard_error": TINY, "expected": EXPECTED} | changes
    return best_quarter(**given)


def test_the_distance_to_the_better_quartile_is_as_worked_by_hand():
    found = potential()
    assert found.target["target"] == pytest.approx(0.9, abs=1e-4)
    assert found.units["potential"].to_numpy() == pytest.approx([0, 0, 30, 80, 200], abs=0.05)
    assert found.total["potential"] == pytest.approx(310, abs=0.1)
    assert found.groups is None


def test_where_higher_is_better_the_distance_is_to_the_upper_quartile():
    found = potential(lower_is_better=False)
    assert found.target["target"] == pytest.approx(1.1, abs=1e-4)
    assert found.units["potential"].to_numpy() == pytest.approx([30, 40, 30, 0, 0], abs=0.05)


def test_groups_have_their_part_of_each_unit_and_pounds_their_price():
    weights = pd.DataFrame({"E": [100.0, 400], "D": [400.0, 0], "C": [300.0, 0]}, index=["5LE", "5K7"])
    price = pd.Series([1.0, 1, 10, 100, 1_000], index=TRUSTS)
    found = potential(weights=weights, price=price)
    assert found.groups["potential"].to_numpy() == pytest.approx([0.4 * 100 + 80 + 30, 0.4 * 400], abs=0.05)
    assert found.groups["pounds"].to_numpy() == pytest.approx([40_000 + 8_000 + 300, 160_000], rel=1e-3)
    assert found.total["pounds"] == pytest.approx(208_300, rel=1e-3)
    assert found.units["pounds"].sum() == pytest.approx(found.total["pounds"])


def test_estimates_add_up_and_lie_within_their_limits():
    chance = pd.Series([0.05, 0.1, 0.05, 0.1, 0.05], index=TRUSTS)
    shares = pd.DataFrame([EXPECTED * 0.3, EXPECTED * 0.7], index=["x", "y"])
    found = potential(standard_error=chance, weights=shares, price=20.0)
    assert found.units["potential"].sum() == pytest.approx(found.total["potential"])
    assert found.groups["potential"].sum() == pytest.approx(found.total["potential"])
    assert found.groups.loc["x"].to_numpy() == pytest.approx(0.3 * found.total.to_numpy())
    for frame in (found.units, found.groups, found.total.to_frame().T):
        assert (frame["lower"] <= frame["potential"]).all() and (frame["potential"] <= frame["upper"]).all()
        assert frame["pounds_upper"].to_numpy() == pytest.approx(20 * frame["upper"].to_numpy())
    assert found.total["lower"] > found.units["lower"].sum()


def test_the_same_input_gives_the_same_answer():
    chance = pd.Series(0.1, index=TRUSTS)
    pd.testing.assert_frame_equal(potential(standard_error=chance).units, potential(standard_error=chance).units)


def test_a_unit_that_is_not_known_has_no_part():
    ratios = pd.concat([np.log(RATIOS), pd.Series({"F": np.nan})])
    index = ratios.index
    errors, expected = pd.Series(1e-5, index=index), pd.Series([*EXPECTED, 900.0], index=index)
    found = best_quarter(ratios, errors, expected, weights=pd.DataFrame({"E": [500.0], "F": [900.0]}))
    assert np.isnan(found.units.loc["F", "potential"])
    assert found.total["potential"] == pytest.approx(310, abs=0.1)
    assert found.groups["potential"].iloc[0] == pytest.approx(200, abs=0.1)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"expected": EXPECTED[::-1]}, "different indexes"),
        ({"expected": EXPECTED.to_numpy()[:3]}, "expected has shape"),
        ({"expected": 5.0}, "expected has shape"),
        ({"expected": -EXPECTED}, "expected: A is -100"),
        ({"expected": EXPECTED * np.nan}, "no unit has both"),
        ({"price": -1.0}, "price: element 0 is -1"),
        ({"price": pd.Series(1.0, index=list("VWXYZ"))}, "price and log_ratio have different indexes"),
        ({"weights": pd.DataFrame({"Z": [1.0]})}, "column 'Z', which is not a unit"),
        ({"weights": pd.DataFrame({"A": [-1.0]})}, "weights: .*must be a number and not negative"),
        ({"standard_error": TINY * 0}, "standard_errors: A is 0"),
    ],
)
def test_bad_input_is_refused_by_name(changes, said):
    with pytest.raises(ValueError, match=said):
        potential(**changes)
