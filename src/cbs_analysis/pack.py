"""An open pack: one area in one edition, with the figures that its chapters read.

Every notebook starts with `pack = open_pack(area_code, edition, sources)`. A pack reads each source once, checks it on
the way in, and knows which areas stand beside its own.
"""

import sys
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TypeVar, cast

import pandas as pd

from cbs_analysis import tables
from cbs_analysis.edition import Edition, Indicator, load_edition, load_indicators
from cbs_analysis.evidence.wording import level_name
from cbs_analysis.geography import SIMILAR, Area, Geography, load_geography
from cbs_analysis.home import data_dir, params_dir
from cbs_analysis.tables import declared
from cbs_analysis.tables.catalogue import source

Made = TypeVar("Made")


@dataclass
class Pack:
    """One area in one edition."""

    area: Area
    edition: Edition
    geography: Geography
    indicators: dict[str, Indicator]
    data: Path
    declared: frozenset[str] | None = None
    everyones: "Pack | None" = field(default=None, repr=False)
    _tables: dict[str, pd.DataFrame] = field(default_factory=dict, repr=False)
    _made: dict[Hashable, object] = field(default_factory=dict, repr=False)

    def read(self, table: str) -> pd.DataFrame:
        """A source table, read and checked once. Do not change it in place.

        Raises DataError where it does not pass, UndeclaredSourceError where the notebook did not declare it.
        """
        self.must_declare(table)
        if table not in self._tables:
            self._tables[table] = tables.read(table, self.data)
        return self._tables[table]

    def must_declare(self, table: str) -> None:
        """Raises UndeclaredSourceError where the notebook is held to its sources and did not declare this one."""
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

    def keeper(self, code: str) -> "Pack":
        """The pack that keeps what is made of one area: the common one, or this one for its own group of similar
        areas.
        """
        return self if code == SIMILAR else self.common

    @cached_property
    def above(self) -> tuple[Area, ...]:
        """The comparators that the area is part of: its sector, London, England."""
        return self.geography.comparators(self.area.code)

    @cached_property
    def comparators(self) -> tuple[Area, ...]:
        """What the area is held against, where there is any: its sector, the areas most like it, London, England."""
        groups = [area for area in self.above if not area.is_whole]
        return (*groups, *([self.similar] if self.similar else []), *self.above[len(groups) :])

    @property
    def similar(self) -> Area | None:
        """The group of the areas most like the pack's own, where it has one."""
        return self.geography.areas.get(SIMILAR)

    def with_similar(self, members: Iterable[str]) -> "Pack":
        """The same pack, held against these leaves too, together, as the areas most like its own."""
        name = f"Similar {level_name(self.area.level, plural=True)}"
        return replace(self, geography=self.geography.with_similar(name, members), _made={})

    @cached_property
    def headline(self) -> Area | None:
        """The comparator that messages are about: the geography's whole, or England for the whole itself."""
        whole = self.geography.whole
        if not self.area.is_whole:
            return whole
        return self.comparators[0] if self.comparators else None

    @cached_property
    def peers(self) -> tuple[Area, ...]:
        """Every leaf area of the geography: the 31 PCTs of London."""
        return tuple(area for area in self.geography.areas.values() if area.is_leaf)

    @cached_property
    def beside(self) -> tuple[Area, ...]:
        """Areas to set side by side: for a leaf all its peers; for a group its members; for the whole both levels."""
        if self.area.is_leaf:
            return self.peers
        members = tuple(self.geography.area(code) for code in self.area.members)
        return (*members, *self.peers) if self.area.is_whole else members


def open_pack(area_code: str, edition: str, tables: Sequence[str] | None = None) -> Pack:
    """The pack of this area in this edition, which reads these source tables and no other; None for any.

    In a notebook the whole kernel is held to them. Raises UserError naming the nearest valid value where the area, the
    edition or a table is not known, UndeclaredSourceError where a notebook of the batch names others than its
    `sources`.
    """
    params, data = params_dir(), data_dir()
    declared.check_list(tables)
    if tables is not None:
        for table in tables:
            source(table, data)
        if _is_notebook():
            declared.hold_to(tables, data)
    common = _common(edition, None if tables is None else frozenset(tables), params, data)
    return replace(common, area=common.geography.area(area_code), everyones=common, _made={})


_opened: dict[tuple[str, frozenset[str] | None], tuple[object, Pack]] = {}


def _common(edition: str, declared: frozenset[str] | None, params: Path, data: Path) -> Pack:
    """The pack of the whole that others share, opened anew when a file of the parameters or figures has changed."""
    stamps = tables.stamp(params), tables.stamp(data)
    known, pack = _opened.get((edition, declared), (None, None))
    if pack is None or known != stamps:
        choices = load_edition(edition, params)
        geography = load_geography(choices.geography, data, f"params/editions/{edition}.yml: ")
        pack = Pack(geography.whole, choices, geography, load_indicators(params), data, declared)
        if all(map(tables.is_settled, stamps)):
            _opened[edition, declared] = stamps, pack
    return pack


def _is_notebook() -> bool:
    return {"ipykernel", "IPython"} <= sys.modules.keys() and sys.modules["IPython"].get_ipython() is not None
