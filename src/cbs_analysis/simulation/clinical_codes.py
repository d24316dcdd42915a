"""What a spell can be: subchapters, healthcare resource groups (HRGs), specialties and codes, as tables to draw from.

The HRGs, and how often each is done, come from the national cost collection; what goes with them from
`params/simulation/codes.yml`. An HRG is drawn only at the ages and the sex that its name or its codes allow. A
specialty is an NHS treatment function.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cbs_analysis.errors import DataError, UserError, nearest
from cbs_analysis.simulation.population import CELLS, CLASS_STARTS, FEMALE, MALE, OLDEST, by_class
from cbs_analysis.simulation.random_draws import Booleans, Choices, Floats, Integers
from cbs_analysis.simulation.world import CODES_FILE, CodeLists, HrgGroup, World

ORDINARY, DAY_CASE, EMERGENCY = 0, 1, 2
KINDS = ("elective", "daycase", "nonelective")
"""How the point of delivery of each kind of stay starts in the cost collection."""
ADULT = 19
LOWEST_LOGIT, HIGHEST_LOGIT = -4.0, 4.0  # of the share of day cases in any subchapter
ListedCodes = tuple[tuple[str, ...], Choices, Booleans]
"""Codes; those of each list to choose from; whether a list has any."""


@dataclass(frozen=True)
class ClinicalCodes:
    """Tables over subchapters (S), HRGs and cells (`population.CELLS`).

    `hrgs_of`: HRGs, by (kind x S + subchapter) x CELLS + cell. `allowed`: whether there is such an HRG, as kinds x S x
    CELLS; for elective stays, one of either kind. `national`: episodes in the nation, elective and other, as 2 x S.
    `codes_of`: the list of each HRG in `diagnoses` and `procedures`; lists without procedures are not
    `has_procedures`. `general_medicine`, `geriatric_medicine`, `women_only`: rows of `specialties`.
    """

    subchapters: tuple[str, ...]
    maternity: int
    hrgs: tuple[str, ...]
    hrgs_of: Choices
    allowed: Booleans
    national: Floats
    day_case_logit: Floats
    log_nights: Floats
    readmitted: Floats
    profiles: Floats
    treats: Choices
    treats_share: Floats
    specialties: tuple[str, ...]
    general_medicine: int
    geriatric_medicine: int
    women_only: tuple[int, ...]
    codes_of: Integers
    diagnosis_codes: tuple[str, ...]
    diagnoses: Choices
    procedure_codes: tuple[str, ...]
    procedures: Choices
    has_procedures: Booleans
    adult_only: Booleans
    childrens: Booleans
    obstetric: Booleans

    def key(self, kind: NDArray, subchapter: NDArray, cell: NDArray) -> NDArray:
        """The key of `hrgs_of`."""
        return (kind.astype(np.int64) * len(self.subchapters) + subchapter) * CELLS + cell


def read_clinical_codes(world: World, costs: pd.DataFrame, specialties: tuple[str, ...]) -> ClinicalCodes:
    """The tables from the national cost collection and the world's codes.

    `costs`: hrg, name, point_of_delivery, activity. Raises UserError where a code is not known, or a subchapter of the
    collection is not described.
    """
    codes, hrgs = world.codes, _hrgs(world, costs)
    names = tuple(sorted({code[:2] for code in hrgs.index}))
    for name in names:
        if name not in codes.subchapters:
            raise UserError(f"{CODES_FILE}: subchapters: {name!r} of {world.figures.costs['table']} is not described")
    subchapter = np.array([names.index(code[:2]) for code in hrgs.index])
    hrgs_of, allowed = _hrg_choices(hrgs, subchapter, len(names))
    described = [codes.subchapters[name] for name in names]
    national = np.zeros((len(KINDS), len(names)))
    for kind, column in enumerate(KINDS):
        np.add.at(national[kind], subchapter, hrgs[column].to_numpy())
    day, ordinary = national[DAY_CASE], national[ORDINARY]
    treats = np.zeros((len(names), len(specialties)))
    for row, each in enumerate(described):
        for code, weight in each.treats.items():
            treats[row, _row(code, specialties, f"subchapters.{names[row]}.treats")] = weight
    lists, diagnoses, procedures = _code_lists(codes, list(hrgs.index))
    return ClinicalCodes(
        subchapters=names,
        maternity=_row(codes.maternity, names, "maternity"),
        hrgs=tuple(hrgs.index),
        hrgs_of=hrgs_of,
        allowed=allowed,
        national=np.array([day + ordinary, national[EMERGENCY]]),
        day_case_logit=np.clip(np.log((day + 0.5) / (ordinary + 0.5)), LOWEST_LOGIT, HIGHEST_LOGIT),
        log_nights=np.log(np.array([each.nights for each in described]).T),
        readmitted=np.array([each.readmitted for each in described]),
        profiles=_profiles(world, names),
        treats=Choices.of_table(treats),
        treats_share=treats / treats.sum(axis=1, keepdims=True),
        specialties=specialties,
        general_medicine=_row(codes.specialties.general_medicine, specialties, "specialties.general_medicine"),
        geriatric_medicine=_row(codes.specialties.geriatric_medicine, specialties, "specialties.geriatric_medicine"),
        women_only=tuple(_row(code, specialties, "specialties.women_only") for code in codes.specialties.women_only),
        codes_of=lists,
        diagnosis_codes=diagnoses[0],
        diagnoses=diagnoses[1],
        procedure_codes=procedures[0],
        procedures=procedures[1],
        has_procedures=procedures[2],
        adult_only=hrgs["from_name"].to_numpy() == ADULT,
        childrens=hrgs.index.str.startswith(codes.children),
        obstetric=hrgs.index.str.startswith(codes.maternity),
    )


def _row(code: str | int, known: tuple[str, ...], where: str) -> int:
    if str(code) not in known:
        raise UserError(f"{CODES_FILE}: {where}: {code!r} is not known; {nearest(str(code), known)}")
    return known.index(str(code))


def _hrgs(world: World, costs: pd.DataFrame) -> pd.DataFrame:
    """One row an HRG, by code: episodes by kind; `from_name`, the lowest age in its name; and its ages and sex."""
    kept = costs[~costs["hrg"].str.startswith(world.left_out)]
    kind = kept["point_of_delivery"].str.replace(r"_.*", "", regex=True)
    frame = kept.pivot_table(index="hrg", columns=kind, values="activity", aggfunc="sum", fill_value=0.0)
    frame = frame.reindex(columns=list(KINDS), fill_value=0.0)
    names = kept.drop_duplicates("hrg").set_index("hrg")["name"].reindex(frame.index)
    lowest = names.str.extract(r"(\d+) years and over|between (\d+) and \d+ years").bfill(axis=1)[0]
    highest = names.str.extract(r"(\d+) years? and under|between \d+ and (\d+) years").bfill(axis=1)[0]
    groups = [_group(world.codes, code) for code in frame.index]
    frame["from_name"] = lowest.fillna(0).astype(int)
    frame["from"] = np.maximum(frame["from_name"], [each.from_ or 0 for each in groups])
    to = [OLDEST if each.to is None else each.to for each in groups]
    frame["to"] = np.minimum(highest.fillna(OLDEST).astype(int), to)
    frame["sex"] = [{"male": MALE, "female": FEMALE}.get(each.sex or "", 0) for each in groups]
    for code, low, high in zip(frame.index, frame["from"], frame["to"], strict=True):
        if low not in CLASS_STARTS or (high < OLDEST and high + 1 not in CLASS_STARTS):
            raise DataError(f"{world.figures.costs['table']}: HRG {code} is for ages {low} to {high}, which no class "
                            f"of ages ends at; classes start at {', '.join(map(str, CLASS_STARTS))}")  # fmt: skip
    return frame


def _group(codes: CodeLists, hrg: str) -> HrgGroup:
    """What holds for an HRG: of each property, that of the longest group it starts with, else of its subchapter."""
    values: dict[str, object] = {}
    subchapter = codes.subchapters.get(hrg[:2])
    if subchapter is not None:
        values = {"diagnoses": subchapter.diagnoses, "procedures": subchapter.procedures}
    for length in range(1, len(hrg) + 1):
        if group := codes.groups.get(hrg[:length]):
            given = {key: value for key, value in group.model_dump(by_alias=True).items() if value is not None}
            if "diagnoses" in given and "procedures" not in given:
                given["procedures"] = ()
            values |= given
    return HrgGroup.model_validate(values)


def _hrg_choices(frame: pd.DataFrame, subchapter: NDArray, number: int) -> tuple[Choices, Booleans]:
    """`hrgs_of` and `allowed`: an HRG fits a cell whose class starts between its ages, and whose sex is its own."""
    activity = frame[list(KINDS)].to_numpy(dtype=np.float64)
    low, high, sex = (frame[column].to_numpy() for column in ("from", "to", "sex"))
    starts = np.repeat(CLASS_STARTS, 2)
    sexes = np.tile([MALE, FEMALE], len(CLASS_STARTS))
    fits = (low[:, None] <= starts) & (high[:, None] >= starts) & ((sex[:, None] == 0) | (sex[:, None] == sexes))
    members = [np.flatnonzero(subchapter == each) for each in range(number)]
    lists: list[tuple[NDArray, NDArray]] = []
    for kind in range(len(KINDS)):
        for each in range(number):
            for cell in range(CELLS):
                inside = members[each][fits[members[each], cell]]
                weights = activity[inside, kind]
                if kind < EMERGENCY and not weights.sum():
                    weights = activity[inside, 1 - kind]
                done = weights > 0
                lists.append((inside[done], weights[done]))
    allowed = np.array([len(hrgs) > 0 for hrgs, _ in lists]).reshape(len(KINDS), number, CELLS)
    return Choices.of(lists), allowed


def _profiles(world: World, names: tuple[str, ...]) -> Floats:
    """How common each subchapter is in each cell beside others, as CELLS x S."""
    columns = []
    for name in names:
        each = world.codes.subchapters[name]
        sexes = np.array([100.0 - each.women, each.women]) / 50.0
        columns.append((by_class(world.profiles[each.ages])[:, None] * sexes).ravel())
    return np.array(columns).T


def _code_lists(codes: CodeLists, hrgs: list[str]) -> tuple[Integers, ListedCodes, ListedCodes]:
    """The list of codes of each HRG, and the diagnoses and procedures of each list, the commonest first."""
    groups = [_group(codes, hrg) for hrg in hrgs]
    pairs = [(each.diagnoses or (), each.procedures or ()) for each in groups]
    kinds = sorted(set(pairs))
    lists = np.array([kinds.index(pair) for pair in pairs], dtype=np.int32)
    return lists, _listed([kind[0] for kind in kinds]), _listed([kind[1] for kind in kinds])


def _listed(lists: list[tuple[str, ...]]) -> ListedCodes:
    known = tuple(sorted({code for each in lists for code in each}))
    choices = Choices.of([([known.index(code) for code in each], 1.0 / (np.arange(len(each)) + 1.5)) for each in lists])
    return known, choices, np.array([len(each) > 0 for each in lists])
