import itertools
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
