"""Does each layer and activation of Keras have right derivatives, on each backend?

    KERAS_BACKEND=jax python benchmarks/layers.py

measures on one backend, some seconds per layer, and goes on where it was stopped; `--anew`
begins again. The cases are those of tests/test_every_layer.py. Writes
benchmarks/results/layers_BACKEND.json, and of the backends that were measured
benchmarks/results/layers.md.
"""

import importlib.util
import json
import os
import sys
import time
import warnings
from importlib.metadata import version
from pathlib import Path

from workers import BACKENDS, RESULTS

ROOT = Path(__file__).parent.parent


def main():
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    measure(backend, RESULTS / f"layers_{backend}.json", anew="--anew" in sys.argv)
    (RESULTS / "layers.md").write_text(table())


def measure(backend, path, *, anew):
    cases = cases_of_the_tests()
    found = {} if anew or not path.exists() else json.loads(path.read_text())["layers"]
    versions = {name: version(name) for name in ("keras", backend)}
    for name in (*cases.LAYERS, *cases.ACTIVATIONS):
        if name in found:
            continue
        found[name] = outcome(cases, name)
        print(f"{name:30} {found[name]}", flush=True)
        day = time.strftime("%Y-%m-%d")
        facts = {"versions": versions, "date": day, "layers": found}
        path.write_text(json.dumps(facts, indent=1) + "\n")


def cases_of_the_tests():
    path = ROOT / "tests" / "test_every_layer.py"
    spec = importlib.util.spec_from_file_location("test_every_layer", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def outcome(cases, name):
    """Errors of J and of the penalty's gradient, or why there are none."""
    warnings.simplefilter("ignore")
    refused = cases.REFUSED.get(os.environ.get("KERAS_BACKEND", "tensorflow"), {})
    if name in refused:
        return {"refused": f"{refused[name]}."}
    try:
        of_rows, of_columns, of_penalty = cases.errors(name)
    except Exception as error:
        text = " ".join(str(error).split())
        return {"refused": f"{type(error).__name__}: {text}"[:300]}
    of_jacobian, of_gradient = cases.tolerances(name)
    jacobian = float(max(of_rows, of_columns))
    right = jacobian < of_jacobian
    if of_penalty is not None:
        of_penalty = float(of_penalty)
        right = right and of_penalty < of_gradient
    return {"jacobian": jacobian, "gradient": of_penalty, "right": right}


def table():
    """The table of all backends that were measured, from their files."""
    found = {}
    for backend in BACKENDS:
        path = RESULTS / f"layers_{backend}.json"
        found[backend] = json.loads(path.read_text()) if path.exists() else {"layers": {}}
    names = sorted({name for of in found.values() for name in of["layers"]})
    notes = {}
    lines = [
        "# Derivatives of every layer and activation",
        "",
        measured_with(found),
        "",
        "| layer or activation | " + " | ".join(BACKENDS.values()) + " |",
        "|---|" + "---|" * len(BACKENDS),
    ]
    for name in names:
        cells = [cell(found[backend]["layers"].get(name), notes) for backend in BACKENDS]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    lines += ["", *(f"{number}. {text}" for text, number in notes.items())]
    return "\n".join(lines).rstrip() + "\n"


def measured_with(found):
    parts = [
        ", ".join(f"{name} {number}" for name, number in of["versions"].items())
        + f" ({of['date']})"
        for of in found.values()
        if "versions" in of
    ]
    return "; ".join(parts) + "."


def cell(of_layer, notes):
    if of_layer is None:
        return ""
    if "refused" in of_layer:
        number = notes.setdefault(of_layer["refused"].replace("|", "\\|"), len(notes) + 1)
        return f"– ({number})"
    errors = f"{of_layer['jacobian']:.0e}"
    if of_layer["gradient"] is not None:
        errors += f", {of_layer['gradient']:.0e}"
    return f"✓ {errors}" if of_layer["right"] else f"**off** {errors}"


if __name__ == "__main__":
    main()
