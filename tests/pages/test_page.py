import numpy as np
import pytest

import keras_manifold as km
from keras_manifold.pages._reports import write_page


def test_snapshots_by_batches_are_said_to_be_such(run, browse, numbers, write_scalars):
    folder, _ = run
    write_scalars(folder, [["step", "epoch"], [4, 1]], "batches_scalars.csv")
    page = browse(km.report(folder))
    slider = page.get_by_role("slider", name="Snapshot")
    assert slider.get_attribute("aria-valuetext") == "batch 4 of 4"
    assert "at batch 4" in page.inner_text("#facts")
    assert "epoch" not in page.inner_text("#curves").lower()
    assert numbers(page, '#numbers [data-name="epoch"]') == 1


def test_the_slider_moves_by_keyboard_and_all_that_is_shown_moves_with_it(
    run, browse, numbers, pixels, shown
):
    folder, snapshots = run
    page = browse(km.report(folder))
    slider = page.get_by_role("slider", name="Snapshot")
    assert slider.get_attribute("aria-valuetext") == "epoch 4 of 4"
    before = pixels(page, ".vectors canvas"), pixels(page, ".strips canvas")
    slider.focus()
    page.keyboard.press("ArrowLeft")
    shown(page, 3)
    assert slider.get_attribute("aria-valuetext") == "epoch 3 of 4"
    assert pixels(page, ".vectors canvas") != before[0]
    assert pixels(page, ".strips canvas") != before[1]
    np.testing.assert_array_equal(
        np.float32(numbers(page, ".vectors")), snapshots[3]["singular_values"][0]
    )
    assert numbers(page, '#numbers [data-name="loss"]') == 1 / 4
    assert numbers(page, '#numbers [data-name="tangent_drift"]') == 0.5 / 3
    page.keyboard.press("Home")
    shown(page, 0)
    np.testing.assert_array_equal(
        np.float32(numbers(page, ".vectors")), snapshots[0]["singular_values"][0]
    )
    assert numbers(page, '#numbers [data-name="loss"]').size == 0
    sigma = snapshots[0]["spectrum"].astype("float64")
    expected = np.sqrt((sigma**2).sum(axis=1)).mean()
    np.testing.assert_allclose(
        numbers(page, '#numbers [data-name="tangent_norm"]'), expected, rtol=1e-12
    )


def test_buttons_and_arrow_keys_move_the_slider_and_play_runs_to_the_end(
    run, browse, shown
):
    page = browse(km.report(run[0]))
    page.get_by_role("button", name="Previous snapshot").click()
    shown(page, 3)
    assert not page.get_by_label("Follow the last snapshot").is_checked()
    page.locator("h1").click()
    page.keyboard.press("ArrowLeft")
    shown(page, 2)
    page.get_by_role("button", name="Next snapshot").click()
    shown(page, 3)
    page.get_by_label("Follow the last snapshot").check()
    shown(page, 4)
    assert page.get_by_role("button", name="Next snapshot").is_disabled()
    page.get_by_role("button", name="Play").click()
    shown(page, 1)
    assert page.get_by_role("button", name="Play").get_attribute("aria-pressed") == "true"
    shown(page, 4)
    assert page.get_by_role("button", name="Play").get_attribute("aria-pressed") == "false"


def test_samples_are_chosen_by_keyboard(run, browse, numbers, pixels):
    folder, snapshots = run
    page = browse(km.report(folder))
    before = pixels(page, ".vectors canvas")
    page.get_by_role("radio", name="Sample 1").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_selector('.vectors button[aria-label*="at sample 2,"]')
    np.testing.assert_array_equal(
        np.float32(numbers(page, ".vectors")), snapshots[4]["singular_values"][1]
    )
    assert pixels(page, ".vectors canvas") != before
    # The arrow keys of the choice are its own.
    assert page.get_by_role("slider").get_attribute("aria-valuetext") == "epoch 4 of 4"


def test_curves_tell_their_values_and_take_the_slider_where_one_clicks(run, browse, shown):
    page = browse(km.report(run[0]))
    chart = page.locator("#curves figure", has_text="validation").first.locator(
        ".chart svg"
    )
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    middle = box["x"] + 48 + (box["width"] - 60) / 2  # epoch 2 of 0 to 4, between margins
    page.mouse.move(middle, box["y"] + 100)
    tip = chart.locator("g[aria-label=tip]")
    tip.get_by_text("training").wait_for()
    text = tip.text_content()
    for part in ("epoch 2", "training: 0.3333", "validation: –"):
        assert part in text
    page.mouse.click(middle, box["y"] + 100)
    shown(page, 2)


def test_not_a_number_is_a_gap_and_an_empty_cell_is_none(tmp_path, browse, write_scalars):
    rows = [
        [s, 1.0 + s, "nan" if s == 30 else s, s if s % 5 == 0 else ""] for s in range(60)
    ]
    write_scalars(tmp_path, [["step", "whole", "torn", "sparse"], *rows])
    page = browse(km.report(tmp_path))
    pieces = {
        name: page.locator("#curves figure", has_text=name)
        .locator("g[aria-label=line] path")
        .get_attribute("d")
        .count("M")
        for name in ("whole", "torn", "sparse")
    }
    assert pieces == {"whole": 1, "torn": 2, "sparse": 1}
    # Where rounding adds a digit, and ticks that all have labels.
    texts = page.evaluate("[formatted(99.97, 2), formatted(99.4, 2), formatted(9999.7)]")
    assert texts == ["100", "99", "10000"]
    for (low, high), ticks in {
        (0.3, 1.2): [0.4, 0.6, 0.8, 1.0, 1.2],
        (0.09, 3): [0.1, 0.2, 0.5, 1, 2],
        (0.002, 3): [0.01, 0.1, 1],
    }.items():
        assert page.evaluate(f"logTicks([{low}, {high}])") == ticks


def test_a_run_that_goes_on_is_loaded_again_and_the_slider_stays(
    run, browse, shown, write_tangents
):
    folder, _ = run
    page = browse(write_page(folder, running=True), clock=True)
    page.get_by_role("button", name="Previous snapshot").click()
    page.get_by_role("slider").focus()
    shown(page, 3)
    write_tangents(folder, 5, shape=(8, 8, 1))
    write_page(folder, running=True)
    with page.expect_navigation():
        page.clock.fast_forward(301_000)
    shown(page, 3)
    assert page.get_by_role("slider").get_attribute("aria-valuetext") == "epoch 3 of 5"
    assert page.evaluate("document.activeElement.id") == "slider"
    page.get_by_label("Follow the last snapshot").check()
    write_tangents(folder, 6, shape=(8, 8, 1))
    km.report(folder)
    with page.expect_navigation():
        page.clock.fast_forward(301_000)
    shown(page, 6)
    # The run is over.
    page.evaluate("window.isTheSame = true")
    page.clock.fast_forward(600_000)
    page.wait_for_timeout(300)
    assert page.evaluate("window.isTheSame === true")


def test_runs_stand_side_by_side_on_one_scale(
    tmp_path, browse, pixels, write_scalars, write_tangents
):
    folders, snapshots = [], []
    for seed, name in enumerate(("plain", "denoising", "contractive")):
        folders.append(tmp_path / name)
        snapshots.append(write_tangents(folders[-1], 1, shape=(8, 8, 1), seed=seed))
        write_scalars(folders[-1], [["step", "loss"], [1, 1.0 + seed], [2, 0.5 + seed]])
    page = browse(km.report(folders, tmp_path / "compare.html"))
    columns = page.locator("#tangents .runs > div")
    names = ["plain", "denoising", "contractive"]
    for heading, letter, name in zip(columns.locator("h3").all(), "ABC", names):
        assert heading.inner_text() == letter + name
    for column, snapshot in zip(columns.all(), snapshots):
        values = column.locator(".vectors data").evaluate_all(
            "all => all.map(d => Number(d.value))"
        )
        np.testing.assert_array_equal(np.float32(values), snapshot["singular_values"][0])
    limit = max(np.abs(snapshot["vectors"][0]).max() for snapshot in snapshots)
    scales = columns.locator(".scale").all_inner_texts()
    assert len(set(scales)) == 1
    assert f"+{limit:.4g}" in scales[0]
    lines = page.locator("#spectrum g[aria-label=line] path")
    assert lines.count() == 3
    letters = page.locator("#spectrum .letter")
    assert sorted(letters.all_text_contents()) == ["A", "B", "C"]
    # Only where the largest entry of all runs stands is the colour the strongest.
    strongest = {(103, 0, 31), (5, 48, 97)}
    vectors = np.concatenate([snapshot["vectors"][0] for snapshot in snapshots])
    largest = np.abs(vectors).max(axis=(1, 2, 3))
    for i in range(len(vectors)):
        data = pixels(page, ".vectors canvas", i)
        colours = {tuple(data[p : p + 3]) for p in range(0, len(data), 4)}
        if largest[i] == limit:
            assert colours & strongest
        elif largest[i] < 0.95 * limit:
            assert not colours & strongest
    letters = page.locator("#curves .chart").first.locator(".letter")
    assert sorted(letters.all_text_contents()) == ["A", "B", "C"]


@pytest.mark.parametrize("shape", [(8, 8, 3), (12,), (40, 2), (2, 3, 4, 5)])
def test_samples_of_other_shapes_are_drawn(
    tmp_path, browse, shape, pixels, write_reconstructions, write_tangents
):
    write_tangents(tmp_path, 1, shape=shape)
    write_reconstructions(tmp_path, 1, shape=shape)
    page = browse(km.report(tmp_path), color_scheme="dark")
    for selector in (".vectors canvas", ".strips canvas", ".samples canvas"):
        data = pixels(page, selector)
        colours = {tuple(data[i : i + 4]) for i in range(0, len(data), 4)}
        if len(shape) == 3:
            assert len(colours) > 32
        else:
            assert (0x74, 0xBB, 0xF2, 255) in colours  # the first colour of dark pages


def test_several_callbacks_of_a_kind_are_chosen_from(
    tmp_path, browse, numbers, write_tangents
):
    snapshots = [
        write_tangents(tmp_path, 1, name=name, seed=i) for i, name in enumerate("ab")
    ]
    page = browse(km.report(tmp_path))
    choice = page.get_by_label("Tangent spaces of")
    assert choice.locator("option").all_inner_texts() == ["a", "b"]
    for snapshot, name in zip(snapshots, "ab"):
        choice.select_option(name)
        sigma = snapshot["singular_values"][0]
        page.wait_for_selector(f'.vectors data[value="{sigma[0]!s}"]')
        np.testing.assert_array_equal(np.float32(numbers(page, ".vectors")), sigma)


def test_pictures_of_samples_say_where_they_come_from(
    tmp_path, browse, pixels, write_reconstructions, write_tangents
):
    arrays = write_tangents(tmp_path, 1)
    note = browse(km.report(tmp_path)).locator("#samples .note").inner_text()
    assert note == "Pictures: the first tangent vector of each."
    write_reconstructions(tmp_path, 1)
    note = browse(km.report(tmp_path)).locator("#samples .note").inner_text()
    assert note == "Pictures: inputs of the reconstructions, taken to be the same samples."
    samples = np.linspace(0, 1, 3 * 36).reshape(3, 6, 6, 1)
    np.savez(tmp_path / "tangent_space_0001.npz", **arrays, input=samples)
    page = browse(km.report(tmp_path))
    assert page.locator("#samples .note").inner_text() == ""
    greys = np.reshape(pixels(page, ".samples canvas", 1), (6, 6, 4))[..., 0]
    np.testing.assert_allclose(greys / 255, samples[1, ..., 0], atol=0.01)


@pytest.mark.parametrize("samples", [1, 16])
def test_one_snapshot_is_enough(tmp_path, browse, samples, write_tangents):
    write_tangents(tmp_path, 7, samples=samples)
    page = browse(km.report(tmp_path))
    assert page.get_by_role("slider").get_attribute("aria-valuetext") == "epoch 7 of 7"
    assert page.locator(".vectors canvas").count() == 4


def test_a_link_opens_the_page_where_it_was(run, browse, shown):
    page = browse(km.report(run[0]), link="#epoch=2&sample=3")
    shown(page, 2)
    assert page.get_by_role("radio", name="Sample 3").is_checked()
    assert not page.get_by_label("Follow the last snapshot").is_checked()
    page.get_by_role("button", name="Next snapshot").click()
    shown(page, 3)
    assert page.url.endswith("#epoch=3&sample=3")
    page.evaluate("location.hash = '#epoch=1&sample=1'")
    shown(page, 1)
    assert page.get_by_role("radio", name="Sample 1").is_checked()


def test_a_run_without_news_is_said_to_have_ended_perhaps(run, browse):
    page = browse(write_page(run[0], running=True), clock=True)
    assert page.locator("#news").is_hidden()
    page.evaluate("document.querySelector('#follow').focus()")
    page.evaluate("document.querySelector('.vectors button').click()")  # in use: no reload
    page.clock.run_for(40 * 60_000 + 31_000)
    text = page.locator("#news").text_content()
    assert text.startswith("No news for 40 minutes: it may have ended.")


def test_each_chart_explains_itself(run, browse):
    page = browse(km.report(run[0]))
    for title in (
        "Tangent vectors",
        "Spectrum",
        "Reconstructions",
        "loss",
        "tangent drift",
    ):
        page.locator(f'summary[aria-label^="What is this? {title}"]').first.click()
    texts = page.locator(".help[open]").all_inner_texts()
    assert len(texts) == 5
    assert all("How to read it: " in text for text in texts)


def test_a_run_that_diverged_is_not_said_to_have_fallen(tmp_path, browse, write_scalars):
    write_scalars(tmp_path, [["step", "loss"], [1, 2.0], [2, 1.0], [3, "nan"]])
    text = browse(km.report(tmp_path)).inner_text("#summary")
    assert text == "Loss fell from 2 to 1, and is not finite from epoch 3."
