"""Assignment: which row goes with which column, by a matrix of scores or by a list of allowed pairs.

The Hungarian algorithm maximises the sum of the scores (paper 3.2); a pair that is worth nothing is never chosen.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

__all__ = ["match", "match_greedily", "match_matrix", "runners_up"]

# Up to this many cells one dense assignment is cheaper than finding the components; the result is the same.
_DENSE = 2500


def match_matrix(
    scores: Float[np.ndarray, "n m"] | Bool[np.ndarray, "n m"],
) -> tuple[Int[np.ndarray, " matched"], Int[np.ndarray, " matched"]]:
    """Rows, ascending, and their columns: one for one, with the greatest sum of scores.

    Args:
        scores: Not negative; pairs of score 0 are not allowed.
    """
    rows, columns = linear_sum_assignment(scores, maximize=True)
    chosen = scores[rows, columns] > 0
    return rows[chosen], columns[chosen]


def match(
    rows: Int[np.ndarray, " pairs"],
    columns: Int[np.ndarray, " pairs"],
    similarity: Float[np.ndarray, " pairs"],
    shape: tuple[int, int],
) -> Int[np.ndarray, " matched"]:
    """Indices of the pairs chosen by the Hungarian algorithm: one per row and column, greatest sum of similarity.

    Args:
        rows: Row of each allowed pair; a pair that is not listed is not allowed.
        columns: Column of each allowed pair; no pair twice.
        similarity: Positive.
        shape: Numbers of rows and columns.

    Returns:
        Ascending.
    """
    n_rows, n_columns = shape
    if not len(rows):
        return np.zeros(0, np.int64)
    # A pair whose row and column have no other pair is decided; the rest falls into small components.
    alone = (np.bincount(rows, minlength=n_rows)[rows] == 1) & (np.bincount(columns, minlength=n_columns)[columns] == 1)
    chosen = [np.flatnonzero(alone)]
    rest = np.flatnonzero(~alone)
    if n_rows * n_columns <= _DENSE:
        chosen.append(rest[_hungarian(rows[rest], columns[rest], similarity[rest])])
    elif len(rest):
        size = n_rows + n_columns
        graph = coo_array((np.ones(len(rest)), (rows[rest], n_rows + columns[rest])), (size, size))
        component = connected_components(graph, directed=False)[1][rows[rest]]
        order = np.argsort(component, kind="stable")
        parts = np.split(rest[order], np.flatnonzero(np.diff(component[order])) + 1)
        chosen += [part[_hungarian(rows[part], columns[part], similarity[part])] for part in parts]
    return np.sort(np.concatenate(chosen))


def _hungarian(
    rows: Int[np.ndarray, " pairs"], columns: Int[np.ndarray, " pairs"], similarity: Float[np.ndarray, " pairs"]
) -> Int[np.ndarray, " matched"]:
    """`match` on one component, densely: pairs that are not allowed are worth nothing and dropped afterwards."""
    row_values, r = np.unique(rows, return_inverse=True)
    column_values, c = np.unique(columns, return_inverse=True)
    value = np.zeros((len(row_values), len(column_values)))
    value[r, c] = similarity
    pair = np.empty(value.shape, np.int64)
    pair[r, c] = np.arange(len(rows))
    return pair[match_matrix(value)]


def match_greedily(
    rows: Int[np.ndarray, " pairs"],
    columns: Int[np.ndarray, " pairs"],
    similarity: Float[np.ndarray, " pairs"],
    shape: tuple[int, int],
) -> Int[np.ndarray, " matched"]:
    """As `match`, but most similar first.

    Args:
        rows: Row of each allowed pair.
        columns: Column of each allowed pair; no pair twice.
        similarity: Positive.
        shape: Numbers of rows and columns.

    Returns:
        Indices of the chosen pairs, ascending.
    """
    free_row, free_column = np.ones(shape[0], bool), np.ones(shape[1], bool)
    chosen = []
    for pair in np.argsort(-similarity, kind="stable"):
        if free_row[rows[pair]] and free_column[columns[pair]]:
            free_row[rows[pair]] = free_column[columns[pair]] = False
            chosen.append(pair)
    return np.sort(np.array(chosen, np.int64))


def runners_up(
    rows: Int[np.ndarray, " pairs"],
    columns: Int[np.ndarray, " pairs"],
    similarity: Float[np.ndarray, " pairs"],
    chosen: Int[np.ndarray, " matched"],
) -> Int[np.ndarray, " matched"]:
    """For each chosen pair the best other pair that its row or its column had; -1 where it had none.

    Args:
        rows: As of `match`.
        columns: As of `match`.
        similarity: As of `match`.
        chosen: What `match` gave.

    Returns:
        Indices of pairs.
    """
    out = np.full(len(chosen), -1)
    contested = (np.bincount(rows)[rows] > 1) | (np.bincount(columns)[columns] > 1) if len(rows) else np.zeros(0, bool)
    for place in np.flatnonzero(contested[chosen]):
        pair = chosen[place]
        others = np.flatnonzero((rows == rows[pair]) | (columns == columns[pair]))
        others = others[others != pair]
        out[place] = others[similarity[others].argmax()]
    return out
