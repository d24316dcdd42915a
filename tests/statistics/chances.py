"""What the tests of this directory share: the claim on coverage, and how far chance may move a simulated share."""

import numpy as np

CLAIMED = (0.93, 0.97)
"""Share of 95% intervals that hold the truth they were drawn from."""
STANDARD_ERRORS = 4
"""Chance moves a share further than this less than once in 10,000 times, and the seeds are fixed."""


def within_chance_of(share: float, wanted: float, drawn: int) -> bool:
    """Whether a share of so many draws is what `wanted` gives, but for chance."""
    return abs(share - wanted) <= STANDARD_ERRORS * np.sqrt(wanted * (1 - wanted) / drawn)


def as_claimed(share: float, drawn: int) -> bool:
    """Whether a simulated share lies within the claim, with enough draws to tell it from one per cent outside."""
    assert drawn >= 2_000, f"{drawn} draws are too few to judge by"
    return CLAIMED[0] <= share <= CLAIMED[1]


def share_holding(truth: float, lower: np.ndarray, upper: np.ndarray) -> float:
    """Share of the intervals that are there and hold the truth."""
    there = ~np.isnan(upper)
    return float(np.mean((lower <= truth)[there] & (truth <= upper)[there]))
