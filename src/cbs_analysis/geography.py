"""Areas and the geographies that group them: which areas there are, what they are made of, and how counts add up.

A geography is a named, dated tree of areas, read from `data/reference`: leaves, groups above them, one whole at the
top. Kinds, levels and their words, parts with their weights, areas that became others, and the nation beyond the tree,
where there is one, are all data: no code knows a kind, a level or a place.
"""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path

import pandas as pd

from cbs_analysis.errors import DataError, UserError, nearest

FOLDER = "reference"
SIMILAR = "similar"
"""The level of the groups of similar areas, one for each leaf, which an edition may add to its geography."""


@dataclass(frozen=True)
class Area:
    """Anything a pack can be about. `members` are the codes one level down; `tile` is its column and row on the tile
    map, from the north west, where it has a place there. `level_name` and `level_plural` are its level in words.
    """

    code: str
    name: str
    level: str
    parent: str | None = None
    members: tuple[str, ...] = ()
    organisation_name: str = ""
    kind: str = ""
    tile: tuple[int, int] | None = None
    level_name: str = ""
    level_plural: str = ""

    @property
    def is_leaf(self) -> bool:
        return not self.members

    @property
    def is_whole(self) -> bool:
        return self.parent is None

    def levels(self, count: int = 2) -> str:
        """Its level in words, for so many: 'PCT' or 'PCTs'."""
        return self.level_name if count == 1 else self.level_plural


@dataclass(frozen=True)
class Succession:
    """An area that became another: its figures belong to the successor, which has figures of its own from a month."""

    predecessor: str
    successor: str
    since: pd.Timestamp


@dataclass(frozen=True)
class Geography:
    """A named tree of areas. `nation` is the area beyond or at its top that areas are compared with, None where there
    is none. `groups` are sets of leaves across the tree, by code: comparators, and not areas with a pack. `parts` are
    those that areas are made of, `kinds` and `names` of every area by its code, `kind_words` one and several of each
    kind.
    """

    name: str
    title: str
    year: int
    note: str
    areas: dict[str, Area]
    nation: Area | None = field(default=None, repr=False)
    parts: pd.DataFrame = field(default_factory=lambda: _no_parts(), repr=False, compare=False)
    successions: tuple[Succession, ...] = field(default=(), repr=False)
    kinds: Mapping[str, str] = field(default_factory=dict, repr=False)
    names: Mapping[str, str] = field(default_factory=dict, repr=False)
    kind_words: Mapping[str, tuple[str, str]] = field(default_factory=dict, repr=False)
    groups: Mapping[str, Area] = field(default_factory=dict, repr=False)

    def area(self, code: str) -> Area:
        """The area or group with this code. Raises UserError with the nearest codes where there is none."""
        if code in self.areas:
            return self.areas[code]
        if code in self.groups:
            return self.groups[code]
        raise UserError(f"area: {code!r} is not an area code in geography {self.name}; {self._near(code)}")

    def _near(self, given: str) -> str:
        """The codes meant, by a code or a name much like what was given; else where they are listed."""
        named = {name.casefold(): area for area in self.areas.values() for name in (area.code, area.name)}
        close = get_close_matches(given.casefold(), named, 3, cutoff=0.6)
        codes = dict.fromkeys(named[name].code for name in close)
        if not codes:
            return f"cbs areas lists the codes, such as {next(iter(self.areas))}"
        return f"nearest: {', '.join(f'{code} ({self.areas[code].name})' for code in codes)}"

    @cached_property
    def whole(self) -> Area:
        return next(area for area in self.areas.values() if area.is_whole)

    @cached_property
    def peers(self) -> tuple[Area, ...]:
        """Every leaf of the tree."""
        return tuple(area for area in self.areas.values() if area.is_leaf)

    @cached_property
    def levels(self) -> tuple[str, ...]:
        """Levels from the leaves up."""
        by_size = sorted(self.areas.values(), key=lambda area: len(self.leaves(area.code)))
        return tuple(dict.fromkeys(area.level for area in by_size))

    def at_level(self, level: str) -> tuple[Area, ...]:
        return tuple(area for area in self.areas.values() if area.level == level)

    def leaves(self, code: str) -> tuple[str, ...]:
        """Codes of the leaves in an area or group; a leaf is its own, and the nation beyond the tree has none here."""
        if self.is_beyond(code):
            return ()
        members = self.area(code).members
        return tuple(leaf for member in members for leaf in self.leaves(member)) if members else (code,)

    def is_beyond(self, code: str) -> bool:
        """Whether a code is the nation's, and the nation is not an area of the tree."""
        return self.nation is not None and code == self.nation.code and code not in self.areas

    def is_nation(self, code: str) -> bool:
        return self.nation is not None and code == self.nation.code

    @property
    def nation_codes(self) -> list[str]:
        """The nation's code, in a list that is empty where there is none."""
        return [self.nation.code] if self.nation else []

    def ancestors(self, code: str) -> tuple[Area, ...]:
        """The areas this one lies in, nearest first."""
        parent = self.area(code).parent
        return (self.area(parent), *self.ancestors(parent)) if parent else ()

    def comparators(self, code: str) -> tuple[Area, ...]:
        """What an area is compared with: its groups, similar areas, the whole, and the nation where there is one."""
        above = self.ancestors(code)
        nation = (self.nation,) if self.nation and self.nation not in (self.area(code), *above) else ()
        groups = [area for area in above if not area.is_whole]
        similar = (self.groups[similar_code(code)],) if similar_code(code) in self.groups else ()
        return (*groups, *similar, *(area for area in above if area.is_whole), *nation)

    def with_groups(self, groups: Iterable[Area]) -> "Geography":
        """The same geography with these groups of leaves as comparators."""
        return replace(self, groups={group.code: group for group in groups})

    @cached_property
    def membership(self) -> pd.DataFrame:
        """A row for each area or group and each leaf in it: area_code, leaf_code."""
        pairs = [(code, leaf) for code in (*self.areas, *self.groups) for leaf in self.leaves(code)]
        return pd.DataFrame(pairs, columns=["area_code", "leaf_code"])

    def roll_up(
        self, frame: pd.DataFrame, by: Sequence[str], counts: Sequence[str], without: Iterable[str] = ()
    ) -> pd.DataFrame:
        """Counts of leaves added to every area of the tree and every group.

        `frame` has `area_code` (leaves), the columns `by` (a month, a year) and `counts`. Returns the same columns for
        all areas, less the leaves in `without`. A total is NaN where any leaf's count is missing or its row is absent:
        a gap stays a gap.
        """
        membership = self.membership[~self.membership["leaf_code"].isin(list(without))]
        rows = membership.merge(frame.rename(columns={"area_code": "leaf_code"}), on="leaf_code")
        grouped = rows.groupby(["area_code", *by], sort=True)[list(counts)]
        size = membership.groupby("area_code").size()
        total, present = grouped.sum(min_count=1), grouped.count()
        expected = total.index.get_level_values("area_code").map(size).to_numpy()
        return total.where(present.eq(expected, axis=0)).reset_index()

    def leaf_counts(self, values: pd.Series) -> pd.Series:
        """Counts published by area code, of any kinds, as counts of the leaves and the nation, indexed by area_code.

        A leaf has its own published count; else its parts of the published kinds, times their weights, added up: NaN
        where one is missing. The nation has what is published for it.
        """
        parts = self.parts[self.parts["part_code"].map(self.kinds).isin({self.kinds.get(str(c)) for c in values.index})]
        weighted = (values.reindex(parts["part_code"]).to_numpy(dtype=float) * parts["weight"]).groupby(
            parts["area_code"]
        )
        added = weighted.sum().where(weighted.count() == weighted.size())
        codes = [*(area.code for area in self.peers), *(code for code in self.nation_codes if code not in self.areas)]
        codes += [code for code in self.nation_codes if code not in codes]
        own = values.reindex(codes)
        return own.where(own.notna() | own.index.isin(values.index), added.reindex(codes)).rename_axis("area_code")

    def published_code(self, code: str, published: Iterable[str]) -> str:
        """The code whose published value is that of an area, for a measure that does not add up: the area's own, or
        that of the only part that has one, if it belongs to the area whole. Empty where there is none.
        """
        known = set(published)
        if code in known:
            return code
        parts = self.parts[(self.parts["area_code"] == code) & self.parts["part_code"].isin(known)]
        return str(parts["part_code"].iloc[0]) if len(parts) == 1 and parts["weight"].iloc[0] == 1 else ""

    def parts_of(self, code: str, kind: str | None = None) -> tuple[str, ...]:
        """Codes of the parts that an area's leaves are made of, where there are any, in the order of the table."""
        parts = self.parts[self.parts["area_code"].isin(list(self.leaves(code)))]
        if kind is not None:
            parts = parts[parts["part_code"].map(self.kinds) == kind]
        return tuple(dict.fromkeys(parts["part_code"]))


def similar_code(code: str) -> str:
    """The code of a leaf's group of similar areas."""
    return f"{SIMILAR}-{code}"


def _no_parts() -> pd.DataFrame:
    return pd.DataFrame({"part_code": [], "area_code": [], "weight": []}).astype({"weight": float})


def _rows(path: Path, optional: bool = False) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file))
    except FileNotFoundError:
        if optional:
            return []
        raise DataError(f"data/{path.parent.name}/{path.name} is missing") from None


def geography_names(data: Path) -> list[str]:
    return [row["geography"] for row in _rows(data / FOLDER / "geography_names.csv")]


def load_geography(name: str, data: Path, named_in: str = "") -> Geography:
    """The geography of this name from the reference tables in `data`; `named_in` begins the error where it is unknown.

    Raises UserError for an unknown name, DataError where the tree is broken: an area without a name, a parent that is
    not in it, more than one whole, a loop, a level or a kind without words.
    """
    folder = data / FOLDER
    names = {row["geography"]: row for row in _rows(folder / "geography_names.csv")}
    if name not in names:
        raise UserError(f"{named_in}geography: {name!r} is not a geography; {nearest(name, names)}")
    described = {row["area_code"]: row for row in _rows(folder / "areas.csv")}
    words = {row["kind"]: (row["name"], row["plural_name"]) for row in _rows(folder / "area_kinds.csv")}
    rows = [row for row in _rows(folder / "geographies.csv") if row["geography"] == name]
    _check_tree(name, rows, described, words)
    members: dict[str, list[str]] = {}
    for row in rows:
        members.setdefault(row["parent_code"], []).append(row["area_code"])
    areas = {
        row["area_code"]: _area(described[row["area_code"]], row["level"], row["parent_code"],
                                members.get(row["area_code"], ()), words)
        for row in rows
    }  # fmt: skip
    about = names[name]
    nation = about.get("nation_code") or ""
    if nation and nation not in described:
        near = nearest(nation, described)
        raise DataError(f"data/{FOLDER}/geography_names.csv: nation_code {nation!r} is not in areas.csv; {near}")
    return Geography(
        name=name,
        title=about["title"],
        year=int(about["year"]),
        note=about["note"],
        areas=areas,
        nation=(areas.get(nation) or _area(described[nation], described[nation]["kind"], "", (), words))
        if nation
        else None,
        parts=_parts(folder),
        successions=tuple(
            Succession(row["predecessor_code"], row["successor_code"], pd.Timestamp(f"{row['from_month']}-01"))
            for row in _rows(folder / "area_successions.csv", optional=True)
        ),
        kinds={code: row["kind"] for code, row in described.items()},
        names={code: row["area_name"] for code, row in described.items()},
        kind_words=words,
    )


def _parts(folder: Path) -> pd.DataFrame:
    rows = _rows(folder / "area_parts.csv", optional=True)
    if not rows:
        return _no_parts()
    return pd.DataFrame(rows)[["part_code", "area_code", "weight"]].astype({"weight": float})


def _area(
    row: Mapping[str, str], level: str, parent: str, members: Iterable[str], words: Mapping[str, tuple[str, str]]
) -> Area:
    name, plural = words.get(level, (level, level))
    return Area(
        code=row["area_code"],
        name=row["area_name"],
        level=level,
        parent=parent or None,
        members=tuple(members),
        organisation_name=row.get("organisation_name") or row["area_name"],
        kind=row["kind"],
        tile=(int(row["tile_column"]), int(row["tile_row"])) if row.get("tile_column") else None,
        level_name=name,
        level_plural=plural,
    )


def _check_tree(
    name: str,
    rows: Sequence[Mapping[str, str]],
    described: Mapping[str, Mapping[str, str]],
    words: Mapping[str, tuple[str, str]],
) -> None:
    where = f"data/{FOLDER}/geographies.csv, geography {name}"
    parents = {row["area_code"]: row["parent_code"] for row in rows}
    if len(parents) != len(rows):
        codes = [row["area_code"] for row in rows]
        twice = next(code for code in codes if codes.count(code) > 1)
        raise DataError(f"{where}: area_code {twice!r} is duplicated; each area belongs once")
    for row in rows:
        code, parent, level = row["area_code"], row["parent_code"], row["level"]
        if code not in described:
            raise DataError(f"{where}: {code!r} is not in data/{FOLDER}/areas.csv; {nearest(code, described)}")
        if parent and parent not in parents:
            raise DataError(
                f"{where}: parent {parent!r} of {code!r} is not in the geography; {nearest(parent, parents)}"
            )
        if level not in words:
            raise DataError(
                f"{where}: level {level!r} of {code!r} is not in data/{FOLDER}/area_kinds.csv; {nearest(level, words)}"
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
