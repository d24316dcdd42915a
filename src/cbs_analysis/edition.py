"""An edition: one data cut, one geography and one set of choices for one prospectus year, checked before anything runs.

Read from `params/editions/<name>.yml`, with the indicator definitions of `params/indicators.yml` and an area's own
priorities from `params/areas/<code>.yml`.
"""

from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator

from cbs_analysis.errors import UserError, nearest


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


Model = TypeVar("Model", bound=Params)


def edition_names(params: Path) -> list[str]:
    return sorted(path.stem for path in (params / "editions").glob("*.yml"))


def load_edition(name: str, params: Path) -> Edition:
    """The edition of this name. Raises UserError naming the file, the key and the nearest valid value."""
    if name not in (names := edition_names(params)):
        raise UserError(f"edition: {name!r} is not in params/editions; {nearest(name, names)}")
    file, values = f"params/editions/{name}.yml", _mapping(params / "editions" / f"{name}.yml")
    edition = _validated(Edition, {"name": name, **values}, file)
    others = [other for other in names if other != name]
    if edition.previous is not None and edition.previous not in others:
        raise UserError(
            f"{file}: previous: {edition.previous!r} is no other edition of params/editions; "
            f"{nearest(edition.previous, others)}"
        )
    return edition


def load_indicators(params: Path) -> dict[str, Indicator]:
    """Every indicator by id, in the order of the file."""
    file, values = "params/indicators.yml", _mapping(params / "indicators.yml")
    return {
        key: _validated(Indicator, {"id": key, **_keyed(value, f"{file}, {key}")}, f"{file}, {key}")
        for key, value in values.items()
    }


def load_commentary(code: str, params: Path) -> LocalCommentary:
    """An area's own priorities and commentary; empty where it has no file."""
    path = params / "areas" / f"{code}.yml"
    return (
        _validated(LocalCommentary, _mapping(path), f"params/areas/{code}.yml") if path.exists() else LocalCommentary()
    )


def _mapping(path: Path) -> dict[str, Any]:
    shown = f"params/{path.relative_to(path.parents[1])}" if path.parent.name != "params" else f"params/{path.name}"
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{shown} cannot be read: {error.strerror}") from None
    except yaml.MarkedYAMLError as error:
        where = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise UserError(f"{shown}{where}: not readable as YAML: {error.problem}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{shown}: not readable as YAML: {' '.join(str(error).split())}") from None
    return _keyed(values, shown)


def _keyed(values: Any, shown: str) -> dict[str, Any]:
    if values is None:
        raise UserError(f"{shown}: is empty; it must be keys with values")
    if not isinstance(values, dict):
        raise UserError(f"{shown}: must be keys with values, not {values!r}")
    return values


def _validated(model: type[Model], values: dict[str, Any], shown: str) -> Model:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first, *rest = sorted(error.errors(), key=lambda found: found["type"] != "extra_forbidden")
        key = ".".join(str(part) for part in first["loc"])
        more = f" (and {len(rest)} more)" if rest else ""
        if first["type"] == "extra_forbidden":
            raise UserError(f"{shown}: unknown key {key!r}; {nearest(key, model.model_fields)}{more}") from None
        if first["type"] == "tuple_type":
            raise UserError(
                f"{shown}: {key}: must be a list, each line starting with '- ', not {first['input']!r}{more}"
            ) from None
        given = f", not {first['input']!r}" if first["type"] != "missing" else ""
        if key.endswith("_year") and first["type"] in ("string_type", "string_pattern_mismatch"):
            raise UserError(f"{shown}: {key}: a financial year is written like 2010/11{given}{more}") from None
        raise UserError(f"{shown}: {key}: {first['msg'].lower()}{given}{more}") from None
