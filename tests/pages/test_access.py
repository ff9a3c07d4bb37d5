import itertools
import json
import shutil

import pytest

import keras_manifold as km


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("runs", [1, 3])
def test_a_small_phone_shows_all_of_it_and_every_text_has_contrast(
    run, tmp_path, browse, scheme, runs
):
    folders = [run[0]]
    for i in range(1, runs):
        folders.append(tmp_path / f"a run with a rather long name {i}")
        shutil.copytree(run[0], folders[-1])
    path = km.report(folders, tmp_path / "compare.html") if runs > 1 else km.report(run[0])
    page = browse(path, viewport={"width": 360, "height": 740}, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert page.evaluate(POOR_CONTRAST) == []


# WCAG 2.2, contrast (minimum): 4.5 for texts, of which none here counts as large.
POOR_CONTRAST = r"""() => {
  const luminance = (colour) => {
    const [r, g, b] = colour.match(/[\d.]+/g).map((v) => v / 255)
      .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (colour !== "rgba(0, 0, 0, 0)") return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const poor = [];
  for (const node of document.querySelectorAll("body *")) {
    const hasText = [...node.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    if (!hasText || !node.getClientRects().length || node.closest("script")) continue;
    const style = getComputedStyle(node);
    const [a, b] = [node.closest("svg") ? style.fill : style.color, behind(node)]
      .map(luminance).sort((a, b) => b - a);
    if ((a + 0.05) / (b + 0.05) < 4.5) poor.push([node.textContent, behind(node)]);
  }
  return poor;
}"""


def test_everything_that_is_shown_has_a_name_for_those_who_do_not_see_it(run, browse):
    page = browse(km.report(run[0]))
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll(
            "input, select, button, fieldset, section, canvas, svg[role=img], [role=img]")]
          .filter((node) => !node.closest("[hidden], [aria-hidden=true]"))
          .filter((node) => !(node.tagName === "BUTTON" && node.textContent.trim()))
          .filter((node) => !(node.ariaLabel || node.labels?.[0]?.textContent.trim()
            || node.querySelector?.("legend")?.textContent
            || document.getElementById(node.getAttribute("aria-labelledby"))?.textContent))
          .map((node) => node.outerHTML.slice(0, 200))"""
    )
    assert unnamed == []
    assert page.locator("html").get_attribute("lang") == "en"
    assert page.title() == "denoising"
    for landmark in ("main", "banner", "contentinfo"):
        assert page.get_by_role(landmark).count() == 1
    levels = page.locator("h1, h2, h3").evaluate_all("all => all.map(h => +h.tagName[1])")
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    # What has the focus can be seen.
    page.keyboard.press("Tab")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_axe_finds_nothing_on_a_run_in_its_dialog_and_on_a_comparison(
    run, tmp_path, browse
):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    folder, _ = run
    (folder / "run.json").write_text(json.dumps({"seed": 1, "noise": None}))
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    (other / "run.json").write_text(json.dumps({"seed": 2, "noise": 0.5}))
    page = browse(km.report(folder), color_scheme="dark")
    for summary in page.locator("summary:visible").all():
        summary.click()
    assert findings(axe.run(page)) == []
    page.locator(".vectors button").first.click()
    page.wait_for_selector("dialog[open] .history li")
    assert findings(axe.run(page)) == []
    compare = km.report([folder, other], tmp_path / "compare.html")
    assert findings(axe.run(browse(compare, color_scheme="light"))) == []


def findings(result):
    return [
        (violation["id"], node["html"][:200])
        for violation in result.response["violations"]
        for node in violation["nodes"]
    ]


def test_charts_tell_what_they_show_to_those_who_do_not_see_them(run, browse):
    page = browse(km.report(run[0]))
    names = page.locator(".chart[role=img]").evaluate_all(
        "all => all.map(c => c.ariaLabel)"
    )
    loss = next(name for name in names if name.startswith("Curves of loss."))
    assert "training: from 0.5000 at epoch 1 to 0.2000 at epoch 4" in loss
    assert "lowest 0.2000 at epoch 4" in loss
    assert any(
        name.startswith("Singular values") and " at epoch 4" in name for name in names
    )
    assert page.locator(".chart svg:not([aria-hidden=true])").count() == 0
