"""Who has what: the share of each subchapter or specialty at each age and sex, so that both add up.

People are admitted at the rates of their age; kinds of care are as common as in the nation; a table that fits both is
found by iterative proportional fitting (Deming and Stephan 1940), from how common each kind is at each age.
"""

from __future__ import annotations

import numpy as np

from cbs_analysis.simulation.random_draws import Array

ROUNDS = 60


def fitted(start: Array, rows: Array, columns: Array) -> Array:
    """`start` scaled until its rows and columns add up to the shares given, the rows exactly.

    Where both cannot hold, because too little of a column may stand in any row, rows win. Returns each row as shares
    of 1; a row of which nothing may stand is 0.
    """
    table = start.astype(np.float64)
    wanted_rows, wanted = rows / rows.sum(), columns / columns.sum()
    for _ in range(ROUNDS):
        found = table.sum(axis=0)
        table = table * np.divide(wanted, found, out=np.zeros_like(found), where=found > 0)
        found = table.sum(axis=1)
        scale = np.divide(wanted_rows, found, out=np.zeros_like(found), where=found > 0)
        table = table * scale[:, None]
    found = table.sum(axis=1, keepdims=True)
    return np.divide(table, found, out=np.zeros_like(table), where=found > 0)
