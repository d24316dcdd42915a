"""A measure's areas side by side, most first, each with its interval: the chart of chapters that set areas in order."""

import numpy as np

from cbs_analysis.chapters.area_estimates import AreaEstimates, chart_roles, peers_named
from cbs_analysis.evidence.charts import ranked_intervals
from cbs_analysis.evidence.finding import Chart
from cbs_analysis.evidence.wording import measure, sentence_case
from cbs_analysis.pack import Pack


def ranked_areas(pack: Pack, estimates: AreaEstimates, value_title: str) -> Chart | None:
    """The area among those like it in the edition's activity year; None where the area has no value."""
    own = estimates.own(pack)
    if np.isnan(own.value):
        return None
    frame = chart_roles(pack, estimates)
    where = sentence_case(peers_named(pack)) if pack.area.is_whole else f"{pack.area.name} among {peers_named(pack)}"
    drawn = ranked_intervals(
        frame,
        title=estimates.measured.name,
        subtitle=f"{where}, {pack.period('activity')}, 95% intervals",
        value_title=value_title,
    )
    peers = frame[frame["role"].isin(["area", "peer"])]["value"]
    description = (
        f"{estimates.measured.name} of {len(peers)} areas, from {measure(peers.min(), estimates.measured)} to "
        f"{measure(peers.max(), estimates.measured)}. {pack.area.name} has {measure(own.value, estimates.measured)}."
    )
    return Chart(drawn, description)
