"""Similar areas against scipy's distances, and the rules about ties and missing features."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist, squareform

from cbs_analysis.stats.neighbours import similar_areas

AREAS = pd.DataFrame(
    {"share_over_65": [0.10, 0.12, 0.20, 0.19, 0.11], "people": [250_000, 260_000, 180_000, 300_000, 150_000]},
    index=["Southwark", "Lambeth", "Bexley", "Bromley", "Sutton"],
)


@pytest.mark.parametrize("area", AREAS.index)
def test_the_distances_are_scipys_and_the_nearest_comes_first(area):
    found = similar_areas(AREAS, area)
    distances = pd.DataFrame(squareform(pdist(AREAS, "seuclidean")), index=AREAS.index, columns=AREAS.index)
    wanted = distances[area].drop(area).sort_values()
    assert list(found.index) == list(wanted.index)
    assert found["distance"].to_numpy() == pytest.approx(wanted.to_numpy(), rel=1e-9)


def test_each_feature_has_its_part_in_the_squared_distance():
    found = similar_areas(AREAS, "Southwark").loc["Lambeth"]
    deviations = AREAS.std()
    assert found["share_over_65"] == pytest.approx((0.02 / deviations["share_over_65"]) ** 2, rel=1e-9)
    assert found["people"] == pytest.approx((10_000 / deviations["people"]) ** 2, rel=1e-9)
    assert found["distance"] ** 2 == pytest.approx(found["share_over_65"] + found["people"], rel=1e-9)


@given(st.floats(1e-3, 1e3), st.floats(-1e3, 1e3))
@settings(derandomize=True)
def test_the_unit_of_a_feature_does_not_matter(times, plus):
    changed = AREAS.assign(share_over_65=AREAS["share_over_65"] * times + plus)
    found, wanted = similar_areas(changed, "Sutton"), similar_areas(AREAS, "Sutton")
    assert list(found.index) == list(wanted.index)
    assert found.to_numpy() == pytest.approx(wanted.to_numpy(), rel=1e-6)


def test_areas_equally_far_keep_their_order():
    line = pd.DataFrame({"x": [5.0, 6, 4, 5, 6]}, index=list("abcde"))
    assert list(similar_areas(line, "a").index) == ["d", "b", "c", "e"]
    assert similar_areas(line, "a")["distance"].iloc[0] == 0


def test_as_many_as_asked_for_are_given_or_all_there_are():
    assert len(similar_areas(AREAS, "Sutton", 2)) == 2
    assert len(similar_areas(AREAS, "Sutton")) == 4 and "Sutton" not in similar_areas(AREAS, "Sutton").index
    assert list(similar_areas(AREAS, "Sutton", 2).index) == list(similar_areas(AREAS, "Sutton").index[:2])


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: similar_areas(AREAS, "Barnet"), "Barnet is not among the 5 areas"),
        (lambda: similar_areas(AREAS, "Sutton", 0), "k is 0"),
        (lambda: similar_areas(pd.concat([AREAS, AREAS[:1]]), "Sutton"), "area 'Southwark' is there twice"),
        (lambda: similar_areas(AREAS.replace(0.2, np.nan), "Sutton"), "share_over_65 is missing for Bexley"),
        (lambda: similar_areas(AREAS.assign(people=5), "Sutton"), "people is the same for all areas"),
        (lambda: similar_areas(AREAS[:1], "Southwark"), "is the same for all areas"),
        (lambda: similar_areas(AREAS.assign(distance=[1, 2, 3, 4, 5]), "Sutton"), "may not be called distance"),
        (lambda: similar_areas(AREAS.assign(people="many"), "Sutton"), "features: .*; every element must be a number"),
    ],
)
def test_an_impossible_input_is_refused_by_name(call, said):
    with pytest.raises(ValueError, match=said):
        call()
