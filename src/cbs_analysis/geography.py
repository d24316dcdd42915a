"""Areas and the geographies that group them: which areas there are, who belongs to whom, and how counts add up.

A geography is a named, dated tree of areas read from `data/reference`: primary care trusts at the leaves, their
sectors (or strategic health authorities) above, one whole at the top. Levels are words in the data, so any tree works.
"""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path

import pandas as pd

from cbs_analysis.errors import DataError, UserError, nearest

NATIONAL = "ENG"
SIMILAR = "similar"
"""Code and level of the group of leaves most like one of them, which is made for its pack and is not in the data."""


@dataclass(frozen=True)
class Area:
    """A primary care trust, a group of them, or the whole. `members` are the codes one level down; `tile` is its column
    and row on the tile map, from the north west, where it has a place there.
    """

    code: str
    name: str
    level: str
    parent: str | None = None
    members: tuple[str, ...] = ()
    organisation_name: str = ""
    ons_code: str = ""
    activity_code: str = ""
    tile: tuple[int, int] | None = None

    @property
    def is_leaf(self) -> bool:
        return not self.members

    @property
    def is_whole(self) -> bool:
        return self.parent is None


@dataclass(frozen=True)
class Geography:
    """A named tree of areas. `national` is England, which may or may not be the tree's own whole."""

    name: str
    title: str
    year: int
    note: str
    areas: dict[str, Area]
    national: Area = field(repr=False)

    def area(self, code: str) -> Area:
        """The area with this code. Raises UserError with the nearest codes where there is none."""
        try:
            return self.areas[code]
        except KeyError:
            raise UserError(f"area: {code!r} is no area's code in geography {self.name}; {self._near(code)}") from None

    def _near(self, said: str) -> str:
        """The codes meant, by a code or a name much like what was said; else where they are listed."""
        named = {name.casefold(): area for area in self.areas.values() for name in (area.code, area.name)}
        found = dict.fromkeys(named[name].code for name in get_close_matches(said.casefold(), named, 3, cutoff=0.6))
        if not found:
            return f"cbs areas lists the codes, such as {next(iter(self.areas))}"
        return f"nearest: {', '.join(f'{code} ({self.areas[code].name})' for code in found)}"

    @cached_property
    def whole(self) -> Area:
        return next(area for area in self.areas.values() if area.is_whole)

    @cached_property
    def levels(self) -> tuple[str, ...]:
        """Level names from the leaves up."""
        by_size = sorted(self.areas.values(), key=lambda area: len(self.leaves(area.code)))
        return tuple(dict.fromkeys(area.level for area in by_size))

    def at_level(self, level: str) -> tuple[Area, ...]:
        return tuple(area for area in self.areas.values() if area.level == level)

    def leaves(self, code: str) -> tuple[str, ...]:
        """Codes of the leaf areas in this area; a leaf is its own."""
        members = self.area(code).members
        return tuple(leaf for member in members for leaf in self.leaves(member)) if members else (code,)

    def ancestors(self, code: str) -> tuple[Area, ...]:
        """The areas this one lies in, nearest first."""
        parent = self.area(code).parent
        return (self.area(parent), *self.ancestors(parent)) if parent else ()

    def comparators(self, code: str) -> tuple[Area, ...]:
        """What an area is held against: the areas it lies in, then England where that is none of them."""
        above = self.ancestors(code)
        known = {code, *(area.code for area in above)}
        return above if self.national.code in known else (*above, self.national)

    def with_similar(self, name: str, members: Iterable[str]) -> "Geography":
        """The same geography with one more group of leaves, `SIMILAR`: within the whole, across the other groups."""
        group = Area(SIMILAR, name, SIMILAR, self.whole.code, tuple(members))
        return replace(self, areas={**self.areas, SIMILAR: group})

    @cached_property
    def membership(self) -> pd.DataFrame:
        """A row for each area and each leaf in it: area_code, leaf_code."""
        pairs = [(code, leaf) for code in self.areas for leaf in self.leaves(code)]
        return pd.DataFrame(pairs, columns=["area_code", "leaf_code"])

    def roll_up(
        self, frame: pd.DataFrame, by: Sequence[str], counts: Sequence[str], without: Iterable[str] = (),
        of: Iterable[str] | None = None,
    ) -> pd.DataFrame:  # fmt: skip
        """Counts of leaves added to every area of the tree, or to those in `of`.

        `frame` has `area_code` (leaves), the columns `by` (a month, a year) and `counts`. Returns the same columns for
        all areas, less the leaves in `without`. A total is NaN where any leaf's count is missing or its row is absent:
        a gap stays a gap.
        """
        membership = self.membership[~self.membership["leaf_code"].isin(list(without))]
        if of is not None:
            membership = membership[membership["area_code"].isin(list(of))]
        rows = membership.merge(frame.rename(columns={"area_code": "leaf_code"}), on="leaf_code")
        grouped = rows.groupby(["area_code", *by], sort=True)[list(counts)]
        size = membership.groupby("area_code").size()
        total, present = grouped.sum(min_count=1), grouped.count()
        expected = total.index.get_level_values("area_code").map(size).to_numpy()
        return total.where(present.eq(expected, axis=0)).reset_index()


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    except FileNotFoundError:
        raise DataError(f"{path.parent.name}/{path.name} is missing") from None


def geography_names(data: Path) -> list[str]:
    return [row["geography"] for row in _rows(data / "reference" / "geography_names.csv")]


def load_geography(name: str, data: Path, named_in: str = "") -> Geography:
    """The geography of this name from the reference tables in `data`; `named_in` begins the error where it is unknown.

    Raises UserError for an unknown name, DataError where the tree is broken: an area without a name, a parent that is
    not in it, more than one whole, a loop.
    """
    names = {row["geography"]: row for row in _rows(data / "reference" / "geography_names.csv")}
    if name not in names:
        raise UserError(f"{named_in}geography: {name!r} is not known; {nearest(name, names)}")
    described = {row["area_code"]: row for row in _rows(data / "reference" / "areas.csv")}
    rows = [row for row in _rows(data / "reference" / "geographies.csv") if row["geography"] == name]
    _check_tree(name, rows, described)
    areas = {}
    for row in rows:
        members = tuple(other["area_code"] for other in rows if other["parent_code"] == row["area_code"])
        areas[row["area_code"]] = _area(described[row["area_code"]], row["level"], row["parent_code"], members)
    national = areas.get(NATIONAL) or _area(described[NATIONAL], "england", "", ())
    about = names[name]
    return Geography(name, about["title"], int(about["year"]), about["note"], areas, national)


def _area(row: dict[str, str], level: str, parent: str, members: Iterable[str]) -> Area:
    return Area(
        code=row["area_code"],
        name=row["area_name"],
        level=level,
        parent=parent or None,
        members=tuple(members),
        organisation_name=row["organisation_name"] or row["area_name"],
        ons_code=row["ons_code"],
        activity_code=row["activity_code"],
        tile=(int(row["tile_column"]), int(row["tile_row"])) if row.get("tile_column") else None,
    )


def _check_tree(name: str, rows: list[dict[str, str]], described: dict[str, dict[str, str]]) -> None:
    where = f"reference/geographies.csv, geography {name}"
    parents = {row["area_code"]: row["parent_code"] for row in rows}
    if len(parents) != len(rows):
        raise DataError(f"{where}: an area_code stands twice; each area belongs once")
    for code, parent in parents.items():
        if code not in described:
            raise DataError(f"{where}: {code!r} is not in reference/areas.csv; {nearest(code, described)}")
        if parent and parent not in parents:
            raise DataError(
                f"{where}: parent {parent!r} of {code!r} is not in the geography; {nearest(parent, parents)}"
            )
    tops = [code for code, parent in parents.items() if not parent]
    if len(tops) != 1:
        raise DataError(f"{where}: one area must have no parent, {len(tops)} have none: {', '.join(tops[:5])}")
    for code in parents:
        seen: set[str] = set()
        while code:
            if code in seen:
                raise DataError(f"{where}: {code!r} lies in itself through its parents")
            seen.add(code)
            code = parents[code]
