"""The parameters of the simulated records: `params/simulation/world.yml`, with the lists of codes of `codes.yml`.

Which published figures the records are calibrated to, and everything that is true of the simulated patients and
providers beside them. All of it is read and checked before anything is made: an unknown key, a value out of range or
an unknown code is one line that names the file and the key.
"""

from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, Field

from cbs_analysis.edition import Params
from cbs_analysis.errors import UserError, nearest
from cbs_analysis.parameters import read_keys, validated

FOLDER = "simulation"
WORLD_FILE, CODES_FILE = f"params/{FOLDER}/world.yml", f"params/{FOLDER}/codes.yml"

AgeBand = Literal["0-4", "5-18", "19-44", "45-64", "65-74", "75-84", "85+"]
AGE_BANDS: tuple[AgeBand, ...] = get_args(AgeBand)
Fifth = Annotated[int, Field(ge=1, le=5)]
FIFTHS = (1, 2, 3, 4, 5)
Use = Literal["elective", "emergency", "outpatient", "attendance"]
PlannedUse = Literal["elective", "emergency", "outpatient"]
AdmissionType = Literal["elective", "emergency"]
StayKind = Literal["elective", "day_case", "emergency"]
EffectMeasure = Literal["length_of_stay", "day_case", "readmission", "follow_up"]
EFFECT_MEASURES: tuple[EffectMeasure, ...] = get_args(EffectMeasure)
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Age = Annotated[int, Field(ge=0, le=120)]
TreatmentFunction = Annotated[int, Field(ge=100, le=999)]
MonthText = Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")]
Week = Annotated[tuple[NotNegative, ...], Field(min_length=7, max_length=7)]


def _each_of(keys: tuple[Any, ...], only: bool = False) -> AfterValidator:
    """A mapping that must have a value for each of these keys, and for no other where `only`."""

    def check(values: dict[Any, Any]) -> dict[Any, Any]:
        if missing := [key for key in keys if key not in values]:
            raise ValueError(f"has no value for {missing[0]!r}; each of {', '.join(map(str, keys))} needs one")
        if only and (unknown := [key for key in values if key not in keys]):
            raise ValueError(f"has an unknown key {unknown[0]!r}; {nearest(unknown[0], keys)}")
        return values

    return AfterValidator(check)


EACH_USE = _each_of(get_args(Use))
EACH_ADMISSION_TYPE = _each_of(get_args(AdmissionType))
EACH_FIFTH = _each_of(FIFTHS)
EACH_MEASURE = _each_of(EFFECT_MEASURES)
ByAge = Annotated[dict[AgeBand, float], _each_of(AGE_BANDS)]
ByFifth = Annotated[dict[Fifth, float], EACH_FIFTH]


def _table_with(*uses: str) -> AfterValidator:
    """A table of the figures: its name, and for each of these uses the name of a column."""
    return _each_of(("table", *uses), only=True)


FigureTable = dict[str, str]
COUNTED = ("elective_ordinary", "elective_day_case", "other_admissions", "first_attendances")


class Figures(Params):
    """Which areas and months are simulated, and the tables of the figures that they are calibrated to.

    `totals`: counts by area and month that the records add up to. `residents`: by part of an area, year and single year
    of age, the last of which is open. `deprivation`: small areas by rank; the column's description gives the highest
    rank there is. `leads`: the areas that lead on each provider, which say where it lies. `positions`: where each area
    lies on the tile map. `costs`: national activity by HRG and point of delivery.
    """

    geography: str
    level: str
    months: tuple[MonthText, MonthText]
    census_day: Annotated[str, Field(pattern=r"^\d\d-\d\d$")]
    totals: Annotated[FigureTable, _table_with("area", "month", *COUNTED)]
    residents: Annotated[FigureTable, _table_with("part", "year", "age", "persons")]
    parts: Annotated[FigureTable, _table_with("part", "area")]
    deprivation: Annotated[FigureTable, _table_with("part", "small_area", "rank")]
    providers: Annotated[FigureTable, _table_with("provider")]
    beds: Annotated[FigureTable, _table_with("provider", "beds")]
    leads: Annotated[FigureTable, _table_with("provider", "area")]
    positions: Annotated[FigureTable, _table_with("area", "column", "row")]
    specialties: Annotated[FigureTable, _table_with("specialty")]
    costs: Annotated[FigureTable, _table_with("hrg", "name", "point_of_delivery", "activity")]


class PopulationParameters(Params):
    """What is true of residents beside their published numbers: practices, and the risk of care."""

    persons_per_practice: int = Field(gt=0)
    frailty_shape: Positive
    history_share: Share
    risk_by_age: Annotated[dict[Use, dict[Age, NotNegative]], EACH_USE]
    risk_by_deprivation: Annotated[dict[Use, Annotated[dict[Fifth, Positive], EACH_FIFTH]], EACH_USE]
    childbearing: Annotated[dict[Use, Positive], EACH_USE]


class SpecialistProvider(Params):
    treats: tuple[TreatmentFunction, ...]
    beds: Positive
    reach: Positive
    emergencies: NotNegative


class OutsideProviders(Params):
    code: str
    at_middle: Share
    at_edge: Share
    middle: tuple[float, float]


class ProviderParameters(Params):
    """Which provider treats whom: distance, beds and specialism."""

    places: dict[str, str]
    reach: Annotated[dict[PlannedUse, Positive], _each_of(get_args(PlannedUse))]
    pull_of_beds: NotNegative
    spread_by_specialty: NotNegative
    only_at: dict[TreatmentFunction, tuple[str, ...]]
    specialists: dict[str, SpecialistProvider]
    outside: OutsideProviders
    emergency_readmitted_to_same: Share


class EffectParameters(Params):
    """True effects of providers by measure: as stated, or drawn from the seed."""

    spread: Annotated[dict[EffectMeasure, NotNegative], EACH_MEASURE]
    drawn: bool = False
    outliers_drawn: int = Field(ge=0)
    outliers_from_to: tuple[float, float]
    values: Annotated[dict[EffectMeasure, dict[str, float]], EACH_MEASURE]


class OutcomeModel(Params):
    """What is added on the scale of an outcome for a person unlike the reference person."""

    age: ByAge
    women: float = 0.0
    deprivation: ByFifth = Field(default_factory=lambda: dict.fromkeys(FIFTHS, 0.0))


class LengthOfStayModel(OutcomeModel):
    shape: Annotated[dict[AdmissionType, Positive], EACH_ADMISSION_TYPE]
    longest: int = Field(gt=0, le=366)


class ReadmissionModel(OutcomeModel):
    intercept: Annotated[dict[StayKind, float], _each_of(get_args(StayKind))]
    history: float
    mean_days: Positive
    within_days: int = Field(ge=1)
    same_subchapter: Share


class DeathModel(OutcomeModel):
    intercept: Annotated[dict[AdmissionType, float], EACH_ADMISSION_TYPE]


class CalendarParameters(Params):
    """How busy each day of the week is, Monday first; whose bank holidays count as Sundays (country and subdivision as
    the `holidays` library names them); and the month in which a financial year starts.
    """

    country: str
    subdivision: str | None = None
    year_starts_in: int = Field(ge=1, le=12)
    elective: Week
    emergency: Week
    outpatient: Week


class SubmissionParameters(Params):
    from_to: tuple[int, int]
    late_share: Share
    late_share_at: dict[str, Share]


class SpellParameters(Params):
    procedure_share: Annotated[dict[AdmissionType, Share], EACH_ADMISSION_TYPE]
    further_diagnosis_share: Share
    emergency_methods: dict[str, NotNegative]
    maternity_methods: dict[str, NotNegative]
    elective_methods: dict[str, NotNegative]


class Clinic(Params):
    share: Positive
    ages: str
    follow_ups: NotNegative


class OutpatientParameters(Params):
    specialties: dict[TreatmentFunction, Clinic]
    not_seen: Annotated[dict[Literal["first", "follow_up"], Share], _each_of(("first", "follow_up"))]
    not_seen_status: dict[str, NotNegative]
    late_but_seen: Share
    follow_up_working_days: tuple[int, int]
    referral_days: tuple[int, int]
    procedure_share: Share
    procedures: dict[TreatmentFunction, tuple[str, ...]]


class AttendanceParameters(Params):
    others_for_each_admitted: NotNegative
    disposals: dict[str, NotNegative]
    categories: dict[str, NotNegative]
    by_ambulance: Annotated[dict[Literal["admitted", "others"], Share], _each_of(("admitted", "others"))]
    referral_sources: dict[str, NotNegative]
    minutes: Annotated[dict[Literal["admitted", "others"], Positive], _each_of(("admitted", "others"))]


class UnknownCodes(Params):
    """Codes that no table has, and those that stand for no practice, for errors to be made with."""

    providers: tuple[str, str]
    commissioners: tuple[str, ...] = Field(min_length=1)
    practices: tuple[str, ...] = Field(min_length=1)
    no_practice: tuple[str, ...] = Field(min_length=1)
    small_areas: tuple[str, ...] = Field(min_length=1)


class ErrorParameters(Params):
    """Planted errors: share of a feed's records by rule, and providers that make more of them."""

    more_at: dict[str, Positive]
    unknown: UnknownCodes
    apc: dict[str, Share]
    op: dict[str, Share]
    ae: dict[str, Share]


class WithheldMonths(Params):
    feed: Literal["op", "ae"]
    provider: str
    months: tuple[MonthText, ...]
    share: Share


class Subchapter(Params):
    """What the HRGs of one subchapter are like; see `codes.yml`."""

    treats: dict[TreatmentFunction, Positive]
    ages: str
    nights: tuple[Positive, Positive]
    readmitted: float
    women: Annotated[float, Field(gt=0, lt=100)] = 50.0
    diagnoses: tuple[str, ...] = Field(min_length=1)
    procedures: tuple[str, ...] = ()


class HrgGroup(Params):
    """What HRGs that start with longer text have in place of their subchapter's."""

    sex: Literal["male", "female"] | None = None
    from_: Age | None = Field(default=None, alias="from")
    to: Age | None = None
    diagnoses: tuple[str, ...] | None = None
    procedures: tuple[str, ...] | None = None


class SpecialtyRoles(Params):
    """The specialties that the simulation treats in a way of their own; see `codes.yml`."""

    general_medicine: TreatmentFunction
    geriatric_medicine: TreatmentFunction
    women_only: tuple[TreatmentFunction, ...]


class CodeLists(Params):
    """`params/simulation/codes.yml`."""

    maternity: str
    children: str
    specialties: SpecialtyRoles
    subchapters: dict[str, Subchapter]
    groups: dict[str, HrgGroup]
    further: dict[Age, tuple[str, ...]]


class World(Params):
    """`params/simulation/world.yml`: the published figures used, and all that is true beside them."""

    figures: Figures
    seed: int = Field(ge=0)
    people: PopulationParameters
    profiles: dict[str, dict[Age, NotNegative]]
    left_out: tuple[str, ...]
    providers: ProviderParameters
    effects: EffectParameters
    length_of_stay: LengthOfStayModel
    day_case: OutcomeModel
    readmission: ReadmissionModel
    death: DeathModel
    growth: dict[TreatmentFunction, float]
    calendar: CalendarParameters
    submission: SubmissionParameters
    spells: SpellParameters
    outpatients: OutpatientParameters
    attendances: AttendanceParameters
    errors: ErrorParameters
    breaks: tuple[WithheldMonths, ...]
    codes: CodeLists


def is_simulated(params: Path) -> bool:
    """Whether a home has simulated records at all: those without the folder `params/simulation` have none."""
    return (params / FOLDER).is_dir()


def load_world(params: Path) -> World:
    """The world of `params/simulation`: world.yml, with codes.yml as its `codes`.

    Raises UserError where the folder is not there, a file cannot be read, or a key or value is not right.
    """
    if not is_simulated(params):
        raise UserError(f"this home has no simulated records: there is no params/{FOLDER} folder to describe them")
    codes = validated(CodeLists, read_keys(params, f"{FOLDER}/codes.yml"), CODES_FILE)
    values = read_keys(params, f"{FOLDER}/world.yml")
    if "codes" in values:
        raise UserError(f"{WORLD_FILE}: unknown key 'codes'; they belong in {CODES_FILE}")
    world = validated(World, {**values, "codes": codes.model_dump(by_alias=True)}, WORLD_FILE)
    _check_profiles(world)
    return world


def _check_profiles(world: World) -> None:
    named = [(f"{CODES_FILE}: subchapters.{code}", each.ages) for code, each in world.codes.subchapters.items()]
    clinics = world.outpatients.specialties
    named += [(f"{WORLD_FILE}: outpatients.specialties.{code}", each.ages) for code, each in clinics.items()]
    for where, profile in named:
        if profile not in world.profiles:
            raise UserError(f"{where}.ages: {profile!r} is no profile of world.yml; {nearest(profile, world.profiles)}")
