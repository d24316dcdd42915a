"""Simulated records: totals as published, the same bytes every time, and none of the planted errors'
rules broken where none is planted.
"""

import csv
import hashlib
import json
from collections import Counter
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml

from cbs_analysis.errors import UserError
from cbs_analysis.simulation import load_world, read_scenario, simulated_records, write_extracts

CHECKOUT = Path(__file__).resolve().parents[2]
DATA, PARAMS = CHECKOUT / "data", CHECKOUT / "params"
AREAS, MONTHS, SHARE = ["5LE", "5A4"], ("2009-01", "2009-06"), 0.1
MEASURES = (
    "elective_ordinary_admissions", "elective_daycase_admissions", "nonelective_admissions",
    "first_outpatient_attendances",
)  # fmt: skip


def published(areas: list[str], months: tuple[str, str]) -> dict[tuple[str, str], tuple[int, ...]]:
    with (DATA / "published" / "monthly_activity_return.csv").open(encoding="utf-8") as file:
        return {
            (row["org_code"], row["month"]): tuple(int(row[measure]) for measure in MEASURES)
            for row in csv.DictReader(file)
            if row["org_code"] in areas and months[0] <= row["month"] <= months[1]
        }


def counted(out: Path, area: str) -> dict[tuple[str, str], tuple[int, ...]]:
    """What a PCT's files hold of each calibrated count, records planted twice counted once."""
    planted = pq.read_table(out / "truth" / "planted_errors.parquet").to_pandas()
    twice = set(planted.loc[planted["rule"].str.endswith("_duplicate"), "cds_unique_identifier"])
    found: Counter[tuple[str, int]] = Counter()
    spells = read(out, "apc", area)
    spells = spells[~spells["cds_unique_identifier"].isin(twice)]
    elective = spells["admission_method_code"].isin(["11", "12", "13"])
    day_case = spells["patient_classification_code"] == "2"
    for number, rows in enumerate((elective & ~day_case, elective & day_case, ~elective)):
        found.update((month, number) for month in spells.loc[rows, "discharge_date"].dt.strftime("%Y-%m"))
    seen = read(out, "op", area)
    seen = seen[~seen["cds_unique_identifier"].isin(twice) & (seen["first_attendance_code"] == "1")]
    seen = seen[seen["attendance_status_code"].isin(["5", "6"])]
    found.update((month, 3) for month in seen["appointment_date"].dt.strftime("%Y-%m"))
    return {(area, month): tuple(found[month, number] for number in range(4)) for month in {key[0] for key in found}}


def read(out: Path, feed: str, area: str) -> pd.DataFrame:
    frame = pq.read_table(out / feed / f"{area}.parquet").to_pandas()
    for name in frame.columns:
        if name.endswith("_date"):
            frame[name] = pd.to_datetime(frame[name])
        elif frame[name].dtype == "category":
            frame[name] = frame[name].astype(object)
    return frame


def digests(out: Path) -> dict[str, str]:
    files = sorted(path for path in out.rglob("*") if path.is_file())
    return {str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("simulated") / "made"
    made = write_extracts(out, data=DATA, params=PARAMS, areas=AREAS, months=MONTHS, share=SHARE, workers=1)
    assert made.folder == out
    assert made.rows == {feed: sum(len(read(out, feed, area)) for area in AREAS) for feed in ("apc", "op", "ae")}
    return out


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A world in which nothing is planted."""
    folder = tmp_path_factory.mktemp("clean")
    params = folder / "params"
    for name in ("simulation", "feeds"):
        (params / name).mkdir(parents=True)
        for path in (PARAMS / name).iterdir():
            (params / name / path.name).write_bytes(path.read_bytes())
    world = yaml.safe_load((PARAMS / "simulation" / "world.yml").read_text(encoding="utf-8"))
    world["errors"] |= {"apc": {}, "op": {}, "ae": {}}
    (params / "simulation" / "world.yml").write_text(yaml.safe_dump(world), encoding="utf-8")
    write_extracts(folder / "made", data=DATA, params=params, areas=["5LE"], months=MONTHS, share=0.5, workers=1)
    return folder / "made"


def test_a_whole_pct_has_the_published_counts_of_every_month(tmp_path: Path) -> None:
    months = ("2010-01", "2010-03")
    write_extracts(tmp_path / "out", data=DATA, params=PARAMS, areas=["5A5"], months=months, workers=1)
    assert counted(tmp_path / "out", "5A5") == published(["5A5"], months)


def test_a_small_world_has_its_share_of_each_count(small: Path) -> None:
    expected = published(AREAS, MONTHS)
    found = counted(small, "5LE") | counted(small, "5A4")
    assert found == {key: tuple(round(count * SHARE) for count in counts) for key, counts in expected.items()}


def test_the_same_world_is_the_same_bytes_by_one_process_or_two(small: Path, tmp_path: Path) -> None:
    told = []
    write_extracts(
        tmp_path / "again", data=DATA, params=PARAMS, areas=AREAS, months=MONTHS, share=SHARE, workers=2,
        on_progress=lambda done, of: told.append((done, of)),
    )  # fmt: skip
    assert digests(tmp_path / "again") == digests(small)
    assert told == [(0, 2), (1, 2), (2, 2)]


def test_a_pct_s_records_do_not_depend_on_which_others_are_made(small: Path, tmp_path: Path) -> None:
    write_extracts(tmp_path / "one", data=DATA, params=PARAMS, areas=["5A4"], months=MONTHS, share=SHARE, workers=1)
    one, two = digests(tmp_path / "one"), digests(small)
    assert all(one[f"{feed}/5A4.parquet"] == two[f"{feed}/5A4.parquet"] for feed in ("apc", "op", "ae"))


def test_another_seed_is_another_world(small: Path, tmp_path: Path) -> None:
    write_extracts(
        tmp_path / "other", data=DATA, params=PARAMS, areas=["5A4"], months=MONTHS, share=SHARE, seed=7, workers=1
    )
    assert digests(tmp_path / "other")["apc/5A4.parquet"] != digests(small)["apc/5A4.parquet"]
    assert json.loads((tmp_path / "other" / "made.json").read_text(encoding="utf-8"))["seed"] == 7


def test_files_have_the_feed_s_fields_in_order_and_say_that_they_are_simulated(small: Path) -> None:
    types = {"text": ("string", "dictionary"), "integer": ("int32",), "date": ("date32",)}
    for feed in ("apc", "op", "ae", "practices"):
        described = yaml.safe_load((PARAMS / "feeds" / f"{feed}.yml").read_text(encoding="utf-8"))["fields"]
        path = small / "practices.parquet" if feed == "practices" else small / feed / "5LE.parquet"
        schema = pq.read_schema(path)
        assert schema.names == [field["name"] for field in described]
        for field in described:
            assert str(schema.field(field["name"]).type).startswith(types[field["type"]])
    assert all(pq.read_metadata(path).metadata[b"cbs:synthetic"] == b"true" for path in small.rglob("*.parquet"))


def test_there_is_a_practice_for_some_5500_people_of_each_pct(small: Path) -> None:
    practices = pq.read_table(small / "practices.parquet").to_pandas()
    assert practices["gp_practice_code"].is_unique
    assert practices["gp_practice_code"].str.fullmatch(r"X\d{5}").all()
    assert practices["pct_code"].nunique() == 31
    assert len(practices) == pytest.approx(8_061_495 / 5500, rel=0.02)


def test_no_rule_is_broken_where_nothing_is_planted(clean: Path) -> None:
    spells = read(clean, "apc", "5LE")
    sex, age, diagnosis = (
        spells[name] for name in ("person_gender_code", "age_at_admission", "primary_diagnosis_icd10")
    )
    procedure, hrg = spells["primary_procedure_opcs4"].fillna(""), spells["hrg_code"]
    nights = (spells["discharge_date"] - spells["admission_date"]).dt.days
    day_case = spells["patient_classification_code"] == "2"
    method = spells["admission_method_code"]
    costs = pd.read_csv(DATA / "published" / "hrg_reference_costs.csv")
    adult = set(costs.loc[costs["hrg_name"].str.contains("19 years and over"), "hrg_code"])
    practices = pq.read_table(clean / "practices.parquet").to_pandas().set_index("gp_practice_code")["pct_code"]
    group, chapter = diagnosis.str[:3], diagnosis.str[0]
    wrong = {
        "pregnancy": (sex != "2") & (chapter == "O"),
        "female": (sex == "1")
        & (group.between("N70", "N98") | group.between("C51", "C58") | group.between("D25", "D28")),
        "male": (sex == "2") & (group.between("N40", "N51") | group.between("C60", "C63")),
        "female procedure": (sex == "1") & procedure.str[:1].isin(["P", "Q", "R"]),
        "male procedure": (sex == "2") & (procedure.str.startswith("N") | procedure.str[:3].between("M61", "M67")),
        "sex": ~sex.isin(["1", "2"]),
        "child's HRG": (age >= 19) & hrg.str.startswith("P"),
        "adult's HRG": (age < 18) & hrg.isin(adult),
        "obstetric": ((age < 10) | (age > 60)) & ((chapter == "O") | hrg.str.startswith("NZ")),
        "newborn": (age > 1) & (chapter == "P"),
        "age": ~age.between(0, 120),
        "length": (spells["length_of_stay_days"] != nights) | (nights < 0) | (nights > 366),
        "day case": day_case & ((nights > 0) | ~method.isin(["11", "12", "13"])),
        "HRG": ~hrg.isin(costs["hrg_code"]),
        "diagnosis": ~diagnosis.str.fullmatch(r"[A-Z]\d\d[\dX]") | (diagnosis == "R69X"),
        "procedure": ~procedure.str.fullmatch(r"([A-Z]\d{3})?"),
        "procedure date": (spells["procedure_date"] < spells["admission_date"])
        | (spells["procedure_date"] > spells["discharge_date"])
        | (spells["procedure_date"].isna() != (procedure == "")),
        "site": [
            not site.startswith(provider)
            for site, provider in zip(spells["site_code"], spells["provider_code"], strict=True)
        ],
        "practice": spells["gp_practice_code"].map(practices) != "5LE",
        "submission": spells["submission_date"] < spells["discharge_date"],
        "method": ~method.isin(["11", "12", "13", "21", "22", "23", "24", "28", "31", "32"]),
    }
    assert {name: int(pd.Series(rows).sum()) for name, rows in wrong.items()} == dict.fromkeys(wrong, 0)


def test_nobody_is_in_two_beds_or_comes_back_from_the_dead(clean: Path) -> None:
    spells = read(clean, "apc", "5LE").sort_values(["person_pseudonym", "admission_date", "discharge_date"])
    person = spells["person_pseudonym"]
    again = (person == person.shift()).to_numpy()
    assert again.sum() > 100
    before = spells["discharge_date"].shift()
    assert not (again & (spells["admission_date"] < before)).any()
    assert not (again & (spells["discharge_method_code"].shift() == "4")).any()
    twins = ["person_pseudonym", "provider_code", "admission_date", "discharge_date", "hrg_code"]
    assert not spells.duplicated(twins).any()
    assert spells.groupby("person_pseudonym")["person_gender_code"].nunique().max() == 1


def test_appointments_and_attendances_break_no_rule_where_nothing_is_planted(clean: Path) -> None:
    seen, emergency = read(clean, "op", "5LE"), read(clean, "ae", "5LE")
    women = seen["treatment_function_code"].isin(["501", "502"])
    assert women.any() and not (women & (seen["person_gender_code"] == "1")).any()
    missed = ~seen["attendance_status_code"].isin(["5", "6"])
    assert missed.any() and seen.loc[missed, "primary_procedure_opcs4"].isna().all()
    assert (seen["referral_received_date"] <= seen["appointment_date"]).all()
    same = ["person_pseudonym", "provider_code", "appointment_date", "treatment_function_code", "first_attendance_code"]
    assert not seen.duplicated(same).any()
    assert emergency["minutes_to_departure"].between(0, 1440).all()
    same = ["person_pseudonym", "provider_code", "arrival_date", "minutes_to_departure", "disposal_code"]
    assert not emergency.duplicated(same).any()
    for frame in (seen, emergency):
        assert frame["cds_unique_identifier"].is_unique
        assert frame["person_gender_code"].isin(["1", "2"]).all()


def test_the_same_person_is_in_every_feed(clean: Path) -> None:
    people = [set(read(clean, feed, "5LE")["person_pseudonym"]) for feed in ("apc", "op", "ae")]
    assert all(pseudonym.isalnum() and len(pseudonym) == 12 for pseudonym in people[0])
    assert len(people[0] & people[1]) > 500
    came = read(clean, "ae", "5LE").query("disposal_code == '01'")["person_pseudonym"]
    assert set(came) <= people[0]


def test_ages_and_readmissions_are_plausible(clean: Path) -> None:
    spells = read(clean, "apc", "5LE").sort_values(["person_pseudonym", "admission_date", "discharge_date"])
    emergency = spells["admission_method_code"].str.startswith("2")
    next_one = spells.groupby("person_pseudonym")["admission_date"].shift(-1)
    is_emergency = emergency.groupby(spells["person_pseudonym"]).shift(-1, fill_value=False)
    gap = (next_one - spells["discharge_date"]).dt.days
    index = (spells["discharge_method_code"] != "4") & (spells["discharge_date"] < "2009-05-01")
    assert 0.05 < (is_emergency & (gap <= 30))[index].mean() < 0.10
    assert spells.loc[emergency, "length_of_stay_days"].eq(0).mean() > 0.2
    assert 0.03 < (spells.loc[emergency, "age_at_admission"] >= 85).mean() < 0.15


def test_a_provider_whose_patients_truly_stay_longer_shows_it() -> None:
    world = load_world(PARAMS)
    scenario = read_scenario(world, DATA, ["5A4", "5C2", "5A8", "5A7"], ("2009-04", "2009-09"), 0.25)
    spells = simulated_records(scenario, 5).table.select(
        ["provider_code", "admission_method_code", "length_of_stay_days"]
    )
    frame = spells.to_pandas()
    emergency = frame[frame["admission_method_code"].isin(["21", "22", "23", "24", "28"])]
    mean = emergency.groupby("provider_code", observed=True)["length_of_stay_days"].mean()
    true = world.effects.values["length_of_stay"]
    assert mean["RF4"] / mean["RYQ"] == pytest.approx(2.718281828 ** (true["RF4"] - true["RYQ"]), rel=0.15)


def test_effects_used_are_written_and_may_be_drawn_from_the_seed(small: Path, tmp_path: Path) -> None:
    stated = pq.read_table(small / "truth" / "effects.parquet").to_pandas()
    world = yaml.safe_load((PARAMS / "simulation" / "world.yml").read_text(encoding="utf-8"))
    for row in stated.itertuples():
        assert row.effect == world["effects"]["values"][row.measure][row.provider_code]
    write_extracts(
        tmp_path / "drawn", data=DATA, params=PARAMS, areas=["5A5"], months=("2010-01", "2010-01"), share=0.01, seed=3,
        draw_effects=True, workers=1,
    )  # fmt: skip
    drawn = pq.read_table(tmp_path / "drawn" / "truth" / "effects.parquet").to_pandas()
    spread = drawn["measure"].map(world["effects"]["spread"])
    size = (drawn["effect"] / spread).abs()
    assert not drawn["effect"].equals(stated["effect"])
    assert (size.groupby(drawn["measure"]).apply(lambda each: (each >= 4).sum()) == 4).all()
    assert ((size <= 2) | (size >= 4)).all()


def test_what_is_not_simulated_records_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("kept", encoding="utf-8")
    with pytest.raises(UserError, match="holds something else"):
        write_extracts(
            tmp_path / "mine", data=DATA, params=PARAMS, areas=["5A5"], months=("2010-01", "2010-01"), share=0.01
        )
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_making_that_fails_leaves_what_was_there(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    asked = {
        "data": DATA,
        "params": PARAMS,
        "areas": ["5A5"],
        "months": ("2010-01", "2010-01"),
        "share": 0.01,
        "workers": 1,
    }
    write_extracts(out, **asked)  # type: ignore[arg-type]
    before = digests(out)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cbs_analysis.simulation.extracts.write", full)
    with pytest.raises(UserError, match="No space left on device"):
        write_extracts(out, **asked)  # type: ignore[arg-type]
    assert digests(out) == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
