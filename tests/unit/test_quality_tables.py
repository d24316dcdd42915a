"""What the rules found as tables: each record once, and pounds only where a rule puts the whole price in question."""

from types import SimpleNamespace

import pandas as pd
import pyarrow as pa
import pytest

from cbs_analysis.records.quality_checks import FAILURE_COLUMNS, QualityResults
from cbs_analysis.records.quality_tables import duplicates, with_errors

RULES = [
    SimpleNamespace(id="apc_duplicate", severity="error", value="price"),
    SimpleNamespace(id="apc_lsoa_missing", severity="error", value="none"),
    SimpleNamespace(id="apc_overlap", severity="warning", value="price"),
]


def _failure(rule: str, key: str, price: float) -> dict[str, object]:
    values = ("apc", rule, "RJZ", "5LE", "2010-05", key, "P1", price, "")
    return dict(zip(FAILURE_COLUMNS, values, strict=True))


@pytest.fixture
def checked() -> QualityResults:
    failures = pa.Table.from_pylist(
        [
            _failure("apc_duplicate", "K1", 1000.0),
            _failure("apc_lsoa_missing", "K1", 1000.0),
            _failure("apc_lsoa_missing", "K2", 300.0),
            _failure("apc_overlap", "K3", 50.0),
        ]
    )
    arrived = pd.DataFrame(
        [("apc", "RJZ", "5LE", "2010-05", 10, 6000.0), ("apc", "RJZ", "5LE", "2011-03", 5, 2000.0),
         ("apc", "RJ1", "5LE", "2011-04", 7, 900.0)],
        columns=["feed", "provider_code", "commissioner_code", "month", "records", "price_gbp"],
    )  # fmt: skip
    return QualityResults(failures, pd.DataFrame(), pd.DataFrame(), arrived)


def test_a_record_with_two_errors_counts_once_and_a_warning_is_none(checked: QualityResults) -> None:
    found = with_errors(checked, RULES).set_index(["provider_code", "financial_year"])
    assert found.loc[("RJZ", "2010/11"), ["records", "with_errors"]].tolist() == [15, 2]
    assert found.loc[("RJ1", "2011/12"), ["records", "with_errors"]].tolist() == [7, 0]


def test_pounds_in_question_are_of_errors_that_question_the_price_and_rest_on_their_own_records(
    checked: QualityResults,
) -> None:
    found = with_errors(checked, RULES).set_index(["provider_code", "financial_year"])
    shown = found.loc[("RJZ", "2010/11"), ["in_question", "in_question_gbp", "price_gbp"]]
    assert shown.tolist() == [1, 1000.0, 8000.0]


def test_a_duplicate_is_named_by_its_trust_and_key(checked: QualityResults) -> None:
    assert duplicates(checked.failures, "apc").to_numpy().tolist() == [["RJZ", "K1"]]
    assert duplicates(checked.failures, "op").empty
