"""What each table is: its publisher, period, geography, licence and caveats, and what each column means.

Read from `data/datapackage.json`, the one description of the figures: findings cite it, the reader's data catalogue
prints it, and every file is checked against it. Tables made from hospital records are described beside themselves, in
the record store that they are derived from (`tables.derived`).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cbs_analysis.errors import DataError, UserError, nearest
from cbs_analysis.home import data_dir
from cbs_analysis.tables import derived

DESCRIPTION = "datapackage.json"
REFERENCE = "reference"
TO_COMPLETE = "TO COMPLETE"
"""How what a draft leaves to the analyst begins."""


@dataclass(frozen=True)
class ColumnDescription:
    """One column of a table. `kind` is string, integer, number or yearmonth. `area_kinds` are the kinds of area that
    its codes stand for, `all_of_kinds` those of which every area has rows; `frequency` says that it is when, and in
    what steps; `adds` that areas' values can be added up.
    """

    name: str
    kind: str
    description: str
    unit: str = ""
    example: str = ""
    required: bool = False
    minimum: float | None = None
    maximum: float | None = None
    pattern: str = ""
    choices: tuple[str, ...] = ()
    area_kinds: tuple[str, ...] = ()
    all_of_kinds: tuple[str, ...] = ()
    frequency: str = ""
    adds: bool = True


@dataclass(frozen=True)
class ForeignKey:
    """A column whose every value must stand in a column of another table."""

    column: str
    table: str
    other_column: str


@dataclass(frozen=True)
class KnownDifference:
    """A published total that does not equal its own parts, recorded so that any other difference fails."""

    rule: str
    month: str
    org_code: str
    column: str
    difference: float


@dataclass(frozen=True)
class TableDescription:
    """One table of figures and what a reader must know to use it. `path` is relative to the data folder, or to the
    record store of a table derived from records; `synthetic` says that its figures are of nobody, but made up.
    """

    table: str
    title: str
    publisher: str
    period: str
    geography: str
    licence: str
    caveats: tuple[str, ...]
    description: str
    path: str
    columns: tuple[ColumnDescription, ...]
    key: tuple[str, ...]
    foreign_keys: tuple[ForeignKey, ...] = ()
    known_differences: tuple[KnownDifference, ...] = ()
    synthetic: bool = False
    checks: tuple[Mapping[str, Any], ...] = ()
    licences: tuple[Mapping[str, str], ...] = ()

    @property
    def is_reference(self) -> bool:
        """Whether it is one of the tables that say which areas, providers and the like there are."""
        return self.path.startswith(f"{REFERENCE}/")

    @property
    def to_complete(self) -> tuple[str, ...]:
        """What still says TO COMPLETE, such as `publisher` or `persons: unit`."""
        texts = {name: getattr(self, name) for name in ("title", "description", "publisher", "period", "geography")}
        texts |= {"attribution": self.licence, "caveats": " ".join(self.caveats)}
        for column in self.columns:
            texts |= {f"{column.name}: description": column.description, f"{column.name}: unit": column.unit}
        return tuple(name for name, text in texts.items() if TO_COMPLETE in text)

    def column(self, name: str) -> ColumnDescription:
        """One column. Raises KeyError where the table has none of that name."""
        return next((column for column in self.columns if column.name == name), None) or _no_column(self.table, name)

    def file(self, data: Path) -> Path:
        """Where it lies: in the data folder, or in the record store in use."""
        return derived.path_of(self.table) if self.table in derived.TABLES else data / self.path


def table_descriptions(data: Path | None = None) -> tuple[TableDescription, ...]:
    """Every table described in the data folder (the home's own where none is given), in its order, then those derived
    from the records of the store in use.

    Raises DataError where a description is missing or broken.
    """
    folder = data or data_dir()
    shown = f"{folder.name}/{DESCRIPTION}"
    try:
        package = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        described = [*package["resources"], *derived.descriptions().values()]
        return tuple(_table(resource) for resource in described)
    except FileNotFoundError:
        raise DataError(f"{shown} is missing; it must describe every table") from None
    except ValueError as error:
        raise DataError(f"{shown} is not valid JSON: {error}") from None
    except (KeyError, TypeError) as error:
        raise DataError(f"{shown}: {error} is missing or of the wrong kind in the description of a table") from None


def table_description(table: str, data: Path | None = None) -> TableDescription:
    """The description of one table. Raises UserError with the nearest names where it is not known."""
    described = {each.table: each for each in table_descriptions(data)}
    if table not in described:
        if table in derived.TABLES:
            raise derived.missing(table)
        raise UserError(f"{(data or data_dir()).name}/{DESCRIPTION}: no table {table!r}; {nearest(table, described)}")
    return described[table]


def _table(resource: dict[str, Any]) -> TableDescription:
    schema = resource["schema"]
    return TableDescription(
        table=resource["name"],
        title=resource["title"],
        publisher=resource["publisher"],
        period=resource["period"],
        geography=resource["geography"],
        licence=resource["attribution"],
        caveats=tuple(resource["caveats"]),
        description=resource["description"],
        path=resource["path"],
        columns=tuple(_column(described) for described in schema["fields"]),
        key=tuple(schema["primaryKey"]),
        foreign_keys=tuple(
            ForeignKey(key["fields"], key["reference"]["resource"], key["reference"]["fields"])
            for key in schema.get("foreignKeys", ())
        ),
        known_differences=tuple(KnownDifference(**known) for known in resource.get("knownDifferences", ())),
        synthetic=resource.get("synthetic", False),
        checks=tuple(resource.get("checks", ())),
        licences=tuple(resource.get("licenses", ())),
    )


def _no_column(table: str, name: str) -> ColumnDescription:
    raise KeyError(f"{table} has no column {name}")


def _column(described: dict[str, Any]) -> ColumnDescription:
    limits = described.get("constraints", {})
    return ColumnDescription(
        name=described["name"],
        kind=described["type"],
        description=described["description"],
        unit=described.get("unit", ""),
        example=described.get("example", ""),
        required=limits.get("required", False),
        minimum=limits.get("minimum"),
        maximum=limits.get("maximum"),
        pattern=limits.get("pattern", ""),
        choices=tuple(limits.get("enum", ())),
        area_kinds=tuple(described.get("areaKinds", ())),
        all_of_kinds=tuple(described.get("allOfKinds", ())),
        frequency=described.get("frequency", ""),
        adds=described.get("adds", True),
    )
