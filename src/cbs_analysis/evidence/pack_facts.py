"""What a pack was made from, beside its figures: its edition, its areas and their words, frozen in every notebook.

Pages read it out of the executed notebook, so that they cannot disagree with it. A pack displays it as
`application/vnd.cbs.pack+json`.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

from cbs_analysis.edition import Edition, Indicator
from cbs_analysis.errors import UserError, nearest
from cbs_analysis.geography import Geography

MIME = "application/vnd.cbs.pack+json"


@dataclass(frozen=True)
class LevelWords:
    """A level of a geography and the words for one area and for several of that level."""

    level: str
    singular: str
    plural: str


@dataclass(frozen=True)
class AreaFacts:
    """An area of the pack's geography. `members` are the codes one level down, `tile` its column and row on the tile
    map, where it has a place there.
    """

    code: str
    name: str
    level: str
    parent: str | None = None
    members: tuple[str, ...] = ()
    organisation_name: str = ""
    tile: tuple[int, int] | None = None

    @property
    def is_leaf(self) -> bool:
        return not self.members

    @property
    def is_whole(self) -> bool:
        return self.parent is None


@dataclass(frozen=True)
class GeographyFacts:
    """The pack's tree of areas. `levels` go from the leaves up. `nation` is the code and the name of the nation that
    areas are compared with, where there is one; it may be the tree's own whole.
    """

    name: str
    title: str
    year: int
    note: str
    levels: tuple[LevelWords, ...]
    areas: Mapping[str, AreaFacts] = field(repr=False)
    nation: tuple[str, str] | None = None

    def area(self, code: str) -> AreaFacts:
        """The area with this code. Raises UserError with the nearest codes where there is none."""
        if code not in self.areas:
            raise UserError(f"area: {code!r} is not an area code in geography {self.name}; {nearest(code, self.areas)}")
        return self.areas[code]

    @cached_property
    def whole(self) -> AreaFacts:
        return next(area for area in self.areas.values() if area.is_whole)

    @property
    def leaf_words(self) -> LevelWords:
        return self.levels[0]

    def words(self, level: str) -> LevelWords:
        return next(words for words in self.levels if words.level == level)

    def at_level(self, level: str) -> tuple[AreaFacts, ...]:
        return tuple(area for area in self.areas.values() if area.level == level)

    def leaves(self, code: str) -> tuple[str, ...]:
        """Codes of the leaf areas in this area; a leaf is its own."""
        members = self.area(code).members
        return tuple(leaf for member in members for leaf in self.leaves(member)) if members else (code,)

    def ancestors(self, code: str) -> tuple[AreaFacts, ...]:
        """The areas this one lies in, nearest first."""
        parent = self.area(code).parent
        return (self.area(parent), *self.ancestors(parent)) if parent else ()

    def in_reading_order(self, area: AreaFacts) -> list[AreaFacts]:
        """An area's members: leaves by name, groups as the geography lists them."""
        members = [self.area(code) for code in area.members]
        all_leaves = all(member.is_leaf for member in members)
        return sorted(members, key=lambda member: member.name) if all_leaves else members


@dataclass(frozen=True)
class EditionFacts:
    """The pack's edition. `periods` say what each period covers, by what it is a period of; `chapters` are in the order
    of the pack, `indicators` all that the edition knows, names by their ids. `previous` is the edition before.
    """

    name: str
    title: str
    prospectus_year: str
    periods: Mapping[str, str]
    chapters: tuple[str, ...]
    indicators: Mapping[str, str]
    notes: tuple[str, ...] = ()
    previous: str | None = None


@dataclass(frozen=True)
class PackFacts:
    """What an executed notebook knows of its pack: which area, in which edition, of which geography."""

    area_code: str
    edition: EditionFacts
    geography: GeographyFacts

    @property
    def sentence(self) -> str:
        return f"{self.geography.area(self.area_code).name}: {self.edition.title}."

    def to_json(self) -> dict[str, Any]:
        """The facts as JSON types. What has an order is a list: a notebook's keys are sorted when it is saved."""
        facts = asdict(self)
        edition, geography = facts["edition"], facts["geography"]
        ordered = {name: [list(pair) for pair in edition[name].items()] for name in ("periods", "indicators")}
        areas = list(geography["areas"].values())
        return {**facts, "edition": {**edition, **ordered}, "geography": {**geography, "areas": areas}}

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> "PackFacts":
        """The facts of `to_json`. Raises KeyError or TypeError where they are not whole."""
        geography, edition = facts["geography"], facts["edition"]
        areas = [
            AreaFacts(**{**area, "members": tuple(area["members"]), "tile": area["tile"] and tuple(area["tile"])})
            for area in geography["areas"]
        ]
        nation = geography["nation"] and tuple(geography["nation"])
        levels = tuple(LevelWords(**words) for words in geography["levels"])
        by_code = {area.code: area for area in areas}
        lists = {name: tuple(edition[name]) for name in ("chapters", "notes")}
        mappings = {name: dict(edition[name]) for name in ("periods", "indicators")}
        return cls(
            facts["area_code"],
            EditionFacts(**{**edition, **lists, **mappings}),
            GeographyFacts(**{**geography, "areas": by_code, "levels": levels, "nation": nation}),
        )


def pack_facts(
    area_code: str, edition: Edition, geography: Geography, indicators: Mapping[str, Indicator]
) -> PackFacts:
    """The facts of an open pack."""
    areas = {
        code: AreaFacts(
            code,
            area.name,
            area.level,
            area.parent,
            tuple(area.members),
            area.organisation_name or area.name,
            area.tile,
        )
        for code, area in geography.areas.items()
    }
    words = {area.level: area for area in geography.areas.values()}
    periods = {name.replace("_", " ").capitalize(): edition.period(name).label for name in edition.periods}
    chapters = edition.chapters_at(geography.name, geography.area(area_code).level)
    return PackFacts(
        area_code,
        EditionFacts(
            edition.name, edition.title, edition.prospectus_year, periods, chapters,
            {key: item.name for key, item in indicators.items()}, tuple(edition.notes), edition.previous,
        ),
        GeographyFacts(
            geography.name, geography.title, geography.year, geography.note,
            tuple(LevelWords(level, words[level].level_name, words[level].level_plural) for level in geography.levels),
            areas, (geography.nation.code, geography.nation.name) if geography.nation else None,
        ),
    )  # fmt: skip
