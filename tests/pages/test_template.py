import json
import re

import numpy as np
import pytest

import keras_manifold as km
from keras_manifold import plot
from keras_manifold.plot import _palette

ORANGE = (255, 153, 0, 255)


def test_nothing_in_the_page_points_outside_of_it(tmp_path, write_tangents):
    write_tangents(tmp_path, 0)
    text = km.report(tmp_path).read_text("utf-8")
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)[1]
    assert policy.startswith(
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha"
    )
    assert "img-src data:;" in policy
    # Names of XML namespaces and the library's own heading are all the addresses.
    addresses = set(re.findall(r"https?://([^/\s\"'`)]+)", text))
    assert addresses == {"www.w3.org", "d3js.org"}
    (icon,) = re.findall(r"<link\b[^>]*>", text)
    assert 'rel="icon" href="data:image/svg+xml,' in icon
    assert not re.search(r"<(iframe|object|embed|base)\b|<script[^>]*\ssrc=|@import", text)
    assert "{{" not in re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)


def rgba(data):
    """Colours of a canvas, in a list of bytes, as a set."""
    return {tuple(data[i : i + 4]) for i in range(0, len(data), 4)}


def test_page_and_figures_give_numbers_the_same_colours(
    tmp_path, browse, pixels, write_tangents
):
    arrays = write_tangents(tmp_path, 1)
    page = browse(km.report(tmp_path), color_scheme="light")
    shown = np.reshape(pixels(page, ".vectors canvas", 1), (6, 6, 4))[..., :3]
    vectors = arrays["vectors"][0, :, ..., 0]
    figure = plot.image_grid([vectors[None, 1]], signed=True)
    drawn = figure.axes[0].images[0].get_array()[..., :3]
    # The figure's scale is that of one vector, the page's that of the sample.
    figure = plot.image_grid([vectors], signed=True)
    drawn = figure.axes[0].images[0].get_array()[:, 7:13, :3]
    # The page knows 31 steps, and a colour's slope is at most 1.22 in the map's length.
    np.testing.assert_allclose(shown, drawn, atol=255 * 3.1 / 60 + 1)
    bar = np.reshape(pixels(page, ".scale canvas"), (256, 4))[:, :3]
    expected = 255 * _palette.colours_of(np.linspace(0, 1, 256), signed=True)
    np.testing.assert_allclose(bar, expected, atol=0.51)


@pytest.mark.parametrize(
    ("shape", "scheme"),
    [((6, 6, 1), "light"), ((6, 6, 3), "light"), ((40, 2), "dark"), ((12,), "light")],
)
def test_what_is_not_finite_is_orange_on_the_page(
    tmp_path, browse, pixels, write_tangents, shape, scheme
):
    arrays = write_tangents(tmp_path, 1, shape=shape)
    arrays["vectors"][0, 1].flat[5] = np.nan
    arrays["vectors"][0, 2].flat[5] = np.inf
    np.savez(tmp_path / "tangent_space_0001.npz", **arrays)
    page = browse(km.report(tmp_path), color_scheme=scheme)
    is_orange = [ORANGE in rgba(pixels(page, ".vectors canvas", i)) for i in range(4)]
    assert is_orange == [False, True, True, False]


def test_runs_have_the_colours_of_the_figures(tmp_path, browse, write_scalars):
    run = {"loss": [3.0, 2.0], "val_loss": [4.0, 3.0]}
    rows = [[i + 1, *values] for i, values in enumerate(zip(*run.values()))]
    write_scalars(tmp_path, [["step", *run], *rows])
    page = browse(km.report(tmp_path), color_scheme="light")
    colours = page.locator("#curves g[aria-label=line] path").evaluate_all(
        "all => all.map(line => getComputedStyle(line).stroke)"
    )
    names = [(run, "-"), ({"loss": [2.5]}, "-")]
    figure = plot.learning_curves({str(i): run for i, (run, _) in enumerate(names)})
    from matplotlib.colors import to_rgb

    drawn = [to_rgb(line.get_color()) for line in figure.axes[0].lines]
    first, second = drawn[0], drawn[-1]
    found = [tuple(int(v) / 255 for v in re.findall(r"\d+", c)) for c in colours]
    assert found == [first, second]


def test_quantities_have_the_titles_of_the_figures(
    tmp_path, browse, write_scalars, write_tangents
):
    names = ["loss", "contractive_penalty", "my_metric"]
    write_tangents(tmp_path, 1)
    watched = ["tangent_dimension", "tangent_norm", "tangent_top", "tangent_drift"]
    run = {name: [1.0, 2.0] for name in [*names, *watched]}
    rows = [[i + 1, *values] for i, values in enumerate(zip(*run.values()))]
    write_scalars(tmp_path, [["step", *run], *rows])
    page = browse(km.report(tmp_path))
    shown = page.locator("#curves h3").all_inner_texts()
    figure = plot.learning_curves(run)
    titles = {ax.get_title() for ax in figure.axes if ax.get_title()}
    # The page draws the norm and the largest singular value in one panel.
    (keys,) = page.locator("#curves figure", has_text="tangent norm").locator(".key").all()
    series = {f"tangent {text}" for text in keys.locator("li").all_inner_texts()}
    assert titles == set(shown) - {"tangent norm"} | series


def test_titles_say_of_which_part_numbers_and_pictures_are(
    tmp_path, browse, write_scalars, write_tangents
):
    write_tangents(tmp_path, 1)
    run = [
        [
            "step",
            "tangent_dimension",
            "tangent_norm",
            "tangent_norm_error",
            "tangent_drift",
        ]
    ]
    write_scalars(tmp_path, [*run, [1, 3.0, 2.0, 0.1, 0.0], [2, 2.0, 1.0, 0.1, 0.5]])
    facts = {"watches": {"tangent": {"of": "encoder"}}}
    (tmp_path / "run.json").write_text(json.dumps(facts))
    page = browse(km.report(tmp_path))
    assert page.locator("#tangents-title").inner_text() == "Tangent vectors of the encoder"
    assert page.locator("#curves h3").all_inner_texts() == [
        "tangent norm error of the encoder",
        "tangent dimension of the encoder",
        "tangent norm of the encoder",
        "tangent drift of the encoder, radians",
    ]
    assert "Tangent dimension of the encoder fell from" in page.inner_text("#summary")
