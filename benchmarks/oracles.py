"""How far is each quantity from its closed form, on each backend?

    python benchmarks/oracles.py

A row is one function with `@oracle`, in `oracles_of_*.py`: it returns our largest error
on the backend of Keras that is in use. Where another package offers the quantity,
`peers=` has functions that return its error on the same case with its defaults. Writes
benchmarks/results/oracles.md, which docs/oracles.md shows.
`pip install --no-deps stochman latent-geometry geomstats scikit-dimension` for the peers;
of one that is missing the table says so.
"""

import json
import sys

import oracles_of_denoisers  # noqa: F401
import oracles_of_geometry  # noqa: F401
from oracle_rows import ORACLES
from workers import BACKENDS, said_by, written


def main():
    if sys.argv[1:] == ["--measure"]:
        return print(json.dumps([row.measured() for row in ORACLES]))
    errors = {backend: said_by(__file__, backend=backend) for backend in BACKENDS}
    rows = []
    for i, row in enumerate(ORACLES):
        ours = [f"{errors[backend][i]:.1e}" for backend in BACKENDS]
        rows.append([row.quantity, row.case, row.closed_form, *ours, row.peers_cell()])
    names = [*BACKENDS.values()]
    header = ["quantity", "case", "closed form", *names, "another package"]
    lines = [
        "| " + " | ".join(header) + " |",
        "|---|---|---|--:|--:|--:|---|",
        *("| " + " | ".join(row) + " |" for row in rows),
    ]
    written(
        "oracles.md",
        "Errors against closed forms",
        "Largest error over the samples, relative to the largest true value.",
        lines,
    )


if __name__ == "__main__":
    main()
