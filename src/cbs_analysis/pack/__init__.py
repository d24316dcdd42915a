"""A pack: one area in one edition, with the figures that its chapters read.

Every notebook starts with `pack = open_pack(area_code, edition, tables)`. A pack reads each table once, checks it on
the way in, and knows which areas its own is compared with.
"""

import sys
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar, cast

import pandas as pd

from cbs_analysis import tables as tables_room
from cbs_analysis.edition import Definitions, Edition, Indicator, SeriesDefinition, load_edition, load_indicators
from cbs_analysis.edition import load_series as load_series_definitions
from cbs_analysis.errors import UserError
from cbs_analysis.evidence import pack_facts
from cbs_analysis.geography import Area, Geography, load_geography
from cbs_analysis.home import data_dir, params_dir
from cbs_analysis.periods import Period
from cbs_analysis.tables import declared
from cbs_analysis.tables.descriptions import TableDescription, table_description, table_descriptions

Made = TypeVar("Made")
EXAMPLES = {"area_code": "5E1", "edition": "2011-12"}


@dataclass
class Pack:
    """One area in one edition."""

    area: Area
    edition: Edition
    geography: Geography
    indicators: "Definitions[Indicator]"
    series_definitions: "Definitions[SeriesDefinition]"
    data: Path
    declared: frozenset[str] | None = None
    everyones: "Pack | None" = field(default=None, repr=False)
    _tables: dict[str, pd.DataFrame] = field(default_factory=dict, repr=False)
    _made: dict[Hashable, object] = field(default_factory=dict, repr=False)

    def read(self, table: str) -> pd.DataFrame:
        """A table, read and checked once. Do not change it in place.

        Raises DataError where it does not pass, UndeclaredSourceError where the notebook did not declare it.
        """
        self.must_declare(table)
        if table not in self._tables:
            self._tables[table] = tables_room.read(table, self.data)
        return self._tables[table]

    def about(self, table: str) -> TableDescription:
        """The description of a table. Raises UserError with the nearest names where there is none."""
        return table_description(table, self.data)

    def has(self, table: str) -> bool:
        """Whether the home describes a table of this name."""
        return any(about.table == table for about in table_descriptions(self.data))

    def must_declare(self, table: str) -> None:
        """Raises UndeclaredSourceError where the notebook is held to its tables and did not declare this one."""
        if self.declared is not None:
            declared.check(table, self.declared)

    def once(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """What `make` gives, made the first time this key is asked for. Do not change it in place."""
        if key not in self._made:
            self._made[key] = make()
        return cast(Made, self._made[key])

    @property
    def common(self) -> "Pack":
        """The pack of the geography's whole, which every pack of the edition that reads the same tables shares while
        this process lasts: what does not depend on the area is made there, once.
        """
        return self.everyones or self

    def period(self, name: str) -> Period:
        """The edition's period of this name. Raises UserError where it gives none."""
        return self.edition.period(name)

    @cached_property
    def above(self) -> tuple[Area, ...]:
        """The comparators that the area is part of: its group, the whole, the nation where there is one."""
        return tuple(area for area in self.comparators if area is not self.similar)

    @cached_property
    def comparators(self) -> tuple[Area, ...]:
        """What the area is compared with, where there is any: its group, similar areas, the whole, the nation."""
        return self.geography.comparators(self.area.code)

    @cached_property
    def similar(self) -> Area | None:
        """The group of the area's statistical neighbours, where it has one."""
        return next((area for area in self.comparators if area.code in self.geography.groups), None)

    @cached_property
    def headline(self) -> Area | None:
        """The comparator that messages are about: the geography's whole, or the nation for the whole itself."""
        whole = self.geography.whole
        if not self.area.is_whole:
            return whole
        return self.comparators[0] if self.comparators else None

    @cached_property
    def peers(self) -> tuple[Area, ...]:
        """Every leaf area of the geography."""
        return self.geography.peers

    @cached_property
    def beside(self) -> tuple[Area, ...]:
        """Areas to set side by side: for a leaf all its peers; for a group its members; for the whole both levels."""
        if self.area.is_leaf:
            return self.peers
        members = tuple(self.geography.area(code) for code in self.area.members)
        if all(member.is_leaf for member in members):
            return members
        return (*members, *self.peers) if self.area.is_whole else members

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        """What pages need to know of the pack beside its findings, and one sentence to read."""
        facts = pack_facts.pack_facts(self.area.code, self.edition, self.geography, self.indicators)
        return {"text/plain": facts.sentence, pack_facts.MIME: facts.to_json()}


def open_pack(area_code: str, edition: str, tables: Sequence[str] | None = None) -> Pack:
    """The pack of this area in this edition, which reads these tables and no other; None for any.

    In a notebook the whole kernel is held to them. Raises UserError naming the nearest valid value where the area, the
    edition or a table is not known or not text, UndeclaredSourceError where a notebook of the batch names others than
    its `tables`.
    """
    check_are_text(area_code=area_code, edition=edition)
    params, data = params_dir(), data_dir()
    declared.check_list(tables)
    if tables is not None:
        for table in tables:
            table_description(table, data)
        if _is_notebook():
            declared.hold_to(tables, data)
    choices = load_edition(edition, params)
    common = _common(choices, _geography_of(area_code, choices, data), None if tables is None else frozenset(tables))
    return replace(common, area=common.geography.area(area_code), everyones=common, _made={})


def check_are_text(**parameters: object) -> None:
    """Raises UserError where a notebook's parameter is not text: Papermill's -p makes a number of the code 5E1."""
    for name, value in parameters.items():
        if not isinstance(value, str):
            kind = "a number" if isinstance(value, int | float) and not isinstance(value, bool) else "not text"
            raise UserError(
                f"{name}: {repr(value)[:60]} arrived as {kind} ({type(value).__name__}), expected text: with Papermill "
                f"write -r {name} {EXAMPLES[name]} instead of -p, in the notebook write it in quotes"
            )


def geographies(edition: Edition, data: Path) -> tuple[Geography, ...]:
    """The geographies of an edition, its own first. Raises UserError where two of them share an area's code."""
    named_in = f"params/editions/{edition.name}.yml: "
    loaded = tuple(load_geography(name, data, named_in) for name in edition.geographies)
    owners: dict[str, str] = {}
    for geography in loaded:
        for code in geography.areas:
            if code in owners:
                raise UserError(f"{named_in}geographies: {code!r} is in both {owners[code]} and {geography.name}")
            owners[code] = geography.name
    return loaded


def known_area(code: str, trees: Sequence[Geography]) -> Area:
    """The area of one of an edition's geographies. Raises UserError with the nearest codes where none has it."""
    return next((tree.areas[code] for tree in trees if code in tree.areas), None) or trees[0].area(code)


def _geography_of(area_code: str, edition: Edition, data: Path) -> str:
    """The name of the edition's geography that has the area; of the first, which says what is near, if none has."""
    loaded = geographies(edition, data)
    return next((each.name for each in loaded if area_code in each.areas), loaded[0].name)


_opened: dict[tuple[str, str, frozenset[str] | None], tuple[object, Pack]] = {}


def _common(edition: Edition, geography: str, declared_tables: frozenset[str] | None) -> Pack:
    """The pack of the whole that others share, opened again when a file of the parameters or figures has changed."""
    from cbs_analysis.pack.similar_areas import groups_of_similar_areas

    params, data = params_dir(), data_dir()
    stamps = tables_room.stamp(params), tables_room.stamp(data)
    key = edition.name, geography, declared_tables
    known, pack = _opened.get(key, (None, None))
    if pack is None or known != stamps:
        tree = load_geography(geography, data)
        pack = Pack(
            tree.whole, edition, tree, load_indicators(params, edition), load_series_definitions(params, edition), data
        )
        with declared.lifted():
            pack.geography = tree.with_groups(groups_of_similar_areas(pack))
        pack = replace(pack, declared=declared_tables, _made={})
        if all(map(tables_room.is_settled, stamps)):
            _opened[key] = stamps, pack
    return pack


def _is_notebook() -> bool:
    return {"ipykernel", "IPython"} <= sys.modules.keys() and sys.modules["IPython"].get_ipython() is not None
