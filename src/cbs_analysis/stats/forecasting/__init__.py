"""What should we plan for? Forecasts with intervals, and a test of the method on a period that is over.

`forecast` carries a series on; `backtest` forecasts what is already known; `shared_season` gives the season, growth
and drift that a group of areas share, and `choose_exposure` the kind of day that a service runs by.
"""

from cbs_analysis.stats.forecasting.forecasts import Backtest, Forecast, backtest, forecast
from cbs_analysis.stats.forecasting.seasons import ExposureChoice, SharedSeason, choose_exposure, shared_season

__all__ = [
    "Backtest",
    "ExposureChoice",
    "Forecast",
    "SharedSeason",
    "backtest",
    "choose_exposure",
    "forecast",
    "shared_season",
]
