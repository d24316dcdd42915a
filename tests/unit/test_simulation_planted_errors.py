"""Errors planted in simulated records are exactly those recorded, and what is withheld is missing."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from cbs_analysis.simulation import load_world, write_extracts

CHECKOUT = Path(__file__).resolve().parents[2]
DATA, PARAMS = CHECKOUT / "data", CHECKOUT / "params"


def read(out: Path, feed: str) -> pd.DataFrame:
    frame = pd.concat([pq.read_table(path).to_pandas() for path in sorted((out / feed).glob("*.parquet"))])
    for name in frame.columns:
        if name.endswith("_date"):
            frame[name] = pd.to_datetime(frame[name])
        elif frame[name].dtype == "category":
            frame[name] = frame[name].astype(object)
    return frame.reset_index(drop=True)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("simulated") / "made"
    write_extracts(
        out, data=DATA, params=PARAMS, areas=["5A4", "5LD"], months=("2010-03", "2010-08"), share=0.6, workers=2
    )
    return out


@pytest.fixture(scope="module")
def planted(made: Path) -> pd.DataFrame:
    return pq.read_table(made / "truth" / "planted_errors.parquet").to_pandas()


@pytest.fixture(scope="module")
def feeds(made: Path) -> dict[str, pd.DataFrame]:
    return {feed: read(made, feed) for feed in ("apc", "op", "ae")}


def _nights(rows: pd.DataFrame) -> pd.Series:
    return (rows["discharge_date"] - rows["admission_date"]).dt.days


def _day_case(rows: pd.DataFrame) -> pd.Series:
    return rows["patient_classification_code"] == "2"


def _unknown(column: str, table: str) -> Callable[[pd.DataFrame], pd.Series]:
    codes = set(pd.read_csv(DATA / "reference" / f"{table}.csv", dtype=str)[column])
    return lambda rows: ~rows[column].isin(codes)


def _repeated(*names: str) -> Callable[[pd.DataFrame], pd.Series]:
    def found(rows: pd.DataFrame) -> pd.Series:
        named = rows[rows["person_pseudonym"].notna()].sort_values("cds_unique_identifier")
        return named.duplicated(["person_pseudonym", "provider_code", *names]).reindex(rows.index, fill_value=False)

    return found


def _overlapping(rows: pd.DataFrame) -> pd.Series:
    """By brute force, over every pair of a person's records."""
    named = rows[rows["person_pseudonym"].notna() & (rows["discharge_date"] >= rows["admission_date"])]
    named = named[named.duplicated("person_pseudonym", keep=False)]
    order = ["admission_date", "discharge_date", "cds_unique_identifier"]
    found = []
    for _, spells in named.sort_values(order).groupby("person_pseudonym"):
        for place in range(1, len(spells)):
            spell, earlier = spells.iloc[place], spells.iloc[:place]
            same = earlier[["provider_code", "admission_date", "discharge_date", "hrg_code"]].eq(
                spell[["provider_code", "admission_date", "discharge_date", "hrg_code"]]
            )
            if (earlier["discharge_date"] > spell["admission_date"]).any() and not same.all(axis=1).any():
                found.append(spells.index[place])
    return pd.Series(rows.index.isin(found), index=rows.index)


def _starts(column: str, letters: str) -> Callable[[pd.DataFrame], pd.Series]:
    return lambda rows: rows[column].str[:1].isin(list(letters))


ELECTIVE = ["11", "12", "13"]
has_o, has_p = _starts("primary_diagnosis_icd10", "O"), _starts("primary_diagnosis_icd10", "P")
RULES: dict[str, Callable[[pd.DataFrame], pd.Series]] = {
    "apc_sex_pregnancy": lambda t: has_o(t) & (t["person_gender_code"].fillna("2") != "2"),
    "apc_sex_unknown": lambda t: ~t["person_gender_code"].isin(["1", "2"]),
    "apc_age_impossible": lambda t: ~t["age_at_admission"].between(0, 120),
    "apc_age_paediatric_hrg": lambda t: (t["age_at_admission"] >= 19) & t["hrg_code"].str.startswith("P", na=False),
    "apc_age_neonatal": lambda t: has_p(t) & (t["age_at_admission"] > 1),
    "apc_discharge_before_admission": lambda t: _nights(t) < 0,
    "apc_los_disagrees": lambda t: (t["length_of_stay_days"] != _nights(t)) & (_nights(t) >= 0),
    "apc_los_impossible": lambda t: (t["length_of_stay_days"] > 366) | (_nights(t) > 366),
    "apc_daycase_nights": lambda t: _day_case(t) & (_nights(t) > 0),
    "apc_daycase_emergency": lambda t: _day_case(t) & ~t["admission_method_code"].isin(ELECTIVE),
    "apc_hrg_missing": lambda t: t["hrg_code"].isna(),
    "apc_diagnosis_default": lambda t: t["primary_diagnosis_icd10"] == "R69X",
    "apc_procedure_outside_stay": lambda t: (
        (t["procedure_date"] < t["admission_date"]) | (t["procedure_date"] > t["discharge_date"])
    ),
    "apc_commissioner_unknown": lambda t: t["commissioner_code"] == "Q99",
    "apc_provider_unknown": _unknown("provider_code", "providers"),
    "apc_lsoa_missing": lambda t: t["lsoa_code"].isna(),
    "apc_tfc_invalid": _unknown("treatment_function_code", "treatment_functions"),
    "apc_submitted_early": lambda t: t["submission_date"] < t["discharge_date"],
    "apc_duplicate": _repeated("admission_date", "discharge_date", "hrg_code"),
    "apc_overlap": _overlapping,
    "op_sex_specialty": lambda t: (t["person_gender_code"] == "1") & t["treatment_function_code"].isin(["501", "502"]),
    "op_first_code_invalid": lambda t: ~t["first_attendance_code"].isin(["1", "2", "3", "4"]),
    "op_status_invalid": lambda t: ~t["attendance_status_code"].isin(list("234567")),
    "op_referral_after_appointment": lambda t: t["referral_received_date"] > t["appointment_date"],
    "op_not_seen_procedure": lambda t: (
        t["attendance_status_code"].isin(list("2347")) & t["primary_procedure_opcs4"].notna()
    ),
    "op_duplicate": _repeated("appointment_date", "treatment_function_code", "first_attendance_code"),
    "ae_minutes_impossible": lambda t: ~t["minutes_to_departure"].between(0, 1440),
    "ae_pseudonym_missing": lambda t: t["person_pseudonym"].isna(),
    "ae_practice_missing": lambda t: t["gp_practice_code"].isna(),
    "ae_duplicate": _repeated("arrival_date", "minutes_to_departure", "disposal_code"),
}


@pytest.mark.parametrize("rule", RULES)
def test_the_records_that_break_a_rule_are_those_planted(
    rule: str, feeds: dict[str, pd.DataFrame], planted: pd.DataFrame
) -> None:
    rows = feeds[rule.split("_")[0]]
    found = set(rows.loc[RULES[rule](rows), "cds_unique_identifier"])
    assert found == set(planted.loc[planted["rule"] == rule, "cds_unique_identifier"])
    assert found


def test_every_rule_is_planted_at_about_its_share(feeds: dict[str, pd.DataFrame], planted: pd.DataFrame) -> None:
    errors = load_world(PARAMS).errors
    counts = planted["rule"].value_counts()
    for feed, rows in feeds.items():
        weighed = rows["provider_code"].map(errors.more_at).fillna(1).sum()
        for rule, share in getattr(errors, feed).items():
            assert counts[rule] == pytest.approx(share * weighed, rel=0.05, abs=3), rule


def test_no_record_has_two_errors(planted: pd.DataFrame) -> None:
    assert planted["cds_unique_identifier"].is_unique


def test_some_providers_make_more_errors_than_others(feeds: dict[str, pd.DataFrame], planted: pd.DataFrame) -> None:
    spells = feeds["apc"]
    wrong = spells["cds_unique_identifier"].isin(planted["cds_unique_identifier"])
    rate = wrong.groupby(spells["provider_code"]).mean()
    assert rate["RF4"] / rate["RJ1"] == pytest.approx(3.0, rel=0.15)


def test_months_withheld_are_recorded_and_thin(feeds: dict[str, pd.DataFrame], made: Path) -> None:
    breaks = pq.read_table(made / "truth" / "planted_breaks.parquet").to_pandas()
    assert breaks.columns.tolist() == ["feed", "rule", "provider_code", "month"]
    assert set(breaks["month"]) <= {f"2010-0{number}" for number in range(3, 9)}
    assert ("ae", "ae_break", "RF4", "2010-05") in set(breaks.itertuples(index=False, name=None))
    attended = feeds["ae"][feeds["ae"]["provider_code"] == "RF4"]
    by_month = attended["arrival_date"].dt.strftime("%Y-%m").value_counts()
    assert by_month["2010-05"] / by_month.drop("2010-05").mean() == pytest.approx(0.45, abs=0.06)
