"""A measure's areas side by side, most first, each with its interval: the chart of chapters that set areas in order."""

import numpy as np

from cbs_analysis.chapters.building import Standing, chart_roles, peers_named
from cbs_analysis.evidence.charts import ranked_intervals
from cbs_analysis.evidence.finding import Chart
from cbs_analysis.evidence.wording import measure, sentence_case
from cbs_analysis.pack import Pack


def ranked_areas(pack: Pack, found: Standing, value_title: str) -> Chart | None:
    """The area among those like it in the edition's activity year; None where the area has no value."""
    own = found.own(pack)
    if np.isnan(own.value):
        return None
    frame = chart_roles(pack, found)
    where = sentence_case(peers_named(pack)) if pack.area.is_whole else f"{pack.area.name} among {peers_named(pack)}"
    drawn = ranked_intervals(
        frame,
        title=found.measured.name,
        subtitle=f"{where}, {pack.edition.activity_year}, 95% intervals",
        value_title=value_title,
    )
    peers = frame[frame["role"].isin(["area", "peer"])]["value"]
    description = (
        f"{found.measured.name} of {len(peers)} areas, from {measure(peers.min(), found.measured)} to "
        f"{measure(peers.max(), found.measured)}. {pack.area.name} has {measure(own.value, found.measured)}."
    )
    return Chart(drawn, description)
