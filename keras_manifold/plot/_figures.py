"""What all figures share: colours, and an empty figure that no global state knows."""

SIGNED = "RdBu_r"
UNSIGNED = "gray"
NOT_FINITE = (1.0, 0.6, 0.0)  # orange, which neither of the two holds


def figure_of_size(width, height, title, layout="constrained"):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=120, layout=layout)
    if title is not None:
        figure.suptitle(title)
    return figure
