"""An edition: one data cut and set of choices for one prospectus year, checked before anything runs.

Read from `params/editions/<name>.yml`, with the indicators of `params/indicators.yml` and the series of
`params/series.yml`, which an edition may add to or override. Definitions name periods (`$activity`), and the
edition gives them.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from cbs_analysis.errors import UserError, nearest
from cbs_analysis.parameters import keyed, read_keys, validated
from cbs_analysis.periods import APRIL, Period, parse_period

Polarity = Literal["high is good", "low is good", "none"]
Function = Literal["strategic planning", "care pathway management", "provider management", "monitoring"]
MONTHS = ("January", "February", "March", "April", "May", "June",
          "July", "August", "September", "October", "November", "December")  # fmt: skip
_OLDER = ("geography", "activity_year", "population_year", "emergency_year")
Named = TypeVar("Named", bound=str)
Defined = TypeVar("Defined", bound="Params")


def _once(names: tuple[Named, ...], noun: str) -> tuple[Named, ...]:
    if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise ValueError(f"{twice[0]!r} is duplicated; each {noun} belongs once")
    return names


def _text(value: Any) -> Any:
    """A year that YAML reads as a number is meant as text."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


PeriodText = Annotated[str, BeforeValidator(_text)]


class Params(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SimilarAreas(Params):
    """How many leaf areas each is compared with as its statistical neighbours, and in which features they are alike:
    names of `pack.similar_areas.FEATURES`.
    """

    count: int = Field(ge=1)
    features: tuple[str, ...] = Field(min_length=1)

    @field_validator("features")
    @classmethod
    def _each_once(cls, features: tuple[str, ...]) -> tuple[str, ...]:
        return _once(features, "feature")


class DeprivationRanks(Params):
    """Where small areas are ranked by deprivation: a table, and its column of ranks, 1 the most deprived."""

    table: str
    rank: str


class OfferedChapter(Params):
    """A chapter of an edition, and where it is offered: at these levels of these geographies, or at all."""

    name: str
    geographies: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value

    def is_offered(self, geography: str, level: str) -> bool:
        return (not self.geographies or geography in self.geographies) and (not self.levels or level in self.levels)


class Edition(Params):
    """What one run of the batch is asked to make. `name` is the file's own name, `previous` that of the edition before,
    which packs say what has changed since. The first geography is the one that the edition is about. `service_view` is
    the treatment function that benchmarking looks at closely; `year_starts` the first month of a financial year.
    """

    name: str
    title: str
    prospectus_year: PeriodText
    geographies: tuple[str, ...] = Field(min_length=1)
    chapters: tuple[OfferedChapter, ...] = Field(min_length=1)
    periods: dict[str, PeriodText] = Field(min_length=1)
    year_starts: int = Field(default=APRIL, ge=1, le=12)
    plausible_share: float = Field(default=0.667, gt=0, lt=1)
    similar_areas: SimilarAreas | None = None
    deprivation: DeprivationRanks | None = None
    service_view: str | None = Field(default=None, pattern=r"^\d{3}$")
    notes: tuple[str, ...] = ()
    previous: str | None = None
    indicators: dict[str, dict[str, Any]] = Field(default_factory=dict)
    series: dict[str, dict[str, Any]] = Field(default_factory=dict)

    @field_validator("year_starts", mode="before")
    @classmethod
    def _month(cls, value: Any) -> Any:
        return MONTHS.index(value) + 1 if value in MONTHS else value

    @field_validator("geographies")
    @classmethod
    def _each_geography_once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return _once(names, "geography")

    @model_validator(mode="after")
    def _sound(self) -> Self:
        _once(self.chapter_names, "chapter")
        for name, text in self.periods.items():
            if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
                raise ValueError(f"periods: {name!r} is not a name of small letters, digits and underscores")
            try:
                parse_period(text, self.year_starts)
            except ValueError as error:
                raise ValueError(f"periods: {name}: {error}") from None
        for chapter in self.chapters:
            for geography in chapter.geographies:
                if geography not in self.geographies:
                    raise ValueError(
                        f"chapters: {chapter.name}: geography {geography!r} is not among the edition's; "
                        f"{nearest(geography, self.geographies)}"
                    )
        return self

    @property
    def geography(self) -> str:
        """The name of the geography that the edition is about."""
        return self.geographies[0]

    @property
    def chapter_names(self) -> tuple[str, ...]:
        return tuple(chapter.name for chapter in self.chapters)

    def chapters_at(self, geography: str, level: str) -> tuple[str, ...]:
        """The chapters offered to the areas of a level of a geography."""
        return tuple(chapter.name for chapter in self.chapters if chapter.is_offered(geography, level))

    def period(self, name: str) -> Period:
        """The period that the edition gives this name. Raises UserError where it gives none."""
        if name not in self.periods:
            raise UserError(
                f"params/editions/{self.name}.yml: periods: {name!r} is needed and not given; "
                f"{nearest(name, self.periods)}"
            )
        return parse_period(self.periods[name], self.year_starts)

    def words(self) -> dict[str, str]:
        """What definitions may name: `$activity` as it is printed, `$activity_span` its months and `$activity_words`
        its years in words, `$activity_year` the calendar year in which it begins.
        """
        words: dict[str, str] = {}
        for name in self.periods:
            period = self.period(name)
            in_words = re.sub(r"(\d{4})-(\d{4})", r"\1 to \2", period.label)
            words |= {name: period.label, f"{name}_span": period.span, f"{name}_words": in_words}
            if period.start is not None:
                words[f"{name}_year"] = str(period.year)
        return words


class Measure(Params):
    """How a value is read and judged. `decimals` is for reading; numbers in findings are never rounded."""

    name: str
    unit: str
    per: int = 1
    decimals: int = Field(ge=0, le=6)
    polarity: Polarity = "none"
    interval: Literal["estimate", "complete count", "not published"] = "estimate"


class Indicator(Measure):
    """A measure with a definition and an id, one row of every pack's indicator table. `also_called` are other words by
    which a reader may look for it.
    """

    id: str
    short_name: str
    also_called: tuple[str, ...] = ()
    numerator: str
    denominator: str
    method: str
    sources: tuple[str, ...]
    period: str
    definition: str


class SeriesDefinition(Params):
    """One measure of one table over time: the columns added up, what is counted, the kind of day that it runs by, the
    indicators of its rate and of its forecast, and what to know of it. `name` and `noun` are for titles and sentences.
    """

    id: str
    table: str
    measures: tuple[str, ...] = Field(min_length=1)
    name: str
    noun: str
    day: Literal["working day", "calendar day"] = "calendar day"
    rate: str | None = None
    forecast: str | None = None
    polarity: Polarity = "none"
    caveats: tuple[str, ...] = ()


class Definitions(dict[str, Defined]):
    """Definitions by id. One that is not here is a UserError that says why: unknown, or of a period not given."""

    def __init__(self, noun: str, file: str, values: Mapping[str, Any], lacking: Mapping[str, str]) -> None:
        super().__init__(values)
        self._noun, self._file, self._lacking = noun, file, lacking

    def __missing__(self, key: str) -> Any:
        if key in self._lacking:
            raise UserError(f"{self._file}, {key}: names the period {self._lacking[key]!r}, which the edition lacks")
        raise UserError(f"{self._file}: no {self._noun} {key!r}; {nearest(key, self)}")

    def __reduce__(self) -> Any:
        return type(self), (self._noun, self._file, dict(self), dict(self._lacking))


def edition_names(params: Path) -> list[str]:
    return sorted(path.stem for path in (params / "editions").glob("*.yml"))


def first_edition(params: Path) -> str:
    """The first edition by name: the one that is meant where none is named. Raises UserError where there is none."""
    if not (names := edition_names(params)):
        raise UserError("params/editions holds no edition; start a home with cbs init, or write one")
    return names[0]


def load_edition(name: str, params: Path) -> Edition:
    """The edition of this name. Raises UserError naming the file, the key and the nearest valid value."""
    if name not in (names := edition_names(params)):
        raise UserError(f"edition: {name!r} is not in params/editions; {nearest(name, names)}")
    file = f"params/editions/{name}.yml"
    values = read_keys(params, f"editions/{name}.yml")
    if older := [key for key in _OLDER if key in values]:
        raise UserError(
            f"{file}: {', '.join(older)}: keys of an older layout; write geographies: [{values.get('geography')}] "
            "and periods: with a name for each, such as activity: 2010/11"
        )
    edition = validated(Edition, {"name": name, **values}, file)
    others = [other for other in names if other != name]
    if edition.previous is not None and edition.previous not in others:
        raise UserError(
            f"{file}: previous: {edition.previous!r} is not another edition of params/editions; "
            f"{nearest(edition.previous, others)}"
        )
    return edition


def load_indicators(params: Path, edition: Edition) -> "Definitions[Indicator]":
    """Every indicator of an edition by id, in the order of the file, with the edition's periods filled in.

    Those that name a period which the edition does not give are left out; asking for one says so.
    """
    return _definitions(Indicator, "indicator", params, edition, edition.indicators)


def load_series(params: Path, edition: Edition) -> "Definitions[SeriesDefinition]":
    """Every series of an edition by id, in the order of the file."""
    return _definitions(SeriesDefinition, "series", params, edition, edition.series)


def _definitions(
    model: type[Defined], noun: str, params: Path, edition: Edition, own: Mapping[str, Mapping[str, Any]]
) -> "Definitions[Defined]":
    name = "series.yml" if noun == "series" else f"{noun}s.yml"
    file = f"params/{name}"
    shared = read_keys(params, name) if (params / name).exists() else {}
    words = edition.words()
    known: dict[str, Any] = {}
    lacking: dict[str, str] = {}
    for key in dict.fromkeys([*shared, *own]):
        where = f"{file}, {key}" if key not in own else f"params/editions/{edition.name}.yml: {name[:-4]}, {key}"
        values = {"id": key, **keyed(shared.get(key, {}), where), **keyed(own.get(key, {}), where)}
        if missing := _missing_period(values, words):
            lacking[key] = missing
        else:
            known[key] = validated(model, _filled(values, words), where)
    return Definitions(noun, file, known, lacking)


def _missing_period(values: Any, words: Mapping[str, str]) -> str:
    """The first period that a text names and the edition does not give."""
    names = (name for text in _texts(values) for name in _named(text))
    return next((name for name in names if name not in words), "")


def _named(text: str) -> list[str]:
    return [match["named"] or match["braced"] for match in Template.pattern.finditer(text)
            if match["named"] or match["braced"]]  # fmt: skip


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for part in value.values() for text in _texts(part)]
    if isinstance(value, list):
        return [text for part in value for text in _texts(part)]
    return [value] if isinstance(value, str) else []


def _filled(value: Any, words: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(part, words) for key, part in value.items()}
    if isinstance(value, list):
        return [_filled(part, words) for part in value]
    return Template(value).safe_substitute(words) if isinstance(value, str) else value
