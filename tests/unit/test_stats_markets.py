"""Concentration, catchments and groups from flows, against figures worked by hand and by another road."""

import itertools

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from cbs_analysis.stats import markets


def _flows(rows: list[list[float]]) -> pd.DataFrame:
    return pd.DataFrame(
        rows, index=[f"area {row}" for row in range(len(rows))], columns=[f"trust {c}" for c in range(len(rows[0]))]
    )


def test_concentration_of_equal_shares_is_ten_thousand_over_their_number() -> None:
    assert_allclose(
        markets.herfindahl([[1] * size + [0] * (8 - size) for size in range(1, 9)]), 10_000 / np.arange(1, 9)
    )


def test_concentration_without_any_count_is_missing() -> None:
    assert np.isnan(markets.herfindahl([[0, 0], [1, 0]])).tolist() == [True, False]


def test_a_negative_count_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="counts: element 1 is -1; counts must not be negative"):
        markets.herfindahl([[1, -1]])


def test_catchments_add_up_to_all_residents() -> None:
    draw = np.random.default_rng(1)
    flows = _flows(draw.integers(0, 50, (12, 7)).tolist())
    people = pd.Series(draw.integers(1_000, 90_000, 12), index=flows.index)
    assert_allclose(markets.catchments(flows, people).sum(), people.sum())


def test_catchments_need_residents_of_every_area() -> None:
    with pytest.raises(ValueError, match="people has no entry for 'area 1'"):
        markets.catchments(_flows([[1.0], [1.0]]), pd.Series({"area 0": 5}))


def test_modularity_is_barbers_sum_over_pairs_in_one_group() -> None:
    draw = np.random.default_rng(2)
    flows = _flows(draw.integers(0, 30, (6, 4)).tolist())
    groups = {area: place % 3 for place, area in enumerate(flows.index)}
    values, total = flows.to_numpy(float), flows.to_numpy().sum()
    best = max(
        sum(
            values[i, j] - values[i].sum() * values[:, j].sum() / total
            for i in range(6)
            for j in range(4)
            if i % 3 == of_trust[j]
        )
        / total
        for of_trust in itertools.product(range(3), repeat=4)
    )
    assert_allclose(markets.modularity(flows, groups).value, best)


def test_groups_found_are_as_good_as_the_best_of_all_groupings() -> None:
    draw = np.random.default_rng(3)
    near = np.kron(np.eye(3), np.full((2, 2), 40))
    flows = _flows((near + draw.integers(0, 8, (6, 6))).tolist())
    best = max(
        markets.modularity(flows, dict(zip(flows.index, groups, strict=True))).value
        for groups in itertools.product(range(6), repeat=6)
        if groups[0] == 0
    )
    found = markets.groups_from_flows(flows)
    assert_allclose(markets.modularity(flows, found.to_dict()).value, best)
    assert found.tolist() == [1, 1, 2, 2, 3, 3]


@pytest.mark.parametrize("number", [1, 2, 3, 6])
def test_as_many_groups_are_found_as_are_asked_for(number: int) -> None:
    flows = _flows(np.random.default_rng(4).integers(0, 30, (6, 5)).tolist())
    assert markets.groups_from_flows(flows, number).nunique() == number


def test_more_groups_than_areas_are_refused() -> None:
    with pytest.raises(ValueError, match="number is 3; it must be from 1 to 2"):
        markets.groups_from_flows(_flows([[1.0], [2.0]]), 3)


def test_everything_is_contained_where_all_areas_are_one_group() -> None:
    flows = _flows([[5, 1], [2, 9]])
    found = markets.self_containment(flows, dict.fromkeys(flows.index, "all"))
    assert found.loc["all", ["cases", "contained", "containment", "own", "reason"]].tolist() == [17, 17, 1, 1, ""]


def test_a_group_without_cases_or_without_a_provider_of_its_own_says_so() -> None:
    flows = _flows([[5, 1], [0, 0], [1, 1]])
    found = markets.self_containment(flows, {"area 0": "a", "area 1": "b", "area 2": "c"})
    assert found["reason"].tolist() == ["", "no cases", "no provider is its own"]
    assert found["containment"].tolist() == pytest.approx([1, np.nan, 0], nan_ok=True)
    assert np.isnan(found.loc["c", "own"]) and found["cases"].tolist() == [6, 0, 2]


def test_an_area_with_a_missing_count_makes_its_group_missing_and_no_other() -> None:
    flows = _flows([[5, 1], [np.nan, 3], [1, 9]])
    found = markets.self_containment(flows, {"area 0": "a", "area 1": "b", "area 2": "c"})
    assert found["reason"].tolist() == ["", "a count is missing", ""]
    assert found["cases"].tolist() == pytest.approx([6, np.nan, 10], nan_ok=True)


@pytest.mark.parametrize("rows", [[[7.0]], [[3.0], [4.0]], [[5.0, 0.0], [0.0, 0.0]]])
def test_modularity_is_0_where_all_flow_is_to_one_provider(rows: list[list[float]]) -> None:
    flows = _flows(rows)
    assert markets.modularity(flows, {area: area for area in flows.index}) == (pytest.approx(0), "")
    assert markets.groups_from_flows(flows).tolist() == list(range(1, len(rows) + 1))


def test_modularity_of_no_flow_is_missing_with_a_reason() -> None:
    flows = _flows([[0.0, 0.0], [0.0, 0.0]])
    groups = {"area 0": 1, "area 1": 2}
    assert np.isnan(markets.modularity(flows, groups).value)
    assert markets.modularity(flows, groups).reason == "there are no cases"
    assert markets.modularity(flows.replace(0, np.nan), groups).reason == "a count is missing"
    assert markets.groups_from_flows(flows).tolist() == [1, 2]


@pytest.mark.parametrize("method", [markets.modularity, markets.self_containment])
def test_an_area_without_a_group_is_named_and_not_left_out(method) -> None:
    with pytest.raises(ValueError, match="groups has no entry for 'area 1'"):
        method(_flows([[1.0], [1.0]]), {"area 0": 1})
    for missing in (None, np.nan):
        with pytest.raises(ValueError, match="groups: 'area 1' has no group"):
            method(_flows([[1.0], [1.0]]), {"area 0": 1, "area 1": missing})
