"""An edition: one data cut, one geography and one set of choices for one prospectus year, checked before anything runs.

Read from `params/editions/<name>.yml`, with the indicator definitions of `params/indicators.yml` and an area's own
priorities from `params/areas/<code>.yml`.
"""

from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

from cbs_analysis.errors import UserError, nearest
from cbs_analysis.parameters import keyed, read_keys, validated


def _consecutive(year: str) -> str:
    if (int(year[:4]) + 1) % 100 != int(year[5:]):
        raise ValueError(f"a financial year is two years that follow, like {year[:4]}/{(int(year[:4]) + 1) % 100:02d}")
    return year


FinancialYear = Annotated[str, Field(pattern=r"^\d{4}/\d{2}$"), AfterValidator(_consecutive)]
Polarity = Literal["high is good", "low is good", "none"]
Function = Literal["strategic planning", "care pathway management", "provider management", "monitoring"]


Named = TypeVar("Named", bound=str)


def _once(names: tuple[Named, ...], noun: str) -> tuple[Named, ...]:
    if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise ValueError(f"{twice[0]!r} stands twice; each {noun} belongs once")
    return names


class Params(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


Feature = Literal[
    "aged_0_4_pct",
    "aged_20_34_pct",
    "aged_65_plus_pct",
    "aged_85_plus_pct",
    "births_per_1000",
    "most_deprived_fifth_pct",
]


class SimilarAreas(Params):
    """How many leaf areas each is held against as those most like it, and in what they are to be alike."""

    count: int = Field(ge=1)
    features: tuple[Feature, ...] = Field(min_length=1)

    @field_validator("features")
    @classmethod
    def _each_once(cls, features: tuple[Feature, ...]) -> tuple[Feature, ...]:
        return _once(features, "feature")


class Edition(Params):
    """What one run of the batch is asked to make. `name` is the file's own name, `previous` that of the edition before,
    which packs say what has changed since; `service_view` the treatment function that benchmarking looks at closely.
    """

    name: str
    title: str
    prospectus_year: FinancialYear
    geography: str
    chapters: tuple[str, ...] = Field(min_length=1)
    activity_year: FinancialYear
    population_year: int
    emergency_year: FinancialYear
    plausible_share: float = Field(gt=0, lt=1)
    similar_areas: SimilarAreas | None = None
    service_view: str | None = Field(default=None, pattern=r"^\d{3}$")
    notes: tuple[str, ...] = ()
    previous: str | None = None

    @field_validator("chapters")
    @classmethod
    def _each_once(cls, chapters: tuple[str, ...]) -> tuple[str, ...]:
        return _once(chapters, "chapter")


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


class LocalCommentary(Params):
    """What an area says for itself; shown as its own words, never mixed with the evidence."""

    priorities: tuple[str, ...] = ()
    commentary: str = ""


def edition_names(params: Path) -> list[str]:
    return sorted(path.stem for path in (params / "editions").glob("*.yml"))


def load_edition(name: str, params: Path) -> Edition:
    """The edition of this name. Raises UserError naming the file, the key and the nearest valid value."""
    if name not in (names := edition_names(params)):
        raise UserError(f"edition: {name!r} is not in params/editions; {nearest(name, names)}")
    file = f"params/editions/{name}.yml"
    edition = validated(Edition, {"name": name, **read_keys(params, f"editions/{name}.yml")}, file)
    others = [other for other in names if other != name]
    if edition.previous is not None and edition.previous not in others:
        raise UserError(
            f"{file}: previous: {edition.previous!r} is no other edition of params/editions; "
            f"{nearest(edition.previous, others)}"
        )
    return edition


def load_indicators(params: Path) -> dict[str, Indicator]:
    """Every indicator by id, in the order of the file."""
    file, values = "params/indicators.yml", read_keys(params, "indicators.yml")
    return {
        key: validated(Indicator, {"id": key, **keyed(value, f"{file}, {key}")}, f"{file}, {key}")
        for key, value in values.items()
    }


def load_commentary(code: str, params: Path) -> LocalCommentary:
    """An area's own priorities and commentary; empty where it has no file."""
    name = f"areas/{code}.yml"
    if not (params / name).exists():
        return LocalCommentary()
    return validated(LocalCommentary, read_keys(params, name), f"params/{name}")
