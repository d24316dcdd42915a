"""The truths of a synthetic London, as `params/simulation/world.yml` states them, and the codes beside them.

Read and checked before anything is made: an unknown key, a value out of range or a code that nothing knows is one
line that names the file and the key.
"""

from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, Field

from cbs_analysis.edition import Params
from cbs_analysis.errors import UserError, nearest
from cbs_analysis.parameters import read_keys, validated

AgeBand = Literal["0-4", "5-18", "19-44", "45-64", "65-74", "75-84", "85+"]
AGE_BANDS: tuple[AgeBand, ...] = ("0-4", "5-18", "19-44", "45-64", "65-74", "75-84", "85+")
Fifth = Annotated[int, Field(ge=1, le=5)]
FIFTHS = (1, 2, 3, 4, 5)
Use = Literal["elective", "emergency", "outpatient", "attendance"]
Planned = Literal["elective", "emergency", "outpatient"]
Stay = Literal["elective", "emergency"]
Kind = Literal["elective", "day_case", "emergency"]
Measure = Literal["length_of_stay", "day_case", "readmission", "follow_up"]
MEASURES: tuple[Measure, ...] = ("length_of_stay", "day_case", "readmission", "follow_up")
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Age = Annotated[int, Field(ge=0, le=120)]
Treatment = Annotated[int, Field(ge=100, le=999)]


def _each_of(keys: tuple[Any, ...]) -> AfterValidator:
    """A mapping that must have a value for each of these keys."""

    def check(values: dict[Any, Any]) -> dict[Any, Any]:
        if missing := [key for key in keys if key not in values]:
            raise ValueError(f"has no value for {missing[0]!r}; each of {', '.join(map(str, keys))} needs one")
        return values

    return AfterValidator(check)


EACH_USE = _each_of(get_args(Use))
EACH_STAY = _each_of(get_args(Stay))
EACH_FIFTH = _each_of(FIFTHS)
EACH_MEASURE = _each_of(MEASURES)
ByAge = Annotated[dict[AgeBand, float], _each_of(AGE_BANDS)]
ByFifth = Annotated[dict[Fifth, float], EACH_FIFTH]
MonthText = Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")]
Week = Annotated[tuple[NotNegative, ...], Field(min_length=7, max_length=7)]
Sex = Literal["male", "female"]


class People(Params):
    """Who lives in a PCT beside what is published: practices, and the risk of care."""

    persons_per_practice: int = Field(gt=0)
    frailty_shape: Positive
    history_share: Share
    risk_by_age: Annotated[dict[Use, dict[Age, NotNegative]], EACH_USE]
    risk_by_deprivation: Annotated[dict[Use, Annotated[dict[Fifth, Positive], EACH_FIFTH]], EACH_USE]
    childbearing: Annotated[dict[Use, Positive], EACH_USE]


class Specialist(Params):
    treats: tuple[Treatment, ...]
    beds: Positive
    reach: Positive
    emergencies: NotNegative


class Outside(Params):
    code: str
    at_middle: Share
    at_edge: Share
    middle: tuple[float, float]


class Providers(Params):
    """Which trust treats whom: distance, beds and specialism."""

    places: dict[str, str]
    reach: Annotated[dict[Planned, Positive], _each_of(get_args(Planned))]
    pull_of_beds: NotNegative
    spread_by_specialty: NotNegative
    only_at: dict[Treatment, tuple[str, ...]]
    specialists: dict[str, Specialist]
    outside: Outside
    emergency_readmitted_to_same: Share


class Effects(Params):
    """True effects of providers by measure: as stated, or drawn anew from the seed."""

    spread: Annotated[dict[Measure, NotNegative], EACH_MEASURE]
    drawn: bool = False
    outliers_drawn: int = Field(ge=0)
    outliers_from_to: tuple[float, float]
    values: Annotated[dict[Measure, dict[str, float]], EACH_MEASURE]


class Outcome(Params):
    """What is added on the scale of an outcome for a person unlike the reference person."""

    age: ByAge
    women: float = 0.0
    deprivation: ByFifth = Field(default_factory=lambda: dict.fromkeys(FIFTHS, 0.0))


class LengthOfStay(Outcome):
    shape: Annotated[dict[Stay, Positive], EACH_STAY]
    longest: int = Field(gt=0, le=366)


class Readmission(Outcome):
    intercept: Annotated[dict[Kind, float], _each_of(get_args(Kind))]
    history: float
    mean_days: Positive
    within_days: int = Field(ge=1)
    same_subchapter: Share


class Death(Outcome):
    intercept: Annotated[dict[Stay, float], EACH_STAY]


class Calendar(Params):
    elective: Week
    emergency: Week
    outpatient: Week


class Submission(Params):
    from_to: tuple[int, int]
    late_share: Share
    late_share_at: dict[str, Share]


class Spells(Params):
    procedure_share: Annotated[dict[Stay, Share], EACH_STAY]
    further_diagnosis_share: Share
    emergency_methods: dict[str, NotNegative]
    maternity_methods: dict[str, NotNegative]
    elective_methods: dict[str, NotNegative]


class Clinic(Params):
    share: Positive
    ages: str
    follow_ups: NotNegative


class Outpatients(Params):
    specialties: dict[Treatment, Clinic]
    not_seen: Annotated[dict[Literal["first", "follow_up"], Share], _each_of(("first", "follow_up"))]
    not_seen_status: dict[str, NotNegative]
    late_but_seen: Share
    follow_up_working_days: tuple[int, int]
    referral_days: tuple[int, int]
    procedure_share: Share
    procedures: dict[Treatment, tuple[str, ...]]


class Attendances(Params):
    others_for_each_admitted: NotNegative
    disposals: dict[str, NotNegative]
    categories: dict[str, NotNegative]
    by_ambulance: Annotated[dict[Literal["admitted", "others"], Share], _each_of(("admitted", "others"))]
    referral_sources: dict[str, NotNegative]
    minutes: Annotated[dict[Literal["admitted", "others"], Positive], _each_of(("admitted", "others"))]


class Errors(Params):
    """Planted errors: share of a feed's records by rule, and trusts that make more of them."""

    more_at: dict[str, Positive]
    apc: dict[str, Share]
    op: dict[str, Share]
    ae: dict[str, Share]


class Break(Params):
    feed: Literal["op", "ae"]
    provider: str
    months: tuple[MonthText, ...]
    share: Share


class Subchapter(Params):
    """What the HRGs of one subchapter are like; see `params/simulation/codes.yml`."""

    treats: dict[Treatment, Positive]
    ages: str
    nights: tuple[Positive, Positive]
    readmitted: float
    women: Annotated[float, Field(gt=0, lt=100)] = 50.0
    diagnoses: tuple[str, ...] = Field(min_length=1)
    procedures: tuple[str, ...] = ()


class Group(Params):
    """What HRGs that start with longer text have in place of their subchapter's."""

    sex: Sex | None = None
    from_: Age | None = Field(default=None, alias="from")
    to: Age | None = None
    diagnoses: tuple[str, ...] | None = None
    procedures: tuple[str, ...] | None = None


class Codes(Params):
    subchapters: dict[str, Subchapter]
    groups: dict[str, Group]
    further: dict[Age, tuple[str, ...]]


class World(Params):
    """All that is true of a synthetic London but what is published; see `params/simulation/world.yml`."""

    seed: int = Field(ge=0)
    people: People
    profiles: dict[str, dict[Age, NotNegative]]
    left_out: tuple[str, ...]
    providers: Providers
    effects: Effects
    length_of_stay: LengthOfStay
    day_case: Outcome
    readmission: Readmission
    death: Death
    growth: dict[Treatment, float]
    calendar: Calendar
    submission: Submission
    spells: Spells
    outpatients: Outpatients
    attendances: Attendances
    errors: Errors
    breaks: tuple[Break, ...]
    codes: Codes


def load_world(params: Path) -> World:
    """The world of `params/simulation`: world.yml, with codes.yml as its `codes`.

    Raises UserError, in one line, where a file cannot be read or a key or value of it is not right.
    """
    codes = validated(Codes, read_keys(params, "simulation/codes.yml"), "params/simulation/codes.yml")
    file = "params/simulation/world.yml"
    values = read_keys(params, "simulation/world.yml")
    if "codes" in values:
        raise UserError(f"{file}: unknown key 'codes'; they stand in params/simulation/codes.yml")
    world = validated(World, {**values, "codes": codes.model_dump(by_alias=True)}, file)
    _check_profiles(world)
    return world


def _check_profiles(world: World) -> None:
    named = [(f"codes.yml: subchapters.{code}", each.ages) for code, each in world.codes.subchapters.items()]
    clinics = world.outpatients.specialties
    named += [(f"world.yml: outpatients.specialties.{code}", each.ages) for code, each in clinics.items()]
    for where, profile in named:
        if profile not in world.profiles:
            raise UserError(
                f"params/simulation/{where}.ages: {profile!r} is no profile of world.yml; "
                f"{nearest(profile, world.profiles)}"
            )
