"""Distances on a decoder's manifold between many codes."""

from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray

from keras_manifold._arguments import Verbose, check_choice, check_count, check_verbose
from keras_manifold.curves import curve_lengths, geodesics, straight_lines
from keras_manifold.metric import checked_codes

Method = Literal["graph", "geodesic"]

# Edges whose points are held at a time.
_EDGES_AT_ONCE = 4096


def distances(
    model: Any,
    codes: Any,
    others: Any = None,
    *,
    neighbors: int = 10,
    edge_steps: int = 8,
    method: Method = "graph",
    verbose: Verbose = "auto",
) -> Annotated[NDArray[np.float64], "n m"]:
    r"""Distances on a decoder's manifold between codes, a matrix.

    `"graph"`: shortest paths over an undirected graph in which each code is joined with its
    nearest neighbors in code space, by the length of the straight line through the decoder.
    Such paths are never shorter than geodesics but for the steps of a line, and need codes
    that are dense enough. `"geodesic"`: the lengths of `geodesics` of all pairs.

    The matrix is symmetric and feeds estimators that take `metric="precomputed"`.

    Cost of `"graph"`: `neighbors * edge_steps` evaluations per code, and Dijkstra's
    algorithm from each. Of `"geodesic"`: a geodesic for each pair.

    Args:
        model: As in [`geodesics`][keras_manifold.geodesics].
        codes: Codes, `(n, *code_shape)`.
        others: Codes to which distances are measured, `(m, *code_shape)`, which join the
            graph; `None` for `codes`.
        neighbors: Of each code, at least 1, and fewer than there are codes.
        edge_steps: Pieces of each line through the decoder, at least 1; of geodesics, at
            least 2.
        method: `"graph"` or `"geodesic"`.
        verbose: 0 for no progress bar of geodesics, 1 for one, `"auto"` for one if there
            are many.

    Returns:
        `(n, m)`, float64, in units of the outputs; symmetric where `others` is `None`.

    Raises:
        ValueError: If the graph falls into parts, with their number and sizes; if an
            argument is out of range; and as in `geodesics`.
        TypeError, FloatingPointError: As in `geodesics`.
        ImportError: With `"graph"`, if scikit-learn is missing (`pip install
            scikit-learn`).

    Examples:
        >>> import numpy as np, keras_manifold as km
        >>> codes = np.array([[0.0], [1.0], [3.0]], "float32")
        >>> km.distances(lambda codes: 2 * codes, codes, neighbors=1).tolist()
        [[0.0, 2.0, 6.0], [2.0, 0.0, 4.0], [6.0, 4.0, 0.0]]

    References:
        Tenenbaum, de Silva and Langford (2000), A global geometric framework for nonlinear
        dimensionality reduction, Science 290.
    """
    codes = checked_codes("codes", codes)
    method = check_choice("method", method, Method)
    neighbors = check_count("neighbors", neighbors)
    least = 2 if method == "geodesic" else 1
    edge_steps = check_count("edge_steps", edge_steps, least=least)
    check_verbose(verbose)
    if others is not None:
        others = checked_codes("others", others)
        if others.shape[1:] != codes.shape[1:]:
            raise ValueError(
                "`others` must be codes of the shape of `codes`. Received: codes of shape "
                f"{codes.shape} and others of shape {others.shape}."
            )
    if method == "geodesic":
        return _by_geodesics(model, codes, others, edge_steps, verbose)
    every = codes if others is None else np.concatenate([codes, others])
    if neighbors >= len(every):
        raise ValueError(
            f"`neighbors` must be below the number of codes, {len(every)}. Received: "
            f"neighbors={neighbors}."
        )
    graph = _graph(model, every, neighbors, edge_steps)
    paths = _shortest(graph, np.arange(len(codes)))
    if others is not None:
        return paths[:, len(codes) :]
    return np.minimum(paths, paths.T)  # rounding: sums of one path from both of its ends


def _by_geodesics(model, codes, others, steps, verbose):
    if others is None:
        first, second = np.triu_indices(len(codes), 1)
        found = np.zeros((len(codes), len(codes)))
        if len(first):
            curves = geodesics(
                model, codes[first], codes[second], steps=steps, verbose=verbose
            )
            found[first, second] = found[second, first] = curves.lengths
        return found
    first, second = np.indices((len(codes), len(others))).reshape(2, -1)
    curves = geodesics(model, codes[first], others[second], steps=steps, verbose=verbose)
    return curves.lengths.reshape(len(codes), len(others))


def _graph(model, codes, neighbors, steps):
    """The undirected graph, a sparse matrix with one entry per edge."""
    try:
        from scipy.sparse import coo_array
        from sklearn.neighbors import NearestNeighbors
    except ImportError as error:
        raise ImportError(
            'distances(method="graph") needs scikit-learn and SciPy. Received: '
            f'{error}. Run: pip install scikit-learn. Or take method="geodesic".'
        ) from error
    flat = codes.reshape(len(codes), -1)
    nearest = NearestNeighbors(n_neighbors=neighbors).fit(flat)
    ends = nearest.kneighbors(return_distance=False)
    edges = np.stack([np.repeat(np.arange(len(codes)), neighbors), ends.ravel()], axis=1)
    edges = np.unique(np.sort(edges, axis=1), axis=0)
    lengths = [
        curve_lengths(model, straight_lines(codes[part[:, 0]], codes[part[:, 1]], steps))
        for part in np.split(edges, range(_EDGES_AT_ONCE, len(edges), _EDGES_AT_ONCE))
    ]
    # A sparse matrix takes a length of 0 for no edge.
    weights = np.maximum(np.concatenate(lengths), np.finfo("float64").tiny)
    shape = (len(codes), len(codes))
    return coo_array((weights, (edges[:, 0], edges[:, 1])), shape).tocsr()


def _shortest(graph, sources):
    from scipy.sparse.csgraph import connected_components, dijkstra

    count, labels = connected_components(graph, directed=False)
    if count > 1:
        sizes = sorted(np.bincount(labels).tolist(), reverse=True)
        shown = ", ".join(map(str, sizes[:5])) + (", ..." if count > 5 else "")
        raise ValueError(
            f"The graph of neighbors falls into {count} parts, of {shown} codes: there is "
            "no path between them. Raise `neighbors`, measure the parts on their own, or "
            'take method="geodesic".'
        )
    return dijkstra(graph, directed=False, indices=sources)
