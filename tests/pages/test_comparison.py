import csv
import io
import json
import re

import numpy as np
import pytest

import keras_manifold as km


@pytest.fixture
def three(tmp_path, write_scalars, write_tangents):
    """Two runs of one label and another."""
    folders = []
    for i, (loss, seed) in enumerate([(1.0, 0), (3.0, 1), (5.0, 0)]):
        folders.append(tmp_path / f"run{i}")
        write_tangents(folders[-1], 1, shape=(8, 8, 1), seed=i)
        write_scalars(folders[-1], [["step", "loss"], [0, 9.0], [1, loss]])
        setup = {"seed": seed, "optimizer": {"class": "Adam", "rate": 0.01}}
        (folders[-1] / "run.json").write_text(json.dumps(setup))
    return km.report(folders, tmp_path / "compare.html", labels=["a", "a", "b"])


def test_runs_of_one_label_are_shown_as_mean_and_spread(three, browse):
    page = browse(three)
    cells = page.locator('#numbers [data-name="loss"] td').all_inner_texts()
    assert cells == ["2 ± 1.4", "5"]
    letters = page.locator("#curves .chart").first.locator(".letter").all_text_contents()
    assert sorted(letters) == ["A", "B"]
    headings = page.locator("#tangents h3").all_inner_texts()
    assert headings == ["Aa, 1", "Aa, 2", "Bb"]


def test_the_legend_switches_runs_off_and_the_address_says_so(three, browse, shown):
    page = browse(three)
    legend = page.get_by_role("group", name="Runs that are shown")
    legend.get_by_role("button", name="a (2 runs)").click()
    page.wait_for_function("document.querySelectorAll('#tangents h3').length === 1")
    assert page.locator('#numbers [data-name="loss"] td').all_inner_texts() == ["5"]
    assert "hide=a" in page.url
    # The last one stays.
    legend.get_by_role("button", name="b").click()
    assert page.locator("#tangents h3").count() == 1


def test_what_differs_in_the_setup_comes_first(three, browse):
    page = browse(three)
    table = page.locator("#setup table").first
    assert table.locator("tbody tr").all_inner_texts() == ["seed\t0\t1\t0"]
    page.locator("#setup .rest summary").click()
    same = page.locator("#setup .rest tbody tr").all_inner_texts()
    assert same == ["\t".join(["optimizer", *["Adam(rate 0.01)"] * 3])]


def test_what_is_not_set_does_not_differ_from_what_an_older_version_did_not_write(
    tmp_path, browse, write_scalars
):
    old = {"noise": {"class": "GaussianNoise", "stddev": 0.3}, "watches": {"a": {"k": 8}}}
    new = {
        "noise": {"seed": None, "stddev": 0.3, "class": "GaussianNoise"},
        "watches": {"a": {"bands": None, "k": 8}},
        "parameters": None,
        "loss": "mse",
    }
    for name, setup in (("old", old), ("new", new)):
        write_scalars(tmp_path / name, [["step", "loss"], [1, 2.0]])
        (tmp_path / name / "run.json").write_text(json.dumps(setup))
    folders = [tmp_path / "old", tmp_path / "new"]
    page = browse(km.report(folders, tmp_path / "compare.html"))
    rows = page.locator("#setup table").first.locator("tbody tr").all_inner_texts()
    assert rows == ["loss\t–\tmse"]


def test_numbers_and_charts_are_saved(three, browse, tmp_path):
    page = browse(three)

    def saved(name):
        with page.expect_download() as download:
            page.get_by_role("button", name=name).click()
        return download.value.suggested_filename, download.value.path().read_bytes()

    name, content = saved("Save the numbers as CSV")
    assert name == "numbers.csv"
    rows = list(csv.DictReader(io.StringIO(content.decode())))
    found = [row["loss"] for row in rows if row["run"] == "a, 2"]
    assert found == ["9", "3"]
    assert b"| loss | 2 \xc2\xb1 1.4 | 5 |" in saved("Save the numbers as Markdown")[1]
    latex = saved("Save the numbers as LaTeX")[1].decode()
    assert "loss & 2 $\\pm$ 1.4 & 5 \\\\" in latex
    assert "tangent\\_norm" in latex
    name, content = saved("Save loss as SVG")
    assert name == "loss.svg"
    assert content.startswith(b"<svg")
    assert b"var(--" not in content
    name, content = saved("Save loss as PNG")
    assert content.startswith(b"\x89PNG")


def test_curves_have_a_logarithmic_axis_and_a_zoom_that_tells_what_is_cut(
    tmp_path, browse, write_scalars
):
    write_scalars(
        tmp_path, [["step", "loss"], *([i, 1000.0 if i == 0 else 1 / i] for i in range(50))]
    )
    page = browse(km.report(tmp_path))

    def domain(axis):
        return page.locator("#curves .chart svg").evaluate(
            f"chart => chart.scale({axis!r}).domain"
        )

    page.get_by_role("checkbox", name="Logarithmic").check()
    assert domain("y") == pytest.approx([1 / 49, 1000])
    page.get_by_role("checkbox", name="Logarithmic").uncheck()
    page.locator("#from").fill("10")
    page.locator("#from").press("Enter")
    page.wait_for_selector("#curves figcaption")
    assert domain("x") == [10, 49]
    assert domain("y")[1] <= 0.1
    text = page.locator("#curves figcaption").inner_text()
    assert text == "10 values cut at the sides, from 0.1111 to 1000."
    page.get_by_role("button", name="Show all").click()
    assert domain("x") == [0, 49]
    page.get_by_role("checkbox", name="Without outliers").check()
    assert domain("y")[1] < 2
    assert "beyond the panel, at the triangles" in page.inner_text("#curves figcaption")


def test_latent_codes_are_points_that_choose_samples(tmp_path, browse, write_tangents):
    arrays = write_tangents(tmp_path, 1)
    codes = np.float32([[0, 0], [1, 0], [1, 1]])
    metric = np.repeat(np.diag(np.float32([4, 1]))[None], 3, axis=0)
    np.savez(tmp_path / "tangent_space_0001.npz", **arrays, codes=codes, metric=metric)
    page = browse(km.report(tmp_path))
    chart = page.locator("#latent .chart svg")
    dots = chart.locator("g[aria-label=dot]").first.locator("circle")
    assert dots.count() == 3
    assert chart.locator("g[aria-label=line] path").count() == 3, "an ellipse each"
    assert "from centre to edge" in page.inner_text("#latent figcaption")
    dots.nth(2).click(force=True)
    page.wait_for_selector("#sample-2:checked")
    page.wait_for_selector('.vectors button[aria-label*="at sample 3,"]')
    assert "sample=3" in page.url


@pytest.fixture
def write_field(write_reconstructions):
    def write_field(folder, step, field):
        arrays = write_reconstructions(folder, step, shape=(2,), noise=False)
        field = np.float32(field)
        np.savez(folder / f"reconstruction_{step:04d}.npz", **arrays, field=field)

    return write_field


def lengths_of_arrows(page):
    """In pixels, without heads: paths begin with `Mx1,y1Lx2,y2`."""
    paths = page.locator("#field .chart g[aria-label=arrow] path").evaluate_all(
        "all => all.map((one) => one.getAttribute('d'))"
    )
    ends = [re.findall(r"-?[\d.]+", path)[:4] for path in paths]
    return [np.hypot(*np.subtract(*np.float64(end).reshape(2, 2))) for end in ends]


def test_arrows_show_where_the_model_moves_points(tmp_path, browse, write_field):
    write_field(
        tmp_path, 1, [[[0, 0], [0.3, 0.4]], [[1, 0], [0.5, 0]], [[0, 1], [np.nan, 1]]]
    )
    page = browse(km.report(tmp_path))
    chart = page.locator("#field .chart svg")
    assert chart.locator("g[aria-label=arrow] path").count() == 2
    assert chart.locator("g[aria-label=dot] circle").count() == 4
    note = page.inner_text("#field figcaption")
    assert "The longest of all stands for 0.500" in note
    assert "Some arrows are not finite" in note


def test_a_field_that_shrinks_in_training_is_drawn_shrinking(
    tmp_path, browse, shown, write_field
):
    grid = np.stack(np.meshgrid([1, 2, 3], [1, 2, 3]), -1).reshape(-1, 2)
    for step, share in ((1, 0.8), (2, 0.2)):
        write_field(tmp_path, step, np.stack([grid, (1 - share) * grid], axis=1))
    page = browse(km.report(tmp_path))
    note = page.inner_text("#field figcaption")
    assert "stands for 3.39, the longest here for 0.849" in note
    last = np.array(lengths_of_arrows(page))
    page.get_by_role("slider", name="Snapshot").focus()
    page.keyboard.press("ArrowLeft")
    shown(page, 1)
    np.testing.assert_allclose(lengths_of_arrows(page), 4 * last, atol=0.02)


def test_a_snapshot_that_diverged_does_not_make_the_arrows_of_others_small(
    tmp_path, browse, shown, write_field
):
    grid = np.stack(np.meshgrid([1, 2, 3], [1, 2, 3]), -1).reshape(-1, 2)
    for step, moved in ((1, 0.8), (2, 0.05), (3, 1e6)):
        write_field(tmp_path, step, np.stack([grid, (1 - moved) * grid], axis=1))
    page = browse(km.report(tmp_path))
    assert "a factor of this snapshot's own" in page.inner_text("#field figcaption")
    slider, lengths = page.get_by_role("slider", name="Snapshot"), {}
    slider.focus()
    for step in (3, 2, 1):
        lengths[step] = np.array(lengths_of_arrows(page))
        if step > 1:
            page.keyboard.press("ArrowLeft")
            shown(page, step - 1)
    assert "by one factor at all snapshots" in page.inner_text("#field figcaption")
    np.testing.assert_allclose(lengths[1], lengths[3], atol=0.02)
    np.testing.assert_allclose(lengths[2], lengths[1] / 16, atol=0.02)


def test_axes_of_a_field_have_the_names_of_columns_and_scales_that_suit_them(
    tmp_path, browse, write_field
):
    names = ["age", "income"]
    watches = {"reconstruction": {"feature_names": names}}
    (tmp_path / "run.json").write_text(json.dumps({"watches": watches}))
    corners = np.stack(np.meshgrid([0, 1], [0, 1000]), -1).reshape(-1, 2)
    write_field(tmp_path, 1, np.stack([corners, corners * [0.5, 0.5]], axis=1))
    page = browse(km.report(tmp_path))
    for axis, name in zip("xy", names):
        label = page.locator(f"#field .chart g[aria-label='{axis}-axis label'] text")
        assert name in label.text_content()
    assert "a scale of its own" in page.inner_text("#field figcaption")
