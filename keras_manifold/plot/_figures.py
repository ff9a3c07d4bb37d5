"""What all figures begin with: an empty one that no global state knows."""


def figure_of_size(width, height, title, layout="constrained"):
    from keras_manifold.plot._shown import Figure

    figure = Figure(figsize=(width, height), dpi=120, layout=layout)
    if title is not None:
        figure.suptitle(title)
    return figure
