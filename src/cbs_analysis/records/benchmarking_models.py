"""How trusts and PCTs do on four measures, allowing for whom they treat: the case-mix models, fitted once for all.

Each model has main effects of age band, sex, deprivation and case mix, and each trust's own effect; that of day cases
also each PCT's, because how many of a PCT's cases are day cases in all is given by its published count. Expected is
what the average trust would give the same cases.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from cbs_analysis.records.case_mix import COVARIATES, PLACES
from cbs_analysis.stats import casemix

ALL = "all"
UNIT, PAYER, SPECIALTY = "provider_code", "commissioner_code", "treatment_function_code"
FEWEST_CASES = 200
"""Cases below which a level of a covariate is put with the others of its kind."""


@dataclass(frozen=True)
class BenchmarkMeasure:
    """One measure: its columns in the cells, its family, and what else the model holds."""

    name: str
    cases: str
    events: str
    family: Literal["binomial", "quasi-poisson"]
    squared: str | None = None
    within: str | None = None


SPELL_MEASURES = (
    BenchmarkMeasure("day_case", "electives", "day_cases", "binomial", within=PAYER),
    BenchmarkMeasure("length_of_stay", "spells", "nights", "quasi-poisson", squared="nights_squared"),
    BenchmarkMeasure("readmission", "judged", "readmitted", "binomial"),
)
APPOINTMENT_MEASURES = (BenchmarkMeasure("follow_up", "first", "follow_up", "quasi-poisson"),)
PROVIDER_COLUMNS = ["cases", "observed", "expected", "standard_error", "price_gbp"]
AREA_COLUMNS = ["cases", "observed", "expected", "variance"]


def tables(
    spells: pd.DataFrame, appointments: pd.DataFrame, price: Callable[[str], pd.Series]
) -> dict[str, pd.DataFrame]:
    """`benchmark_providers`, `benchmark_areas` and `benchmark_models`; see `records.tables`.

    `spells` and `appointments` are the cells of one financial year (see `records.case_mix`); `price` gives the mean
    price of one event more of a measure, by provider_code.
    """
    labelled = ["financial_year", "measure"]
    providers, areas, models = [], [], []
    for cells, measures in ((spells, SPELL_MEASURES), (appointments, APPOINTMENT_MEASURES)):
        for measure in measures:
            labels = {"financial_year": cells["financial_year"].max(), "measure": measure.name}
            try:
                fitted, expected = _fitted(cells, measure)
            except ValueError:
                continue  # too few trusts, or no case: there is no model, and chapters say so
            by_place = _by(expected, PLACES)
            areas.append(by_place.reset_index().assign(**labels))
            providers.append(_of_providers(fitted, by_place, price(measure.name)).assign(**labels))
            models.append(_described(fitted).assign(**labels))
    return {
        "benchmark_providers": _stacked(providers, [*labelled, UNIT, SPECIALTY, *PROVIDER_COLUMNS]),
        "benchmark_areas": _stacked(areas, [*labelled, *PLACES, *AREA_COLUMNS]),
        "benchmark_models": _stacked(models, [*labelled, "term", "level", "estimate", "standard_error"]),
    }


def _stacked(parts: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    """Parts one below the other; no row where no model could be made."""
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def _fitted(cells: pd.DataFrame, measure: BenchmarkMeasure) -> tuple[casemix.CaseMix, pd.DataFrame]:
    """The model of a measure, and the cells with what it expects of each, and how far chance moves it."""
    counts = [measure.cases, measure.events, *([measure.squared] if measure.squared else [])]
    keys = [*COVARIATES, UNIT, *([measure.within] if measure.within else [])]
    # Events of like people at a trust without any case, such as follow-ups of last year's firsts, are in no model.
    used = cells[cells.groupby(keys, observed=True)[measure.cases].transform("sum") > 0]
    patterns = used.groupby(keys, observed=True)[counts].sum().reset_index()
    fitted = casemix.fit(
        patterns, cases=measure.cases, events=measure.events, covariates=COVARIATES, unit=UNIT, family=measure.family,
        within=measure.within, events_squared=measure.squared, fewest=FEWEST_CASES,
    )  # fmt: skip
    found = used[[*PLACES]].assign(
        cases=used[measure.cases].to_numpy(),
        observed=used[measure.events].to_numpy(),
        expected=fitted.expected(used),
        variance=fitted.variance(used),
    )
    return fitted, found


def _by(cells: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    return cells.groupby(keys, observed=True)[AREA_COLUMNS].sum()


def _of_providers(fitted: casemix.CaseMix, by_place: pd.DataFrame, price: pd.Series) -> pd.DataFrame:
    """Every trust over all specialties, as the model has it, and in each specialty, by its cells."""
    whole = fitted.units.rename_axis(UNIT).reset_index().assign(**{SPECIALTY: ALL})
    parts = by_place.groupby(level=[UNIT, SPECIALTY]).sum().reset_index()
    # The logarithm of a ratio varies by what its events vary by, over them; of no event nothing can be said.
    parts["standard_error"] = (parts["variance"] ** 0.5 / parts["observed"]).where(parts["observed"] > 0)
    both = pd.concat([whole, parts], ignore_index=True)
    both["price_gbp"] = both[UNIT].map(price)
    return both[[UNIT, SPECIALTY, *PROVIDER_COLUMNS]]


def _described(fitted: casemix.CaseMix) -> pd.DataFrame:
    said = pd.DataFrame(
        [
            {"term": "model", "level": "discrimination", "estimate": fitted.discrimination},
            {"term": "model", "level": "dispersion", "estimate": fitted.dispersion},
        ]
    )
    return pd.concat([fitted.coefficients, said], ignore_index=True)
