"""The made-up health system of `cbs init --example`: six districts in two localities, with people and activity.

Nothing in it is of a real place or patient. Numbers come from formulas without chance, so the same version of this
package writes the same files everywhere.
"""

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence

KINDS = (
    ("district", "district", "districts"),
    ("locality", "locality", "localities"),
    ("system", "health system", "health systems"),
)
WHOLE = ("MERIDIAN", "Meridian", "system", "Meridian health system")
LOCALITIES = (("NORTH", "North Meridian", ("E09000001", "E09000002", "E09000003")),
              ("SOUTH", "South Meridian", ("E09000004", "E09000005", "E09000006")))  # fmt: skip
# Name, residents in the base year, how old they are (0 the average), and the tile on the map.
DISTRICTS: Mapping[str, tuple[str, int, float, tuple[int, int]]] = {
    "E09000001": ("Aldermoor", 182_000, -0.35, (0, 0)),
    "E09000002": ("Brackenfield", 141_000, 0.10, (1, 0)),
    "E09000003": ("Coldharbour Vale", 96_000, 0.40, (2, 0)),
    "E09000004": ("Dunmere", 208_000, -0.20, (0, 1)),
    "E09000005": ("Eastwick", 123_000, 0.25, (1, 1)),
    "E09000006": ("Fenholt", 77_000, 0.55, (2, 1)),
}
FIRST_YEAR, YEARS, OLDEST = 2021, 4, 90
FIRST_MONTH, MONTHS = (2022, 4), 36
# A month's count for each 100,000 residents, growth a year, swing of the season, month of its peak, weight of age.
ACTIVITY = {
    "elective_ordinary_admissions": (210, 0.01, 0.05, 10, 0.20),
    "elective_daycase_admissions": (690, 0.03, 0.04, 3, 0.15),
    "nonelective_admissions": (880, 0.02, 0.07, 12, 0.25),
    "gp_referrals": (1_720, 0.02, 0.05, 3, 0.10),
    "other_referrals": (980, 0.03, 0.05, 3, 0.05),
    "first_outpatient_attendances": (2_610, 0.02, 0.05, 3, 0.10),
}
STEP_IN, STEP_FROM, STEP = ("E09000004", "other_referrals"), 24, 1.5  # a change in recording, for charts to find


def example_files() -> dict[str, str]:
    """The example's files by their places in a home, as text."""
    return {
        "data/reference/area_kinds.csv": _csv(("kind", "name", "plural_name"), KINDS),
        "data/reference/areas.csv": _csv(
            ("area_code", "area_name", "kind", "organisation_name", "tile_column", "tile_row"), _areas()
        ),
        "data/reference/geographies.csv": _csv(("geography", "area_code", "level", "parent_code"), _tree()),
        "data/reference/geography_names.csv": _csv(
            ("geography", "title", "year", "nation_code", "note"),
            [("main", "Districts of Meridian (made up)", 2024, "", "Made up to show what a geography is.")],
        ),
        "data/published/population_by_age.csv": _csv(("area_code", "mid_year", "age", "persons"), _people()),
        "data/published/population_change.csv": _csv(
            ("area_code", "mid_year", "population", "births", "deaths", "internal_net_migration",
             "international_net_migration"), _changes(),
        ),
        "data/published/activity.csv": _csv(("month", "area_code", *ACTIVITY), _activity()),
        "params/areas/E09000001.yml": (
            "priorities:\n  - Shorter waits for outpatient appointments\ncommentary: |\n"
            "  This is where an area says in its own words what it makes of the evidence.\n"
        ),
    }  # fmt: skip


def _areas() -> list[tuple[object, ...]]:
    districts = [(code, name, "district", f"{name} District", *tile) for code, (name, _, _, tile) in DISTRICTS.items()]
    localities = [(code, name, "locality", "", "", "") for code, name, _ in LOCALITIES]
    return [*districts, *localities, (*WHOLE, "", "")]


def _tree() -> list[tuple[str, str, str, str]]:
    rows = [("main", member, "district", code) for code, _, members in LOCALITIES for member in members]
    return [
        *rows,
        *(("main", code, "locality", WHOLE[0]) for code, _, _ in LOCALITIES),
        ("main", WHOLE[0], "system", ""),
    ]


def _people() -> list[tuple[object, ...]]:
    return [
        (code, FIRST_YEAR + year, age, persons)
        for code in DISTRICTS
        for year in range(YEARS)
        for age, persons in enumerate(_by_age(code, year))
    ]


def _by_age(code: str, year: int) -> list[int]:
    """Residents of each age: fewer the older, more young adults where people are young, growing year by year."""
    _, total, old, _ = DISTRICTS[code]
    weights = [
        math.exp(-(((age - 38 - 12 * old) / 34) ** 2)) + 0.25 * math.exp(-(((age - 28) / 7) ** 2)) * (1 - old)
        for age in range(OLDEST)
    ]
    weights.append(2.2 * math.exp(-(((OLDEST - 38 - 12 * old) / 34) ** 2)) * 3)
    size = total * (1 + 0.011 - 0.006 * old) ** year
    return [round(size * weight / sum(weights)) for weight in weights]


def _changes() -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for code, (_, _, old, _) in DISTRICTS.items():
        for year in range(1, YEARS):
            before, now = sum(_by_age(code, year - 1)), sum(_by_age(code, year))
            births, deaths = round(before * (0.0118 - 0.003 * old)), round(before * (0.0082 + 0.003 * old))
            abroad = round(before * 0.004)
            moves = now - before - births + deaths - abroad - year
            rows.append((code, FIRST_YEAR + year, now, births, deaths, moves, abroad))
    return rows


def _activity() -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for step in range(MONTHS):
        year, month = divmod(FIRST_MONTH[0] * 12 + FIRST_MONTH[1] - 1 + step, 12)
        for place, code in enumerate(DISTRICTS):
            counts = [_count(code, measure, place, number, step, month + 1) for number, measure in enumerate(ACTIVITY)]
            rows.append((f"{year}-{month + 1:02d}", code, *counts))
    return rows


def _count(code: str, measure: str, place: int, number: int, step: int, month: int) -> int:
    """A month's count: a rate, growth, a season, and a small irregular part that looks like chance and is not."""
    rate, growth, swing, peak, age = ACTIVITY[measure]
    _, people, old, _ = DISTRICTS[code]
    season = 1 + swing * math.cos(2 * math.pi * (month - peak) / 12)
    irregular = 1 + 0.025 * math.sin(12.9898 * (step + 1) + 78.233 * (place + 1) + 37.719 * (number + 1))
    step_up = STEP if (code, measure) == STEP_IN and step >= STEP_FROM else 1.0
    expected = rate * people / 100_000 * (1 + age * old) * (1 + growth) ** (step / 12)
    return round(expected * season * irregular * step_up)


def _csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()
