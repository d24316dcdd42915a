"""Outlook: what each kind of activity may be next year if days, season and level carry on, and how far to trust that.

For strategic planning. Season, growth and the kind of day come from all the geography's areas, the level is the area's
own. The method is tested on the last year already known and the result shown
to the reader.
"""

import numpy as np
import pandas as pd

from cbs_analysis.chapters import recording_changes
from cbs_analysis.chapters.area_estimates import beside_title, plain_measure
from cbs_analysis.chapters.findings import Basis, Chapter, Exhibits, Value
from cbs_analysis.chapters.year_ahead import backtested, borrowed, forecast_series, year_ahead
from cbs_analysis.evidence import charts
from cbs_analysis.evidence.comparing import Comparison, optional
from cbs_analysis.evidence.finding import Chart, Finding
from cbs_analysis.evidence.tables import Column, Table
from cbs_analysis.evidence.wording import interval, listed, number, plural, sentence_case, signed
from cbs_analysis.geography import Area
from cbs_analysis.pack import Pack
from cbs_analysis.pack.series import Series, of_area, series, series_totals
from cbs_analysis.stats import rates
from cbs_analysis.stats.forecasting import Backtest

CHAPTER = Chapter("outlook", "strategic planning")
TOTALS = (
    "A year's total is harder to bracket than a month: how often totals fell outside their limits a year ago is shown "
    "below, under how far to trust this."
)
TUNED = (
    "The method's settings, and the kind of day, were chosen with this same year in view, so expect somewhat larger "
    "errors."
)
CARRY_ON = (
    "A forecast of what happens if things carry on: days, season and level are known to it, plans and policy are not."
)


def _day_chosen(pack: Pack, name: str) -> str:
    """Which kind of day, and how much better it was than the other a year ago."""
    shared = borrowed(pack, series(pack, name), pack.area.code)
    errors, chosen = shared.days.errors, shared.days.chosen
    if np.isnan(errors[chosen]):
        return f"Forecast per {chosen}; there is no year to test that on."
    others = listed(f"{number(error, 2)} per {name}" for name, error in errors.items() if name != chosen)
    return (
        f"Forecast per {chosen}: over {plural(shared.areas, 'area')} the error of a year ago (MASE) was "
        f"{number(errors[chosen], 2)} so, and {others}."
    )


def forecast(pack: Pack, name: str) -> Finding:
    """A series for the year ahead."""
    chosen = series(pack, name)
    noun, measured = chosen.noun, pack.indicators[chosen.definition.forecast or ""]
    found = year_ahead(pack, name, pack.area.code)
    values = of_area(pack, chosen, pack.area.code)
    total, outturn = found.total, _outturn(pack, pack.area.code, chosen)
    frame = found.frame.assign(month=pd.PeriodIndex(found.frame["month"]).to_timestamp())
    ahead = _ahead(pack, frame, chosen)
    if found.reason:
        statement = f"No forecast of {pack.area.name}'s {noun} for {ahead}: {found.reason}."
    else:
        statement = (
            f"{pack.area.name} can expect {number(total['value'])} {noun} in {ahead} "
            f"({interval(total['lower_95'], total['upper_95'], 0)}){_change(pack, name, total['value'], outturn)}."
        )
    caveats = [
        CARRY_ON,
        TOTALS,
        _day_chosen(pack, name),
        *(f"{sentence_case(warning)}." for warning in found.warnings),
        *recording_changes.caveats(pack, chosen),
    ]
    return CHAPTER.finding(
        pack,
        measured.id.removeprefix("forecast_"),
        title=sentence_case(noun),
        statement=statement,
        value=Value(
            measured,
            total["value"],
            lower=total["lower_95"],
            upper=total["upper_95"],
            comparisons=[_comparator(pack, area, name) for area in pack.above if area.code in _known(pack, chosen)],
        ),
        basis=Basis(
            period=ahead,
            sources=[chosen.table],
            methods=["borrowed-seasons"],
            caveats=caveats,
            caution=recording_changes.caution(pack, forecast_series(pack, name, pack.area.code)),
        ),
        exhibits=Exhibits(
            table=_steps_ahead(frame, chosen, ahead),
            members=_members(pack, name),
            chart=None if found.reason else _fan(pack, values, frame, chosen, statement),
        ),
    )


def _known(pack: Pack, chosen: Series) -> set[str]:
    """Codes of the areas that the series has figures of."""
    return set(series_totals(pack, chosen, pack.period("activity")).index)


def _outturn(pack: Pack, code: str, chosen: Series) -> float:
    return float(series_totals(pack, chosen, pack.period("activity")).get(code, np.nan))


def _change(pack: Pack, name: str, value: float, outturn: float) -> str:
    """The change on the last year; not where recording changed within it."""
    last, chosen = pack.period("activity"), forecast_series(pack, name, pack.area.code)
    if np.isnan(value) or np.isnan(outturn):
        return ""
    if why := recording_changes.level_changes(pack, chosen, pack.area.code, last.steps(chosen.frequency)):
        return f"; {why} within {last}, so its {number(outturn)} is no measure of it"
    return f", {signed(rates.relative_change(value, outturn), 1)}% on the {number(outturn)} of {last}"


def _comparator(pack: Pack, area: Area, name: str) -> Comparison:
    total = year_ahead(pack, name, area.code).total
    return Comparison(
        area.name,
        area.code,
        optional(total["value"]),
        optional(total["lower_95"]),
        optional(total["upper_95"]),
        "not compared",
        "",
    )


def _steps_ahead(frame: pd.DataFrame, chosen: Series, ahead: str) -> Table:
    step = chosen.frequency.name
    shown = frame.assign(month=[chosen.frequency.label(start) for start in frame["month"]])
    columns = {
        "month": Column(step.capitalize()),
        "value": Column("Forecast", decimals=0),
        "lower_80": Column("80% lower", decimals=0),
        "upper_80": Column("80% upper", decimals=0),
        "lower_95": Column("95% lower", decimals=0),
        "upper_95": Column("95% upper", decimals=0),
    }
    return Table(f"Forecast of {chosen.noun} by {step}, {ahead}", shown, columns)


def _members(pack: Pack, name: str) -> Table | None:
    """The year ahead of the areas beside the pack's own, with the change on the last year."""
    if pack.area.is_leaf:
        return None
    rows, year = [], pack.period("activity")
    for area in pack.beside:
        chosen = forecast_series(pack, name, area.code)
        total, outturn = year_ahead(pack, name, area.code).total, _outturn(pack, area.code, chosen)
        why = recording_changes.level_changes(pack, chosen, area.code, year.steps(chosen.frequency))
        rows.append(
            {
                "area": area.name,
                "outturn": outturn,
                "value": total["value"],
                "lower": total["lower_95"],
                "upper": total["upper_95"],
                "change": np.nan if why else rates.relative_change(total["value"], outturn),
                "note": f"{why} within {year}" if why else "",
            }
        )
    columns = {
        "area": Column("Area"),
        "outturn": Column(year.label, decimals=0),
        "value": Column("Forecast", decimals=0),
        "lower": Column("95% lower limit", decimals=0),
        "upper": Column("95% upper limit", decimals=0),
        "change": Column("Change", "%", 1),
        "note": Column("Note"),
    }
    return Table(beside_title(pack), pd.DataFrame(rows), columns, emphasis=pack.area.name)


def _fan(pack: Pack, values: pd.Series, frame: pd.DataFrame, chosen: Series, statement: str) -> Chart:
    step = chosen.frequency.name
    drawn = charts.fan(
        values.rename("value").rename_axis("month").reset_index(),
        frame,
        title=f"{sentence_case(chosen.noun)} by {step}, and what may come",
        subtitle=f"{pack.area.name}, with 80% and 95% intervals",
        value_title=f"A {step}",
        description=statement,
        frequency=step,
    )
    return Chart(drawn, f"Fan chart of {chosen.noun} by {step}. {statement}")


def _ahead(pack: Pack, frame: pd.DataFrame, chosen: Series) -> str:
    """The time of a forecast in words: a financial year where it is one, a calendar year likewise."""
    first = frame["month"].iloc[0]
    if len(frame) == chosen.frequency.per_year and first.month == pack.edition.year_starts:
        return f"{first.year}/{(first.year + 1) % 100:02d}" if first.month > 1 else str(first.year)
    return chosen.frequency.span(pd.DatetimeIndex(frame["month"]))


def backtest(pack: Pack) -> Finding:
    """How the method would have done a year ago, for each series, against the seasonal naive forecast."""
    rows = []
    for name in _forecast_names(pack):
        chosen = forecast_series(pack, name, pack.area.code)
        found = backtested(pack, name, pack.area.code)
        total = found.total
        rows.append(
            {
                "measure": sentence_case(chosen.noun),
                "day": chosen.day,
                "actual": total.get("actual", np.nan),
                "forecast": total.get("value", np.nan),
                "mae": found.mae,
                "naive_mae": found.naive_mae,
                "mase": found.mase,
                "naive_mase": found.naive_mase,
                "total": _total_inside(found),
                "coverage_80": 100 * found.coverage_80,
                "coverage_95": 100 * found.coverage_95,
                "note": found.reason or "",
            }
        )
    frame = pd.DataFrame(rows)
    tested = frame.dropna(subset=["mase", "naive_mase"])
    mean, naive, inside = tested["mase"].mean(), tested["naive_mase"].mean(), tested["coverage_95"].mean()
    known = tested["total"] != ""
    totals = f" and {(tested['total'] == 'yes').sum()} of {known.sum()} totals" if known.any() else ""
    nouns = {sentence_case(each.noun): each.noun for each in (series(pack, name) for name in _forecast_names(pack))}
    outside = tested.loc[tested["total"] == "no", "measure"].map(nouns)
    missed = f"; the total of {listed(outside)} fell outside" if len(outside) else ""
    year = pack.period("activity")
    columns = {
        "measure": Column("Measure"),
        "day": Column("Forecast per"),
        "actual": Column(f"{year} as it was", decimals=0),
        "forecast": Column("As forecast", decimals=0),
        "mae": Column("Mean error a month", decimals=0),
        "naive_mae": Column("Naive mean error", decimals=0),
        "mase": Column("MASE", decimals=2),
        "naive_mase": Column("Naive MASE", decimals=2),
        "coverage_80": Column("Months within 80%", "%", 0),
        "coverage_95": Column("Months within 95%", "%", 0),
        "total": Column("Total within 95%"),
    }
    if frame["note"].str.len().any():
        columns["note"] = Column("Note")
    statement = (
        f"Fitted to the two years before, the method's error in {year} over {plural(len(tested), 'measure')} of "
        f"{pack.area.name} was "
        f"{number(abs(rates.relative_change(mean, naive)))}% {'smaller' if mean < naive else 'larger'} than repeating "
        f"the year before; {number(inside)}% of months{totals} fell inside the 95% intervals{missed}."
        if not np.isnan(mean)
        else f"The method cannot be tested on {pack.area.name}'s figures: too many months are missing."
    )
    return CHAPTER.finding(
        pack,
        "backtest",
        title="How far to trust the forecasts",
        statement=statement,
        value=Value(plain_measure("Mean absolute scaled error", "MASE", 2), float(mean)),
        basis=Basis(
            period=year.label,
            sources=list(dict.fromkeys(series(pack, name).table for name in _forecast_names(pack))),
            methods=["backtest"],
            caveats=[
                "MASE is the mean error over the mean change on the year in the two years before; below the naive one "
                "is better than repeating last year's month.",
                "One year is one test: twelve months that share one winter.",
                TUNED,
            ],
        ),
        exhibits=Exhibits(
            table=Table(f"Forecasts of {year} made from the years before", frame, columns),
            members=_backtest_members(pack),
        ),
    )


def _forecast_names(pack: Pack) -> list[str]:
    """The series that have a forecast, of tables that the notebook may read."""
    return [
        name
        for name, definition in pack.series_definitions.items()
        if definition.forecast and (pack.declared is None or definition.table in pack.declared)
    ]


def _total_inside(found: Backtest) -> str:
    total = found.total
    if found.reason or np.isnan(total.get("actual", np.nan)):
        return ""
    return "yes" if total["lower_95"] <= total["actual"] <= total["upper_95"] else "no"


def _backtest_members(pack: Pack) -> Table | None:
    if pack.area.is_leaf:
        return None
    rows = []
    for area in pack.beside:
        found = [backtested(pack, name, area.code) for name in _forecast_names(pack)]
        rows.append(
            {
                "area": area.name,
                "mase": float(np.nanmean([item.mase for item in found])),
                "naive_mase": float(np.nanmean([item.naive_mase for item in found])),
                "coverage_95": 100 * float(np.nanmean([item.coverage_95 for item in found])),
            }
        )
    columns = {
        "area": Column("Area"),
        "mase": Column("Mean MASE", decimals=2),
        "naive_mase": Column("Naive MASE", decimals=2),
        "coverage_95": Column("Months within 95%", "%", 0),
    }
    return Table(beside_title(pack), pd.DataFrame(rows), columns, emphasis=pack.area.name)


__all__ = ["backtest", "forecast"]
