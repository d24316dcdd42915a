"""Breaks in what trusts send: months that are made to go missing in simulated series are found, and hardly any other.
Records beside the published return.
"""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from cbs_analysis.errors import UserError
from cbs_analysis.home import data_dir, params_dir
from cbs_analysis.records.quality_checks import ARRIVED_COLUMNS, QualityResults
from cbs_analysis.records.quality_rules import load_rules
from cbs_analysis.records.quality_tables import feed_breaks, totals
from cbs_analysis.records.reference_data import ReferenceData, load_reference_data
from cbs_analysis.stats.calendar import working_days

RULES = load_rules(params_dir())
OP = [rule for rule in RULES if rule.id == "op_break"]
MONTHS = pd.period_range("2008-04", "2011-03", freq="M")
PLANTED = (6, 10)
MISSING = (0.45, 0.65)


def checked_with(counts, months=MONTHS, rule="op_break", measure="follow_up_appointments"):
    """The outcome of a check in which providers R00, R01, ... sent so many records, a row a month."""
    rows = [
        ("op", rule, measure, f"R{place:02d}", "5A4", str(month), int(counts[at, place]))
        for at, month in enumerate(months)
        for place in range(counts.shape[1])
        if counts[at, place] > 0
    ]
    columns = ["feed", "rule", "measure", "provider_code", "commissioner_code", "month", "records"]
    measures = pd.DataFrame(rows, columns=columns)
    return QualityResults(pa.table({}), pd.DataFrame(), measures, measures.assign(price_gbp=0.0)[list(ARRIVED_COLUMNS)])


def simulated(seed, providers=28):
    """Counts a month and provider with growth, a shared season, a season and noise of each one's own, and working days;
    from some, whole months' records are taken away: months and providers of those.
    """
    draw = np.random.default_rng(seed)
    month = MONTHS.month.to_numpy() - 1
    season = 0.08 * np.sin(2 * np.pi * np.arange(12) / 12 + draw.uniform(0, 6))
    logs = np.log(np.exp(draw.uniform(np.log(250), np.log(9000), providers)))
    logs = logs + draw.normal(0.03, 0.03, providers) * np.arange(36)[:, None] / 12 + season[month][:, None]
    logs = logs + draw.normal(0, 0.04, (12, providers))[month] + draw.normal(0, 0.04, (36, providers))
    counts = draw.poisson(np.exp(logs) * (working_days(MONTHS) / 20.7)[:, None])
    wanted, planted = draw.integers(PLANTED[0], PLANTED[1] + 1), set()
    while len(planted) < wanted:
        first, provider = int(draw.integers(36)), int(draw.integers(providers))
        planted |= {(at, provider) for at in range(first, min(36, first + int(draw.integers(1, 4))))}
    for at, provider in sorted(planted):
        counts[at, provider] = draw.binomial(counts[at, provider], 1 - draw.uniform(*MISSING))
    return counts, {(str(MONTHS[at]), f"R{provider:02d}") for at, provider in planted}


def test_months_of_which_half_the_records_are_missing_are_found_and_hardly_any_other():
    true, found, both = 0, 0, 0
    for seed in range(40):
        counts, planted = simulated(seed)
        table = feed_breaks(checked_with(counts), OP)
        told = set(zip(table["month"], table["provider_code"], strict=True))
        true, found, both = true + len(planted), found + len(told), both + len(planted & told)
    assert both / true >= 0.97
    assert both / found >= 0.97


def flat(level=1000):
    return np.round(np.tile((working_days(MONTHS) * level / 20.0)[:, None], (1, 5)))


def test_a_fall_that_has_not_come_back_counts_from_its_first_month():
    counts = flat()
    counts[28:, 2] *= 0.5
    table = feed_breaks(checked_with(counts), OP)
    assert table["month"].tolist() == [str(month) for month in MONTHS[28:]]
    assert set(table["provider_code"]) == {"R02"}
    assert (table["records"] / table["expected"]).between(0.45, 0.55).all()


def test_a_month_without_any_record_is_a_break_but_the_months_before_a_trust_began_are_none():
    counts = flat()
    counts[20, 1] = 0
    counts[:12, 3] = 0
    counts[35, 4] = 0
    table = feed_breaks(checked_with(counts), OP)
    assert list(zip(table["provider_code"], table["month"], table["records"], strict=True)) == [
        ("R01", "2009-12", 0),
        ("R04", "2011-03", 0),
    ]


def test_few_records_or_few_months_are_not_judged():
    counts = flat(20)
    counts[10, 0] = 1
    assert feed_breaks(checked_with(counts), OP).empty
    short = flat()[:12]
    short[5, 0] = 100
    assert feed_breaks(checked_with(short, MONTHS[:12]), OP).empty
    assert feed_breaks(checked_with(flat()[:0], MONTHS[:0]), OP).empty


@pytest.fixture(scope="module")
def references():
    return load_reference_data(data_dir(), pd.DataFrame({"gp_practice_code": ["F80001"], "pct_code": ["5A4"]}))


def test_a_measure_that_the_return_does_not_have_is_told(references):
    rule = next(rule for rule in RULES if rule.id == "op_total_return")
    misspelt = rule.model_copy(update={"measures": {"first_outpatients_attendances": "TRUE"}})
    with pytest.raises(UserError, match="no measure 'first_outpatients_attendances' in the return; nearest: first_out"):
        totals(checked_with(flat()), references, [misspelt])


def test_records_stand_beside_the_published_count_of_their_month_and_commissioner(references):
    published = pd.DataFrame(
        {"commissioner_code": ["5A4"] * 3, "month": ["2008-04", "2008-05", "2008-06"],
         "first_outpatient_attendances": [1000.0, 1000.0, np.nan]}
    )  # fmt: skip
    beside = ReferenceData(**{**vars(references), "published": published})
    counts = np.array([[600, 405], [500, 400], [500, 500]])
    checked = checked_with(counts, MONTHS[:3], "op_total_return", "first_outpatient_attendances")
    table = totals(checked, beside, [rule for rule in RULES if rule.id == "op_total_return"])
    assert table[["month", "records", "published", "difference"]].to_numpy().tolist() == [
        ["2008-04", 1005, 1000.0, 5.0],
        ["2008-05", 900, 1000.0, -100.0],
    ]
    assert table["is_beyond_tolerance"].tolist() == [False, True]
