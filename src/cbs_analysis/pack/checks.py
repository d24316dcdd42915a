"""Do an edition's choices fit its figures? Its periods and similar areas are checked before anything runs."""

from collections.abc import Collection
from pathlib import Path

import pandas as pd

from cbs_analysis.edition import Edition, load_series
from cbs_analysis.errors import UserError
from cbs_analysis.geography import Geography
from cbs_analysis.pack.measures import POPULATION
from cbs_analysis.pack.similar_areas import feature
from cbs_analysis.periods import FREQUENCIES, Period, step_starts
from cbs_analysis.tables import read, table_description

NAMED = {"population": POPULATION, "population_base": POPULATION, "emergency": "emergency_admissions"}
"""Which table a period of this name is about; `activity` is about the tables of the series."""


def check_periods(edition: Edition, tables: Collection[str], params: Path, data: Path) -> None:
    """Raises UserError where a period is not one that the tables in use hold."""
    of_series = {definition.table for definition in load_series(params, edition).values()}
    pairs = [(name, table) for name, table in NAMED.items() if name in edition.periods and table in tables]
    if "activity" in edition.periods:
        pairs += [("activity", table) for table in sorted(of_series & set(tables))]
    for name, table in pairs:
        _check(edition, name, table, data)


def _check(edition: Edition, name: str, table: str, data: Path) -> None:
    about, period = table_description(table, data), edition.period(name)
    column = next((column for column in about.columns if column.frequency in FREQUENCIES), None)
    if column is None:
        return
    where, frequency = f"params/editions/{edition.name}.yml: periods: {name}", FREQUENCIES[column.frequency]
    try:
        starts = pd.DatetimeIndex(step_starts(read(table, data)[column.name], frequency, edition.year_starts))
    except ValueError as error:
        raise UserError(f"data/{about.path}: {column.name}: {error}") from None
    if period.start is None or not _holds(starts, period, frequency.name):
        span = f"{starts.min():%Y} to {starts.max():%Y}" if frequency.name == "year" else frequency.span(starts)
        raise UserError(f"{where}: {table} holds {span}, not {period}")


def _holds(starts: pd.DatetimeIndex, period: Period, frequency: str) -> bool:
    if frequency == "year":
        return period.year in set(starts.year)
    return bool(len(period.steps(FREQUENCIES[frequency]).intersection(starts)))


def check_similar_areas(edition: Edition, geography: Geography) -> None:
    """Raises UserError where a feature is not known, or as many similar areas are asked for as there are others."""
    chosen, leaves = edition.similar_areas, len(geography.peers)
    if chosen is None:
        return
    where = f"params/editions/{edition.name}.yml: similar_areas"
    for name in chosen.features:
        try:
            feature(name)
        except UserError as error:
            raise UserError(f"params/editions/{edition.name}.yml: {error}") from None
    if chosen.count > max(1, leaves - 2):
        raise UserError(
            f"{where}: count: {chosen.count} is as many as all others or more: geography {geography.name} has "
            f"{leaves} areas at its lowest level, so choose at most {max(1, leaves - 2)}"
        )
