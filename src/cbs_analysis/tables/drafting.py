"""A draft of a table's description, for the analyst who brings a file of figures and completes what only they know.

`draft` looks at a CSV file and says what is in it: types, key, limits, the areas its codes stand for, the steps
of its time column, and checks that hold and are worth keeping. frictionless infers the types. Everything else says TO
COMPLETE, and `cbs check` counts what is left.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import pandas as pd

from cbs_analysis.errors import DataError, UserError
from cbs_analysis.files import write_atomically
from cbs_analysis.tables import derived
from cbs_analysis.tables.csv_files import read_cells, read_header
from cbs_analysis.tables.descriptions import DESCRIPTION, TO_COMPLETE
from cbs_analysis.tables.schema_checks import WRITTEN

PUBLISHED = "published"
NUMBERS = ("integer", "number")
MOST_CHOICES, ROWS_PER_CHOICE = 8, 3
"""A text column with no more values than this, each on several rows, is a list of choices."""
LARGEST_KEY = 4
ROWS_PER_NUMBER = 2
"""A whole number with this many rows to a value, such as an age, may tell rows apart; others are counts."""
FEWEST_ROWS = 10
"""From how many rows on something that holds in all of them is taken for a rule."""
SHARE_FILLED = 0.9
"""From what share of the combinations of a key that have a row the others are taken for gaps."""
MOSTLY = 0.5
_AREA_WORDS = {"area", "code"}
_NOT_ADDED = {"rate", "pct", "percent", "percentage", "ratio", "mean", "median", "average", "score", "rank", "index"}
_STEPS = {
    r"\d{4}/\d{2}": ("year", r"^\d{4}/\d{2}$"),
    r"mid-\d{4}": ("year", r"^mid-\d{4}$"),
    r"\d{4}-Q[1-4]": ("quarter", r"^\d{4}-Q[1-4]$"),
}
_DAY = r"\d{4}-\d{2}-\d{2}"


@dataclass(frozen=True)
class Draft:
    """A table's entry for `datapackage.json`, and what its author should know of the file, a line each."""

    entry: dict[str, Any]
    notes: tuple[str, ...] = ()


def draft(file: Path, data: Path, name: str = "", title: str = "") -> Draft:
    """What can be seen in a CSV file, in the form of the data folder's `datapackage.json`.

    `name` is the table's, by default made from the file's. Raises DataError where the file is not whole, is not UTF-8
    or not comma-separated, or repeats a row; UserError where the name cannot be a table's.
    """
    table = name or table_name(file.stem)
    if not re.fullmatch(r"[a-z][a-z0-9_]*", table):
        raise UserError(f"--name: {table!r} must be small letters, digits and underscores, such as bed_days")
    cells = read_cells(file, file.name, read_header(file, file.name))
    _refuse_repeated(cells, file.name)
    areas = _area_kinds(data)
    notes: list[str] = []
    fields = [_field(cells[column], kind, areas, notes) for column, kind in _types(cells).items()]
    _one_time_column(fields)
    key = _key(cells, fields)
    entry = {
        "name": table,
        "path": f"{PUBLISHED}/{table}.csv",
        "profile": "tabular-data-resource",
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "title": title or f"{TO_COMPLETE}: a title, as a reader would look for it",
        "description": f"{TO_COMPLETE}: what the figures are, in a sentence",
        "publisher": f"{TO_COMPLETE}: who publishes them",
        "period": f"{TO_COMPLETE}: the period they are of{_span(cells, fields)}",
        "geography": f"{TO_COMPLETE}: the areas they are of",
        "attribution": f"{TO_COMPLETE}: the licence, with the attribution that it asks for",
        "caveats": [f"{TO_COMPLETE}: what a reader must know; an empty list where there is nothing"],
        "schema": {"fields": fields, "missingValues": [""], "primaryKey": list(key)},
        "checks": _checks(cells, fields, key),
    }
    return Draft(entry, tuple(notes))


def table_name(text: str) -> str:
    """A table's name made from a file's: small letters, digits and underscores."""
    words = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
    return words if words[:1].isalpha() else f"table_{words}".rstrip("_")


def add(drafted: Draft, file: Path, data: Path) -> Path:
    """Copy the file to the data folder and append the draft to `datapackage.json`. Gives the copy.

    Raises UserError, with nothing written, where a table has this name or another file its place.
    """
    entry, path = drafted.entry, data / DESCRIPTION
    try:
        package = json.loads(path.read_text(encoding="utf-8"))
        names = [resource["name"] for resource in package["resources"]]
    except FileNotFoundError:
        raise DataError(f"{data.name}/{DESCRIPTION} is missing; it must describe every table") from None
    except (ValueError, KeyError, TypeError):
        raise DataError(
            f"{data.name}/{DESCRIPTION} is not a data package; it must list its tables as resources"
        ) from None
    table, copy = entry["name"], data / entry["path"]
    if table in (*names, *derived.TABLES):
        raise UserError(f"{data.name}/{DESCRIPTION}: table {table!r} is there already; give another --name")
    content = file.read_bytes()
    if copy.exists() and copy.read_bytes() != content:
        raise UserError(f"{data.name}/{entry['path']} is another file; give another --name, or remove it first")
    package["resources"].append(entry)
    if not copy.exists():
        write_atomically(copy, content)
    write_atomically(path, as_json(package))
    return copy


def as_json(value: Mapping[str, Any]) -> str:
    """JSON as `datapackage.json` is written."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _types(cells: pd.DataFrame) -> dict[str, str]:
    """The type of each column, as frictionless infers it, in the types that our descriptions have."""
    import frictionless

    rows = [list(cells.columns), *cells.to_numpy().tolist()]
    detector = frictionless.Detector(sample_size=len(rows), field_confidence=1.0)
    inferred = frictionless.Schema.describe(rows, detector=detector)
    return {field.name: _type(field.type, cells[field.name]) for field in inferred.fields}


def _type(inferred: str, texts: pd.Series) -> str:
    """A number only where it is written as our tables write one: 5E1 and 010 are codes."""
    filled = texts[texts != ""]
    if filled.empty or filled.str.fullmatch(r"-?0[0-9]+").any():
        return "string"
    if inferred == "yearmonth" and filled.str.fullmatch(r"\d{4}-(0[1-9]|1[0-2])").all():
        return inferred
    if inferred in ("integer", "number", "year"):
        return next((kind for kind in NUMBERS if filled.str.fullmatch(WRITTEN[kind].pattern).all()), "string")
    return "string"


def _field(texts: pd.Series, kind: str, areas: Mapping[str, str], notes: list[str]) -> dict[str, Any]:
    name, filled = str(texts.name), texts[texts != ""]
    kinds = _kinds(name, filled, kind, areas, notes)
    kind = "string" if kinds else kind
    frequency, pattern = ("", "") if kinds else _frequency(name, filled, kind)
    limits: dict[str, Any] = {"required": True} if len(filled) == len(texts) else {}
    field: dict[str, Any] = {"name": name, "type": kind, "description": f"{TO_COMPLETE}: what it is"}
    if kind in NUMBERS:
        field["unit"] = "calendar year" if frequency else f"{TO_COMPLETE}: what is counted, such as persons"
        if (filled.astype(float) >= 0).all():
            limits["minimum"] = 0
    else:
        field |= {"example": filled.iloc[0]} if len(filled) else {}
        different = [] if kinds or frequency or filled.str.contains(r"\d{4}").any() else filled.unique().tolist()
        if 0 < len(different) <= MOST_CHOICES:
            limits |= {"enum": different} if len(filled) >= ROWS_PER_CHOICE * len(different) else {}
        limits |= {"pattern": pattern} if pattern else {}
        _note_unreadable(name, filled, notes)
    field |= {"constraints": limits} if limits else {}
    field |= {"areaKinds": kinds} if kinds else {}
    field |= {"frequency": frequency} if frequency else {}
    if kind in NUMBERS and _NOT_ADDED & set(_words(name)):
        field["adds"] = False
    return field


def _kinds(name: str, filled: pd.Series, kind: str, areas: Mapping[str, str], notes: list[str]) -> list[str]:
    """The kinds of the areas that a column's codes stand for; none where it does not hold codes of areas."""
    if kind in NUMBERS and not _AREA_WORDS & set(_words(name)):
        return []
    unknown = filled[~filled.isin(list(areas))]
    if len(filled) and not len(unknown):
        return list(dict.fromkeys(areas[code] for code in filled.unique()))
    if 0 < len(unknown) < MOSTLY * len(filled):
        notes.append(
            f"{name}: {unknown.nunique()} of {filled.nunique()} codes are not in data/reference/areas.csv, such as "
            f"{unknown.iloc[0]!r} on line {unknown.index[0]}; add them, and areaKinds to the column"
        )
    return []


def _note_unreadable(name: str, filled: pd.Series, notes: list[str]) -> None:
    """Says what keeps a column that is mostly numbers from being one."""
    unreadable = filled[~filled.str.fullmatch(WRITTEN["number"].pattern)]
    codes = filled.str.fullmatch(r"-?0[0-9]+").any()
    if not codes and 0 < len(unreadable) < MOSTLY * len(filled):
        notes.append(
            f"{name}: {len(unreadable)} of {len(filled)} values are not numbers, such as {unreadable.iloc[0]!r} on "
            f"line {unreadable.index[0]}; leave a cell empty where a number is missing"
        )


def _frequency(name: str, filled: pd.Series, kind: str) -> tuple[str, str]:
    """In what steps a column says when, and the pattern of its texts; two empty texts where it does not say when."""
    if kind == "integer":
        years = filled.astype(float).between(1900, 2100).all() and bool({"year", "fy"} & set(_words(name)))
        return ("year" if years else ""), ""
    if kind == "yearmonth":
        return _steps_apart(filled, f"{filled.iloc[0]}-01"), ""
    if filled.empty or kind != "string":
        return "", ""
    if filled.str.fullmatch(_DAY).all():
        frequency = _steps_apart(filled)
        return frequency, rf"^{_DAY}$" if frequency else ""
    return next((step for pattern, step in _STEPS.items() if filled.str.fullmatch(pattern).all()), ("", ""))


def _steps_apart(filled: pd.Series, example: str = "") -> str:
    """Week, month, quarter or year, by how far a column's dates are apart; empty for days and what is not a date."""
    days = pd.Series(pd.to_datetime(filled.unique(), format="%Y-%m" if example else "%Y-%m-%d", errors="coerce"))
    if days.isna().any():
        return ""
    days = days.sort_values()
    if days.dt.day.eq(1).all():
        gaps = (days.dt.year * 12 + days.dt.month).diff().dropna().unique()
        for step, months in (("year", 12), ("quarter", 3)):
            if len(gaps) and not (gaps % months).any():
                return step
        return "month"
    gaps = days.diff().dropna().dt.days.unique()
    return "week" if len(gaps) and not (gaps % 7).any() else ""


def _one_time_column(fields: Sequence[dict[str, Any]]) -> None:
    """The first column that says when is the table's time."""
    for field in [field for field in fields if "frequency" in field][1:]:
        del field["frequency"]


def _key(cells: pd.DataFrame, fields: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """The smallest set of columns that is unique and filled: time, area and text before numbers, which are measures
    unless nothing else tells rows apart.
    """
    filled = [field for field in fields if field.get("constraints", {}).get("required")]
    ranked = sorted((field for field in filled if field["type"] != "number"), key=_rank)
    texts = [field["name"] for field in ranked if _rank(field) < _rank({"type": "integer"})]
    numbers = sorted((field["name"] for field in ranked[len(texts) :]), key=lambda name: cells[name].nunique())
    repeated = [name for name in numbers if cells[name].nunique() * ROWS_PER_NUMBER <= len(cells)]
    for columns in (texts, [*texts, *repeated], [*texts, *numbers]):
        for key in _sets(columns):
            if not cells.duplicated(list(key)).any():
                return key
    return tuple(cells.columns)


def _rank(field: Mapping[str, Any]) -> int:
    if "frequency" in field:
        return 0
    return 1 if "areaKinds" in field else 2 if field["type"] != "integer" else 3


def _sets(columns: Sequence[str]) -> Iterator[tuple[str, ...]]:
    for size in range(1, min(len(columns), LARGEST_KEY) + 1):
        yield from combinations(columns, size)


def _checks(cells: pd.DataFrame, fields: Sequence[Mapping[str, Any]], key: Sequence[str]) -> list[dict[str, Any]]:
    """Rules of `publisher_checks` that are about such columns, and hold or show gaps."""
    by_name = {field["name"]: field for field in fields}
    kinds = {_rank(by_name[name]) for name in key}
    checks: list[dict[str, Any]] = []
    is_monthly = any(field["type"] == "yearmonth" and field.get("frequency") == "month" for field in fields)
    if is_monthly and len(key) == 2 and kinds == {0, 1}:
        checks += [{"rule": "every_step"}, {"rule": "every_cell"}]
    elif len(key) > 1 and len(cells) >= SHARE_FILLED * _combinations(cells, key):
        text = f"there is a row for each {', '.join(key[:-1])} and {key[-1]}"
        checks.append({"rule": "every_combination", "columns": list(key), "text": text})
    counts = [field["name"] for field in fields if field["type"] in NUMBERS and field["name"] not in key]
    for part, whole in ((part, whole) for part in counts for whole in counts if part != whole):
        if set(_words(whole)) - {"total"} < set(_words(part)) - {"total"} and _is_within(cells, part, whole):
            checks.append({"rule": "not_more_than", "part": part, "whole": whole})
    return checks


def _combinations(cells: pd.DataFrame, key: Sequence[str]) -> int:
    number = 1
    for name in key:
        number *= cells[name].nunique()
    return number


def _is_within(cells: pd.DataFrame, part: str, whole: str) -> bool:
    both = cells.loc[(cells[part] != "") & (cells[whole] != ""), [part, whole]].astype(float)
    return len(both) >= FEWEST_ROWS and bool((both[part] <= both[whole]).all() and (both[part] < both[whole]).any())


def _span(cells: pd.DataFrame, fields: Sequence[Mapping[str, Any]]) -> str:
    time = next((field["name"] for field in fields if "frequency" in field), None)
    if time is None:
        return ""
    steps = cells.loc[cells[time] != "", time]
    return f" (the file has {steps.min()} to {steps.max()})"


def _refuse_repeated(cells: pd.DataFrame, shown: str) -> None:
    repeated = cells.index[cells.duplicated()]
    if len(repeated):
        first = cells.index[cells.eq(cells.loc[repeated[0]]).all(axis=1)][0]
        raise DataError(f"{shown}, line {repeated[0]}: repeats line {first}; each row must be there once")


def _area_kinds(data: Path) -> dict[str, str]:
    path, shown = data / "reference" / "areas.csv", f"{data.name}/reference/areas.csv"
    if not path.exists():
        return {}
    areas = read_cells(path, shown, read_header(path, shown), may_be_empty=True)
    return dict(zip(areas["area_code"], areas["kind"], strict=True))


def _words(name: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", name.lower())
