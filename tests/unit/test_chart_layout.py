"""Scales, numbers and labels of charts."""

import math

import pytest

from cbs_analysis.evidence.charts.layout import (
    fitting_format,
    linear,
    number_text,
    spread,
    text_width,
    thin,
    wrap,
)


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([0.12, 0.93], (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)),
        ([1040, 2960], (1000, 1500, 2000, 2500, 3000)),
        ([-7400, 12300], (-10000, -5000, 0, 5000, 10000, 15000)),
    ],
)
def test_ticks_are_round_and_hold_the_data(values, ticks):
    assert linear(values).ticks == pytest.approx(ticks)


def test_a_scale_over_one_value_or_none_still_has_a_length():
    for values in ([5.0, 5.0], [0.0], [], [math.nan]):
        scale = linear(values)
        assert scale.upper > scale.lower


def test_numbers_are_written_with_a_true_minus_sign():
    assert number_text(-1234.56, ",.1f") == "\N{MINUS SIGN}1,234.6"
    assert number_text(0.256, ".0%") == "26%"


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([7_322_400, 8_061_495], "8,061,495"),
        ([14.1, 16.23], "16.2"),
        ([0.34, 1.16], "1.16"),
        ([0.5, 0.55], "0.550"),
    ],
)
def test_without_a_format_the_range_of_the_values_decides_the_decimals(values, shown):
    assert number_text(values[-1], fitting_format([*values, math.nan])) == shown
    assert fitting_format(values, ".0%") == ".0%"


def test_spreading_keeps_order_and_moves_nothing_that_has_room():
    assert spread([10, 50, 90], [20, 20, 20], 0, 100) == [10, 50, 90]
    placed = spread([50, 51, 52], [20, 20, 20], 0, 100)
    assert placed == pytest.approx([31, 51, 71])
    assert spread([99, 98], [20, 20], 0, 100) == pytest.approx([90, 70])


def test_wrapping_keeps_every_word_and_the_width():
    text = "Southwark does fewer planned admissions as day cases than London and England"
    parts = wrap(text, 200)
    assert " ".join(parts) == text
    assert all(text_width(part) <= 200 for part in parts)
    assert wrap("", 200) == []


def test_thinning_keeps_the_last_of_the_labels():
    assert thin(list(range(10)), 5) == [0, 3, 6, 9]
    assert thin(["only"], 4) == [0]
