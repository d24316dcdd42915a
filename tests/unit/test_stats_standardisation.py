"""Directly standardised rates and expected events against reference figures, and their conventions."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from cbs_analysis.stats.standardisation import direct_rate, direct_rate_repeat_events, expected_events

CASES = Path(__file__).parent / "reference_cases"
DIRECT = json.loads((CASES / "directly_standardised_rate.json").read_text("utf-8"))
INDIRECT = json.loads((CASES / "indirectly_standardised.json").read_text("utf-8"))
EUROPEAN_2013 = [5000, 5500, 5500, 5500, 6000, 6000, 6500, 7000, 7000, 7000, 7000, 6500, 6000, 5500, 5000, 4000, 2500,
                 1500, 1000]  # fmt: skip
COLUMNS = ["value", "lower", "upper"]


def bands_of(case: dict, area: str = "a") -> pd.DataFrame:
    frame = pd.DataFrame({"events": case["events"], "population": case["population"]})
    return frame.assign(area=area, band=range(len(frame)))


def two_areas(**changed: list) -> pd.DataFrame:
    """Southwark and Bexley by two bands, with columns changed."""
    columns = {
        "area": ["Southwark", "Southwark", "Bexley", "Bexley"],
        "band": ["young", "old"] * 2,
        "events": [10.0, 30, 20, 5],
        "population": [1000.0, 500, 2000, 100],
        **changed,
    }
    return pd.DataFrame(columns)


def rate_of(frame: pd.DataFrame, standard: object = (3, 1), **options: object) -> pd.DataFrame:
    return direct_rate(frame, "area", "events", "population", standard, **options)


def admissions(**changed: list) -> pd.DataFrame:
    """Per person and frequency: Southwark's people of two bands with one or two admissions each."""
    columns = {
        "area": ["Southwark"] * 4,
        "band": ["young", "young", "old", "old"],
        "people": [20.0, 5, 30, 10],
        "frequency": [1, 2, 1, 2],
        "population": [1000.0, 1000, 500, 500],
        "standard": [3.0, 3, 1, 1],
        **changed,
    }
    return pd.DataFrame(columns)


def repeat_rate_of(frame: pd.DataFrame, standard: object = "standard", **options: object) -> pd.DataFrame:
    return direct_rate_repeat_events(frame, "area", "band", "people", "frequency", "population", standard, **options)


@pytest.mark.parametrize("case", DIRECT, ids=lambda case: f"{case['expected']['events']:g} events")
def test_a_directly_standardised_rate_is_the_reference_rate(case):
    want, frame = case["expected"], bands_of(case)
    rate = rate_of(frame, EUROPEAN_2013, per=case["multiplier"]).loc["a"]
    wide = rate_of(frame, EUROPEAN_2013, per=case["multiplier"], confidence=0.998).loc["a"]
    assert (rate["events"], rate["population"]) == (want["events"], want["population"])
    found = [*rate[COLUMNS], *wide[["lower", "upper"]]]
    wanted = [want[name] for name in ("rate", "lower_95", "upper_95", "lower_998", "upper_998")]
    assert found == pytest.approx([np.nan if value is None else value for value in wanted], rel=1e-9, nan_ok=True)


@pytest.mark.parametrize("case", INDIRECT, ids=lambda case: str(case["observed"]))
def test_expected_events_are_the_reference_figures_given_as_columns_lists_or_series(case):
    frame = pd.DataFrame({name: case[name] for name in ("population", "reference_events", "reference_population")})
    frame["band"] = [f"band {n}" for n in range(len(frame))]
    by_band = frame.set_index("band")[::-1]
    for events, size in (
        ("reference_events", "reference_population"),
        (case["reference_events"], case["reference_population"]),
        (by_band["reference_events"], by_band["reference_population"]),
    ):
        found = expected_events(frame, None, "population", events, size, band="band")
        assert found["expected"].tolist() == pytest.approx([case["expected"]["expected_events"]], rel=1e-9)


def test_groups_keep_the_order_of_their_first_rows_and_do_not_touch_each_other():
    frames = [bands_of(case, area=f"area {n}") for n, case in enumerate(DIRECT)]
    together = rate_of(pd.concat(frames[::-1]), EUROPEAN_2013)
    shuffled = rate_of(pd.concat(frames).sort_values(["band", "area"]), EUROPEAN_2013)
    assert list(together.index) == [f"area {n}" for n in range(len(frames))][::-1]
    for n, frame in enumerate(frames):
        pd.testing.assert_series_equal(together.loc[f"area {n}"], rate_of(frame, EUROPEAN_2013).loc[f"area {n}"])
        pd.testing.assert_series_equal(together.loc[f"area {n}"], shuffled.loc[f"area {n}"])


def test_a_standard_by_band_goes_to_its_band_whatever_the_order_of_rows():
    frame = two_areas().iloc[[3, 0, 1, 2]]
    found = rate_of(frame, pd.Series({"old": 1, "young": 3}), band="band", per=1)["value"]
    # By hand: three quarters of the young rate and one quarter of the old.
    assert found["Southwark"] == pytest.approx(0.75 * 10 / 1000 + 0.25 * 30 / 500, rel=1e-12)
    assert found["Bexley"] == pytest.approx(0.75 * 20 / 2000 + 0.25 * 5 / 100, rel=1e-12)
    same = rate_of(frame.assign(weight=[1, 3, 1, 3]), "weight", per=1)["value"]
    assert same.to_dict() == pytest.approx(found.to_dict(), rel=1e-12)


@given(st.floats(1e-3, 1e6))
@settings(derandomize=True)
def test_only_the_proportions_of_a_standard_matter(times):
    found = rate_of(two_areas(), [3 * times, times])
    pd.testing.assert_frame_equal(found, rate_of(two_areas()), rtol=1e-9)


def test_several_columns_can_name_a_group_and_none_makes_the_frame_one_group():
    frame = two_areas(sex=["m", "m", "f", "f"])
    found = direct_rate(frame, ["area", "sex"], "events", "population", [3, 1])
    assert list(found.index) == [("Southwark", "m"), ("Bexley", "f")] and found.index.names == ["area", "sex"]
    alone = direct_rate(frame[:2], None, "events", "population", [3, 1])
    assert len(alone) == 1 and alone["value"].iloc[0] == found["value"].iloc[0]


def test_a_frame_without_rows_gives_a_result_without_rows():
    assert rate_of(two_areas()[:0]).empty
    assert expected_events(two_areas()[:0], "area", "population", [1, 1], [2, 2]).empty


@pytest.mark.parametrize(("events", "shown"), [([4.0, 5], False), ([4.0, 6], True), ([9.5, 0], False)])
def test_fewer_than_ten_events_in_all_give_no_rate(events, shown):
    found = rate_of(two_areas(events=[*events, 20, 5]))
    assert found.loc["Southwark", COLUMNS].notna().all() == shown
    assert found.loc["Southwark", COLUMNS].isna().all() != shown
    assert found.loc["Southwark", "events"] == sum(events) and found.loc["Bexley", COLUMNS].notna().all()


def test_a_missing_event_count_is_none():
    with_gap, with_zero = rate_of(two_areas(events=[np.nan, 30, 20, 5])), rate_of(two_areas(events=[0, 30, 20, 5]))
    pd.testing.assert_frame_equal(with_gap, with_zero)


@given(st.lists(st.integers(0, 500), min_size=2, max_size=2).filter(lambda events: sum(events) >= 10))
@settings(derandomize=True)
def test_a_rate_lies_inside_its_limits_and_more_confidence_is_wider(events):
    frame = two_areas(events=[*events, 20, 5])
    narrow, wide = rate_of(frame).loc["Southwark"], rate_of(frame, confidence=0.998).loc["Southwark"]
    assert wide["lower"] < narrow["lower"] < narrow["value"] < narrow["upper"] < wide["upper"]


def test_one_event_each_makes_the_rate_of_repeat_events_the_plain_one():
    plain = two_areas(standard=[3, 1, 3, 1]).assign(people=lambda frame: frame["events"], frequency=1)
    pd.testing.assert_frame_equal(repeat_rate_of(plain), rate_of(plain))


def test_repeat_events_count_with_the_square_of_their_frequency():
    # By hand, per person: weights 3/4 and 1/4, so an event counts 0.75 / 1000 or 0.25 / 500.
    young, old = 0.75 / 1000, 0.25 / 500
    events = 20 + 2 * 5 + 30 + 2 * 10
    value = young * (20 + 2 * 5) + old * (30 + 2 * 10)
    variance = young**2 * (20 + 4 * 5) + old**2 * (30 + 4 * 10)
    z = norm.ppf(0.975)
    byar_lower = events * (1 - 1 / (9 * events) - z / (3 * events**0.5)) ** 3
    byar_upper = (events + 1) * (1 - 1 / (9 * (events + 1)) + z / (3 * (events + 1) ** 0.5)) ** 3
    scale = (variance / events) ** 0.5
    wanted = [events, 1500, value, value + scale * (byar_lower - events), value + scale * (byar_upper - events)]
    assert repeat_rate_of(admissions(), per=1).loc["Southwark"].tolist()[:5] == pytest.approx(wanted, rel=1e-9)
    by_band = repeat_rate_of(admissions()[::-1], pd.Series({"old": 1, "young": 3}), per=1)
    assert by_band.loc["Southwark"].tolist()[:5] == pytest.approx(wanted, rel=1e-9)


def test_a_band_without_anybody_admitted_still_counts_in_the_population_and_the_standard():
    with_zero = repeat_rate_of(admissions(people=[20, 5, 0, 0]), per=1).loc["Southwark"]
    assert with_zero["population"] == 1500
    assert with_zero["value"] == pytest.approx(0.75 * 30 / 1000, rel=1e-12)


def test_people_count_as_events_times_their_frequency_towards_the_ten():
    assert repeat_rate_of(admissions(people=[1, 2, 1, 1]))["value"].isna().all()
    assert repeat_rate_of(admissions(people=[1, 2, 1, 2]))["value"].notna().all()


def test_expected_events_of_an_area_with_nobody_in_a_band_leave_the_band_out():
    found = expected_events(two_areas(population=[0, 500, 2000, 100]), "area", "population", [10, np.nan], [1000, 800])[
        "expected"
    ]
    assert found.to_dict() == {"Southwark": 0.0, "Bexley": pytest.approx(20.0)}


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: rate_of(two_areas(events=[1, 2, -3, 4])), "events: Bexley has -3; events must not be negative"),
        (lambda: rate_of(two_areas(population=[1, 1, 1, -1])), "population: Bexley has -1.*not be negative"),
        (lambda: rate_of(two_areas(), per=-1), "per is -1; it must be a number above 0"),
        (lambda: rate_of(two_areas(), [1, -1]), "standard: Southwark has -1, Bexley has -1"),
        (lambda: rate_of(two_areas(), [1, np.nan]), "standard: Southwark has nan"),
        (lambda: rate_of(two_areas(), [0, 0]), "standard: Southwark has 0 in all bands"),
        (lambda: rate_of(two_areas(), [1, 2, 3]), "Southwark has 2 rows and standard 3 values"),
        (lambda: rate_of(two_areas(), [[1, 2], [3, 4]]), "standard has 2 dimensions"),
        (lambda: rate_of(two_areas(), "weights"), "no column weights"),
        (lambda: rate_of(two_areas(events=["some", 1, 1, 1])), "events: 0 is 'some'; every element must be a number"),
        (lambda: rate_of(two_areas(area=["Southwark", None, "Bexley", "Bexley"])), "area: row 1 is missing"),
        (
            lambda: rate_of(two_areas(band=["young", "old", "old", "old"]), band="band"),
            "band: Bexley has old; band must stand once",
        ),
        (lambda: rate_of(two_areas(), pd.Series({"young": 1}), band="band"), "band: Southwark has old, Bexley has old"),
        (
            lambda: rate_of(two_areas(), pd.Series([1, 2, 3], index=["young", "old", "old"]), band="band"),
            "standard: band 'old' is there twice",
        ),
        (lambda: rate_of(two_areas(), confidence=95), "between 0 and 1"),
        (lambda: rate_of(two_areas(), confidence=0), "between 0 and 1"),
        (lambda: repeat_rate_of(admissions(frequency=[1, 0, 1, 2])), "frequency: Southwark has 0"),
        (lambda: repeat_rate_of(admissions(frequency=[1, np.nan, 1, 2])), "frequency: Southwark has nan"),
        (lambda: repeat_rate_of(admissions(frequency=[1, 1, 1, 2])), "Southwark has young with 1.*stand once"),
        (lambda: repeat_rate_of(admissions(people=[1, 2, -1, 2])), "people: Southwark has -1"),
        (lambda: repeat_rate_of(admissions(population=[1, 1, 1, 2])), "population: Southwark has 2.*same in all rows"),
        (lambda: repeat_rate_of(admissions(standard=[1, 1, 1, 2])), "standard: Southwark has 2.*same in all rows"),
        (lambda: repeat_rate_of(admissions(), confidence=1), "between 0 and 1"),
        (
            lambda: expected_events(two_areas(population=[-1, 1, 1, 1]), "area", "population", [1, 1], [1, 1]),
            "population: Southwark has -1",
        ),
        (
            lambda: expected_events(two_areas(), "area", "population", [1, -1], [1, 1]),
            "reference_events: Southwark has -1",
        ),
        (
            lambda: expected_events(two_areas(), "area", "population", [1, 1], [1, 0]),
            "reference_population: Southwark has 0",
        ),
        (
            lambda: expected_events(
                two_areas(band=["old", "old", "young", "old"]), "area", "population", [1, 1], [1, 1], band="band"
            ),
            "band: Southwark has old; band must stand once",
        ),
    ],
)
def test_an_impossible_input_is_refused_and_the_group_named(call, said):
    with pytest.raises(ValueError, match=said):
        call()


BANDED = pd.DataFrame(
    {
        "area": ["A"] * 3 + ["B"] * 3,
        "age": ["0", "40", "65+"] * 2,
        "events": [10, 20, 70] * 2,
        "population": [1000, 1000, 1000] * 2,
    }
)
BY_AGE = pd.Series({"0": 5000, "40": 3000, "65+": 2000})


def test_bands_in_another_order_are_refused_where_the_standard_goes_by_place():
    turned = BANDED.iloc[[0, 1, 2, 5, 3, 4]]
    with pytest.raises(ValueError, match="age: B has 65\\+"):
        direct_rate(turned, "area", "events", "population", BY_AGE.to_list(), band="age")
    by_name = direct_rate(turned, "area", "events", "population", BY_AGE, band="age")
    assert by_name.loc["A", "value"] == by_name.loc["B", "value"] == pytest.approx(100_000 * 25 / 1000)


def test_a_standard_by_band_is_not_matched_by_place():
    with pytest.raises(ValueError, match="name the column of bands"):
        direct_rate(BANDED, "area", "events", "population", BY_AGE)


@pytest.mark.parametrize("standard", [BY_AGE, "weight"])
def test_a_group_without_one_of_the_bands_says_so_and_leaves_the_others_alone(standard):
    whole = BANDED.assign(weight=BANDED["age"].map(BY_AGE))
    short = direct_rate(whole.drop(index=2), "area", "events", "population", standard, band="age")
    alone = direct_rate(whole[3:], "area", "events", "population", standard, band="age")
    assert short["reason"].tolist() == ["a band is missing", ""] and np.isnan(short.loc["A", "value"])
    pd.testing.assert_series_equal(short.loc["B"], alone.loc["B"])


def test_a_group_without_population_in_a_band_says_so_and_leaves_the_others_alone():
    # By hand: 10, 20 and 30 of 1,000 with weights 5, 3 and 2 are 0.5 x 1% + 0.3 x 2% + 0.2 x 3% = 1.7%.
    frame = BANDED.assign(events=[10, 20, 30, 5, 0, 5], population=[1000, 1000, 1000, 500, 0, 500])
    found = direct_rate(frame, "area", "events", "population", BY_AGE, band="age")
    assert found.loc["A", "value"] == pytest.approx(1700)
    assert found["reason"].tolist() == ["", "population is 0 or missing in a band"]
    assert found.loc["B", ["value", "lower", "upper"]].isna().all()
    missing = frame.assign(population=frame["population"].replace(0, np.nan))
    assert expected_events(missing, "area", "population", [1, 1, 1], [10, 10, 10])["reason"].tolist() == [
        "",
        "population is missing in a band",
    ]
    repeated = frame.assign(people=frame["events"], frequency=1, standard=[5, 3, 2] * 2)
    admitted = direct_rate_repeat_events(repeated, "area", "age", "people", "frequency", "population", "standard")
    assert admitted["value"].tolist() == pytest.approx([1700, np.nan], nan_ok=True)
    assert admitted["reason"].tolist() == found["reason"].tolist()


def test_a_group_of_nine_events_says_that_they_are_too_few():
    found = direct_rate(BANDED.assign(events=[3] * 3 + [4] * 3), "area", "events", "population", BY_AGE, band="age")
    assert found["reason"].tolist() == ["fewer than 10 events", ""]
