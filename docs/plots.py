"""Plots of docs/plots/, drawn from the tables of benchmarks/results/."""

import itertools
import json
import re
import subprocess
import tomllib
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"
PLOTS = ROOT / "docs" / "plots"
TITLES = {"tensorflow": "TensorFlow", "torch": "PyTorch", "jax": "JAX"}
COLOURS = {"TensorFlow": "C1", "PyTorch": "C3", "JAX": "C0"}


def main():
    """Draws all plots, in about two seconds."""
    PLOTS.mkdir(exist_ok=True)
    for draw in (penalty_step, penalty_growth, penalty_probes, tangents_images, memory):
        figure = Figure(figsize=(8, 3.6), dpi=120, layout="constrained")
        source = draw(figure)
        figure.supxlabel(stamp(source), fontsize=7, color="0.35", x=0.99, ha="right")
        figure.savefig(PLOTS / f"{draw.__name__}.png")
    imports().savefig(PLOTS / "imports.png")
    figure = history()
    if figure is not None:
        figure.savefig(PLOTS / "history.png")


def imports():
    """The layers of the package as rows, with an arrow for each import between modules."""
    import grimp

    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = [layer.split(" | ") for layer in settings["contracts"][0]["layers"]]
    graph = grimp.build_graph("keras_manifold")
    places = {
        name: ((column + 0.5) / len(layer), -row)
        for row, layer in enumerate(layers)
        for column, name in enumerate(layer)
    }
    for name in places:
        graph.squash_module(f"keras_manifold.{name}")
    figure = Figure(figsize=(9, 6), dpi=120, layout="constrained")
    ax = figure.subplots()
    for name, (x, y) in places.items():
        for imported in graph.find_modules_directly_imported_by(f"keras_manifold.{name}"):
            target = places.get(imported.removeprefix("keras_manifold."))
            if target:
                ax.annotate(
                    "",
                    (target[0], target[1] + 0.16),
                    (x, y - 0.16),
                    arrowprops={"arrowstyle": "->", "color": "0.6", "lw": 0.8},
                )
        box = {"boxstyle": "round,pad=0.4", "facecolor": "white", "edgecolor": "0.3"}
        ax.text(x, y, name, ha="center", va="center", bbox=box, family="monospace")
    ax.set(xlim=(0, 1), ylim=(0.5 - len(layers), 0.5))
    ax.set_axis_off()
    return figure


def history(folder=RESULTS / "history"):
    """The five figures over time, one panel each; `None` where nothing was kept."""
    kept = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    if not kept:
        return None
    names = list(dict.fromkeys(name for one in kept for name in one["figures"]))
    figure = Figure(figsize=(9, 4.6), dpi=120, layout="constrained")
    axes = figure.subplots(2, 3)
    processors = sorted({one["processor"] for one in kept})
    markers = dict(zip(processors, itertools.cycle("osv^D")))
    for ax, name in zip(axes.flat, names):
        for (backend, title), processor in itertools.product(TITLES.items(), processors):
            of_line = [
                (one["date"], one["figures"][name])
                for one in kept
                if one["backend"] == backend
                and one["processor"] == processor
                and name in one["figures"]
            ]
            if of_line:
                dates = np.array([date for date, _ in of_line], "datetime64[D]")
                ratios = np.array([figure["ratio"] for _, figure in of_line])
                style = {"color": COLOURS[title], "marker": markers[processor], "ms": 4}
                known = ax.get_legend_handles_labels()[1]
                ax.plot(dates, ratios, label=None if title in known else title, **style)
        reference = "the import of Keras" if name == "import" else "a plain step"
        ax.set_title(f"{name}, × {reference}", fontsize=9)
        ax.set_ylim(0, 1.15 * max(ax.dataLim.y1, 1))
        every = max(1, len({one["date"] for one in kept}) // 3)
        ax.set_xticks(sorted({np.datetime64(one["date"]) for one in kept})[::every])
        ax.tick_params(labelsize=8)
        ax.spines[["top", "right"]].set_visible(False)
    for ax in axes.flat[len(names) :]:
        ax.set_axis_off()
    axes.flat[-1].legend(
        *axes.flat[0].get_legend_handles_labels(), loc="center", fontsize=9
    )
    shapes = dict(zip("osv^D", "●■▼▲◆"))
    shown = "; ".join(f"{shapes[markers[name]]} {name}" for name in processors)
    text = f"benchmarks/results/history/, {len(kept)} results; {shown}; GPU: not measured"
    figure.supxlabel(text, fontsize=7, color="0.35", x=0.99, ha="right")
    return figure


def table(name):
    """The first table of a result, as a list of rows by column."""
    lines = (RESULTS / f"{name}.md").read_text().splitlines()
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in lines
        if line[:1] == "|"
    ]
    return rows[0], rows[2:]


def stamp(name):
    """When and with what a result was measured, and the commit that brought it."""
    text = (RESULTS / f"{name}.md").read_text()
    (measured,) = re.findall(r"^(\d{4}-\d\d-\d\d, .*?)\.$", text, re.M)
    command = ["git", "log", "-1", "--format=%h", "--", f"benchmarks/results/{name}.md"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    commit = f", commit {run.stdout.strip()}" if run.stdout.strip() else ""
    return f"benchmarks/results/{name}.md{commit}\n{measured}"


def bars(figure, rows, column, label):
    """Bars of a column, the first on top, coloured by backend, with the range of rounds."""
    names = [row[0] for row in rows]
    values, *ranges = zip(*(ranged(row[column]) for row in rows))
    ranges = list(zip(*ranges))
    ax = figure.subplots()
    places = np.arange(len(names))[::-1]
    colours = [COLOURS[name.split(":")[0]] for name in names]
    ax.barh(places, values, color=colours)
    ax.hlines(places, *np.transpose(ranges), color="0.2", lw=1)
    for place, value, (_, high) in zip(places, values, ranges):
        ax.text(high, place, f"  {value:.2g}", va="center", fontsize=8)
    ax.set_yticks(places, names, fontsize=8)
    ax.set(xlabel=label, xlim=(0, 1.15 * np.max(ranges)))
    ax.spines[["top", "right"]].set_visible(False)


def ranged(cell):
    """The three numbers of `1.14 (1.04 to 1.26)`."""
    return tuple(float(number) for number in re.findall(r"[\d.]+", cell))


def penalty_step(figure):
    figure.set_size_inches(8, 6.2)
    bars(
        figure,
        table("penalty_step")[1],
        2,
        "times a plain step of the same backend (line: range of rounds)",
    )
    return "penalty_step"


def penalty_growth(figure):
    rows = [row for row in table("penalty_growth")[1] if row[2] == "28"]
    axes = figure.subplots(1, 2)
    for name in dict.fromkeys(row[0] for row in rows):
        of_name = np.array([row[1:] for row in rows if row[0] == name], "float64")
        label = name.removeprefix("TensorFlow: ")
        axes[0].plot(of_name[:, 0], of_name[:, 2], ".-", label=label)
        axes[1].plot(of_name[:, 0], of_name[:, 3], ".-")
    axes[0].set(ylabel="seconds a step of 32 images")
    axes[1].set(ylabel="peak memory, MiB")
    for ax in axes:
        ax.set(xscale="log", yscale="log", xlabel="entries of the code")
        ax.set_xticks([8, 32, 128, 512], ["8", "32", "128", "512"])
        ax.grid(alpha=0.3)
    figure.legend(loc="outside upper center", ncols=3, fontsize=7)
    return "penalty_growth"


def penalty_probes(figure):
    header, rows = table("penalty_probes")
    probes = [int(count) for count in header[2:]]
    ax = figure.subplots()
    for _, kind, *shares in (row for row in rows if row[0] == "plain"):
        errors = [float(share.rstrip(" %")) for share in shares]
        ax.plot(probes, errors, ".-", label=kind)
    ax.set(xscale="log", xlabel="probes", ylabel="standard error, %")
    ax.set_xticks(probes, probes)
    ax.grid(alpha=0.3)
    ax.legend()
    return "penalty_probes"


def tangents_images(figure):
    rows = [row for row in table("tangents_images")[1] if row[1] == "1,000"]
    bars(
        figure,
        rows,
        4,
        "times keras_manifold on the same backend (line: range of rounds)",
    )
    return "tangents_images"


def memory(figure):
    rows = table("tangents_memory")[1]
    ax = figure.subplots()
    for way in dict.fromkeys(row[0] for row in rows):
        numbers = [
            [cell.replace(",", "") for cell in row[1:]] for row in rows if row[0] == way
        ]
        images, _, peak, _ = np.array(numbers, "float64").T
        ax.plot(images, peak, ".-", label=way.replace("`", ""))
    ax.set(xlabel="images", ylabel="peak memory, MiB", ylim=(0, None))
    ax.grid(alpha=0.3)
    ax.legend()
    return "tangents_memory"
