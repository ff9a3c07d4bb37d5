import json
import shutil

import numpy as np
import pytest

import keras_manifold as km


@pytest.fixture
def known(tmp_path):
    """A sample whose values, and whose tangent vector's, are known."""
    x = np.linspace(0, 1, 36).reshape(1, 6, 6, 1).astype("float32")
    for step in (1, 2, 3):
        v = np.zeros((1, 2, 6, 6, 1), "float32")
        v[0, 0, 1, 2] = -1.0 if step == 2 else 1.0
        v[0, 1, 4, 4] = 1.0
        sigma = np.array([[3.0 * step, 1.0]], "float32")
        np.savez(
            tmp_path / f"tangent_space_{step:04d}.npz",
            vectors=v,
            singular_values=sigma,
            input=x,
        )
    return tmp_path, x


def test_a_tile_opens_by_enter_with_its_input_and_its_history(known, browse, shown):
    page = browse(km.report(known[0]))
    opener = page.get_by_role("button", name="Tangent vector 1 at sample 1")
    opener.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Tangent vector 1 at sample 1")
    dialog.wait_for()
    assert dialog.locator(".large h3").all_inner_texts() == [
        "Input x",
        "Vector v",
        "x + t·v",
    ]
    assert dialog.locator(".history li").all_inner_texts() == ["1", "2", "3"]
    assert "from 3 at epoch 1 to 9 at epoch 3" in dialog.get_by_role("img").get_attribute(
        "aria-label"
    )
    # The sign of a vector means nothing: all of the history has that of the one above.
    tiles = dialog.locator(".history canvas").evaluate_all(
        "all => all.map(c => c.toDataURL())"
    )
    assert len(set(tiles)) == 1
    dialog.get_by_role("button", name="Go to epoch 1").click()
    shown(page, 1)
    page.wait_for_function(
        "document.querySelector('#dialog-facts').textContent.includes('epoch 1')"
    )
    dialog.get_by_role("button", name="Next vector").click()
    page.get_by_role("dialog", name="Tangent vector 2").wait_for()
    page.keyboard.press("Escape")
    assert page.locator("dialog[open]").count() == 0
    page.wait_for_function(  # the browser closes a dialog before it says so
        "document.activeElement.ariaLabel?.startsWith('Tangent vector 2 at sample 1')"
    )


def test_the_slider_moves_a_sample_along_the_vector(known, browse, pixels):
    page = browse(km.report(known[0]))
    page.locator(".vectors button").first.click()
    slider = page.get_by_label("Walk along v")
    before = pixels(page, ".large canvas", 2)
    assert before == pixels(page, ".large canvas", 0)
    slider.fill("1")
    # The vector's largest entry is 1, and the walk goes half the range of the inputs.
    assert slider.get_attribute("aria-valuetext") == "t = 0.500"
    page.get_by_label("Row").fill("2")
    page.get_by_label("column").fill("3")
    x = known[1][0, 1, 2, 0]
    numbers = page.locator(".values data").all_inner_texts()
    found = [float(text.replace("−", "-")) for text in numbers]
    np.testing.assert_allclose(found, [x, 1.0, x + 0.5], atol=0.01)
    moved = np.reshape(pixels(page, ".large canvas", 2), (6, 6, 4))[..., 0]
    expected = known[1][0, ..., 0].copy()
    expected[1, 2] += 0.5
    np.testing.assert_allclose(moved / 255, expected, atol=0.02)
    page.get_by_role("button", name="Back to x").click()
    assert pixels(page, ".large canvas", 2) == before


def test_a_reconstruction_opens_beside_its_input(run, browse):
    page = browse(km.report(run[0]))
    page.get_by_role("button", name="denoised of sample 2").click()
    dialog = page.get_by_role("dialog", name="Denoised of sample 2")
    dialog.wait_for()
    titles = dialog.locator(".large h3").all_inner_texts()
    assert titles[:2] == ["Input", "Denoised"]
    assert titles[2].startswith("Difference, ±")
    assert "mean squared error" in dialog.locator("#dialog-facts").inner_text()


# Keeps what is written on canvases, which no locator finds.
KEEP_TEXTS = """() => {
    const canvas = CanvasRenderingContext2D.prototype, { fillText } = canvas;
    window.texts = [];
    canvas.fillText = function (text, ...rest) {
        window.texts.push(text);
        fillText.call(this, text, ...rest);
    };
}"""


def test_names_of_features_channels_and_parts_are_those_that_the_run_was_given(
    tmp_path, browse, write_tangents
):
    one, other = tmp_path / "one", tmp_path / "other"
    features = [f"feature {i}" for i in range(600)]
    watches = {
        "table": {"of": "encoder", "feature_names": ["alpha", "beta", "gamma"]},
        "wide": {"of": "encoder", "feature_names": features},
        "series": {"of": "decoder", "channel_names": ["left", "right"]},
    }
    for name, shape in {"table": (3,), "wide": (600,), "series": (20, 2)}.items():
        write_tangents(one, 1, samples=1, k=2, shape=shape, name=name)
    shutil.copytree(one, other)
    (one / "run.json").write_text(json.dumps({"watches": watches}))
    watches["wide"]["of"] = "reconstruction"
    (other / "run.json").write_text(json.dumps({"watches": watches}))
    page = browse(km.report([one, other], tmp_path / "compare.html"))
    page.evaluate(KEEP_TEXTS)
    heads = page.locator('#numbers th[scope="row"]').all_inner_texts()
    assert {"table_norm of the encoder", "series_norm of the decoder"} <= set(heads)
    assert "wide_norm" in heads, "the two runs differ in it"

    def opened(name, title):
        before = page.locator(".vectors").first.element_handle()
        page.get_by_label("Tangent spaces of").select_option(name)
        before.wait_for_element_state("hidden")  # it is drawn anew
        page.locator(".vectors button").first.click()
        page.get_by_role("dialog", name=title, exact=True).wait_for()
        return page.locator(".values")

    values = opened("table", "Tangent vector 1 of the encoder at sample 1, one")
    assert page.evaluate("window.texts.splice(0)") == ["alpha", "beta", "gamma"]
    assert values.inner_text().startswith("beta: v ")
    page.get_by_label("Entry").fill("3")
    assert values.inner_text().startswith("gamma: v ")
    page.keyboard.press("Escape")
    caption = page.locator("#between caption").inner_text()
    assert caption.startswith("Mean principal angle of the table spaces of the encoder at")

    values = opened("wide", "Tangent vector 1 of the encoder at sample 1, one")
    assert "Every 2nd entry is shown" in page.inner_text("#dialog-facts")
    page.get_by_label("Entry").fill("300")
    assert values.inner_text().startswith("feature 598: v ")
    page.keyboard.press("Escape")
    notes = page.locator("#tangents .runs .note").all_inner_texts()
    assert notes[0].startswith("Tangent vectors of the encoder.")
    assert notes[1].startswith("Tangent vectors of the reconstruction.")

    values = opened("series", "Tangent vector 1 of the decoder at sample 1, one")
    assert page.locator("#dialog .key li").all_inner_texts() == ["left", "right"]
    assert values.inner_text().endswith("(left / right)")
    page.keyboard.press("Escape")
    keys = page.locator("#tangents .key li").all_inner_texts()
    assert keys == ["left", "right"] * 2
    assert page.evaluate("window.texts") == []


def test_an_entry_beyond_the_picture_has_no_value_and_what_is_not_finite_is_said(
    tmp_path, browse, write_tangents
):
    arrays = write_tangents(tmp_path, 1, samples=1, k=2, shape=(100, 4, 1))
    arrays["singular_values"][0, 1] = np.nan
    arrays["vectors"][0, 1] = np.nan
    np.savez(tmp_path / "tangent_space_0001.npz", **arrays)
    page = browse(km.report(tmp_path))
    captions = page.locator(".vectors .caption").all_inner_texts()
    assert captions[1] == "σ₂ not finite"
    page.locator(".vectors button").first.click()
    page.get_by_label("Row").fill("1")
    for column, is_there in {"2": True, "3": False, "0": False, "": False}.items():
        page.get_by_label("column").fill(column)
        text = page.inner_text(".values")
        assert (text != "v –") == is_there, column
    box = page.locator(".large canvas").first.bounding_box()
    assert box["height"] < 500, "a tall picture fits the screen"
    page.get_by_role("button", name="Next vector").click()
    page.get_by_role("dialog", name="Tangent vector 2 at sample 1").wait_for()
    assert "σ₂ = not finite" in page.inner_text("#dialog-facts")
