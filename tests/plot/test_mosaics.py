import numpy as np
import pytest
from matplotlib.colors import to_hex

from keras_manifold import plot


def collections(figure):
    zeros, gaps, bars, lines, _ = figure.axes[0].collections
    return zeros, gaps, bars, lines


def test_a_series_is_a_line_for_each_channel_within_its_panel():
    t = np.linspace(0, 1, 50)
    x = np.stack([t, 1 - t], axis=-1)
    figure = plot.image_grid([x[None], x[None]])
    _, _, bars, lines = collections(figure)
    assert len(bars.get_paths()) == 0
    assert [to_hex(c) for c in lines.get_colors()] == ["#0063a8", "#b54800"] * 2
    paths = [path.vertices for path in lines.get_paths()]
    rising, falling = paths[:2]
    # The y axis points down. Panels are 48 by 27, with a margin of 6 %.
    np.testing.assert_allclose(rising[:, 0], -0.5 + (np.arange(50) + 0.5) * 48 / 50)
    np.testing.assert_allclose(
        rising[:, 1], np.linspace(26.5 - 1.62, -0.5 + 1.62, 50), atol=1e-9
    )
    np.testing.assert_allclose(falling[:, 1], rising[::-1, 1], atol=1e-9)
    np.testing.assert_allclose(paths[2] - rising, [[0, 27 + 2]] * 50)


def test_a_small_table_is_bars_from_zero():
    figure = plot.image_grid(np.array([[[1.0, -1.0, 0.5]]]), signed=True)
    zeros, _, bars, lines = collections(figure)
    assert len(lines.get_paths()) == 0
    zero = zeros.get_segments()[0][0][1]
    assert zero == pytest.approx(13.0)  # the middle
    heights = [zero - path.vertices[1, 1] for path in bars.get_paths()]
    np.testing.assert_allclose(heights, np.array([1, -1, 0.5]) * (13.5 - 1.62))


def test_entries_that_are_not_finite_are_gaps_marked_in_orange(recwarn, tmp_path):
    x = np.linspace(0, 1, 40)[:, None] * np.ones(2)
    x[5, 1], x[7] = np.nan, np.inf
    figure = plot.image_grid(x[None, None])
    _, gaps, _, lines = collections(figure)
    assert to_hex(gaps.get_colors()[0]) == "#ff9900"
    places = [segment[0][0] for segment in gaps.get_segments()]
    np.testing.assert_allclose(places, -0.5 + (np.array([5, 7]) + 0.5) * 48 / 40)
    assert [np.isnan(p.vertices[:, 1]).sum() for p in lines.get_paths()] == [1, 2]
    figure.savefig(tmp_path / "figure.png")
    assert list(recwarn) == []


def test_labels_of_panels_are_complete(is_complete, texts):
    figure = plot.image_grid(
        np.zeros((2, 3, 40, 2)),
        row_labels=["a rather long label of a row", "short"],
        column_labels=["one", "two", "three"],
        title="A title",
        signed=[True, False],
    )
    assert is_complete(figure)
    assert {"scale\n±1.0", "scale\n0 to 1", "one", "short"} <= set(texts(figure))
