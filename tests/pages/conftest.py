import base64
import csv
import io
import json
import os
import shutil
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

# Of a copy: Chromium complains about a page whose own canvas is read several times.
READ_PIXELS = """canvas => {
    const { width, height } = canvas;
    const copy = Object.assign(document.createElement("canvas"), { width, height });
    const context = copy.getContext("2d", { willReadFrequently: true });
    context.drawImage(canvas, 0, 0);
    return [...context.getImageData(0, 0, width, height).data];
}"""


@pytest.fixture
def write_tangents():
    def write_tangents(
        folder, step, *, samples=3, k=4, shape=(6, 6, 1), name="tangent", seed=0
    ):
        """A file as TangentAnalyzer writes it; returns its arrays."""
        rng = np.random.default_rng([seed, step])
        columns = np.linalg.qr(rng.normal(size=(samples, np.prod(shape), k)))[0]
        vectors = columns.transpose(0, 2, 1).reshape(samples, k, *shape).astype("float32")
        spectrum = -np.sort(-rng.uniform(0.01, 4, (samples, k + 2)).astype("float32"))
        arrays = {
            "vectors": vectors,
            "singular_values": spectrum[:, :k],
            "code_vectors": np.zeros((samples, k, k + 2), "float32"),
            "spectrum": spectrum,
        }
        folder.mkdir(exist_ok=True)
        np.savez_compressed(folder / f"{name}_space_{step:04d}.npz", **arrays)
        return arrays

    return write_tangents


@pytest.fixture
def write_reconstructions():
    def write_reconstructions(folder, step, *, samples=4, shape=(6, 6, 1), noise=True):
        """A file as ReconstructionGrid writes it; returns its arrays."""
        rng = np.random.default_rng([7, step])
        rows = ["input", "reconstruction", *(["noisy_input", "denoised"] if noise else [])]
        arrays = {
            row: rng.uniform(size=(samples, *shape)).astype("float32") for row in rows
        }
        folder.mkdir(exist_ok=True)
        np.savez_compressed(folder / f"reconstruction_{step:04d}.npz", **arrays)
        return arrays

    return write_reconstructions


@pytest.fixture
def write_scalars():
    def write_scalars(folder, rows, name="tangent_scalars.csv"):
        folder.mkdir(exist_ok=True)
        with open(folder / name, "w", newline="") as file:
            csv.writer(file).writerows(rows)

    return write_scalars


class _Fragments(HTMLParser):
    """What the page holds, read as a browser reads HTML."""

    def __init__(self, path):
        super().__init__()
        self.files, self.runs, self.pictures, self.angles = {}, [], {}, None
        self._into = None
        self.feed(path.read_text("utf-8"))
        for fragment in filter(None, self.files.values()):
            for sprite in _sprites_in(fragment):
                if sprite["picture"] in self.pictures:
                    sprite["png"] = self.pictures[sprite["picture"]]

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "script" and "data-run" in attrs:
            self._into = lambda text: self.runs.append(json.loads(text))
        elif tag == "script" and "data-file" in attrs:
            name = attrs["data-file"]
            self._into = lambda text: self.files.__setitem__(name, json.loads(text))
        elif tag == "script" and "data-picture" in attrs:
            name = attrs["data-picture"]
            self._into = lambda text: self.pictures.__setitem__(name, text)
        elif tag == "script" and attrs.get("id") == "angles":
            self._into = lambda text: setattr(self, "angles", json.loads(text))

    def handle_data(self, data):
        if self._into is not None:
            self._into(data)
            self._into = None


def _sprites_in(fragment):
    if fragment["kind"] == "tangents":
        return filter(None, [fragment["pictures"], fragment["inputs"]])
    return fragment["pictures"].values() if fragment["kind"] == "reconstructions" else []


@pytest.fixture
def fragments_of():
    """Reads a page."""
    return _Fragments


@pytest.fixture
def tile():
    def tile(sprite, row, column):
        """Values of one tile as `(channels, height, width)`, NaN where missing."""
        image = Image.open(io.BytesIO(base64.b64decode(sprite["png"])))
        codes = np.asarray(image).astype("float64")
        height, width = sprite["height"], sprite["width"]
        planes = []
        for channel in range(sprite["channels"]):
            plane = (row * sprite["columns"] + column) * sprite["channels"] + channel
            y, x = divmod(plane, sprite["across"])
            planes.append(codes[y * height : (y + 1) * height, x * width : (x + 1) * width])
        low, high = sprite["ranges"][row]
        codes = np.stack(planes)
        values = low + (codes - 1) / sprite["levels"] * (high - low)
        return np.where(codes == 0, np.nan, values)

    return tile


@pytest.fixture
def half_a_level():
    def half_a_level(sprite, row):
        low, high = sprite["ranges"][row]
        return 0.5001 * (high - low) / sprite["levels"]

    return half_a_level


@pytest.fixture(scope="session")
def chromium():
    def missing(what):
        if "CI" in os.environ:
            pytest.fail(f"{what} is not installed, and continuous integration needs it")
        pytest.skip(f"{what} is not installed")

    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("playwright")
    executable = shutil.which("chromium") or shutil.which("chromium-browser")
    if executable is None:
        missing("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield browser
        browser.close()


@pytest.fixture
def browse(chromium, shown):
    """Opens a page; at the end nothing may have failed or been asked of a network."""
    trouble, contexts = [], []

    def opened(path, *, clock=False, link="", **options):
        context = chromium.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda m: trouble.append(m.text) if m.type != "log" else None)
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.on(
            "request", lambda r: None if _is_allowed(r.url, path) else trouble.append(r.url)
        )
        if clock:
            page.clock.install()
        page.goto(path.as_uri() + link)
        shown(page)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert trouble == []


def _is_allowed(url, path):
    own = url.partition("#")[0] == path.as_uri()
    return own or url.startswith(("data:image/", "blob:null/"))


@pytest.fixture
def shown():
    def shown(page, step=None):
        """Waits until all of a step is drawn."""
        wanted = "html[data-shown]" if step is None else f'html[data-shown="{step}"]'
        page.wait_for_selector(wanted, state="attached", timeout=20_000)

    return shown


@pytest.fixture
def pixels():
    def pixels(page, selector, index=0):
        return page.locator(selector).nth(index).evaluate(READ_PIXELS)

    return pixels


@pytest.fixture
def numbers():
    def numbers(page, selector):
        values = page.locator(f"{selector} data").evaluate_all(
            "all => all.map(d => d.value)"
        )
        return np.array(values, dtype="float64")

    return numbers


@pytest.fixture
def run(tmp_path, write_tangents, write_reconstructions, write_scalars):
    """A run of four epochs, with the arrays of its snapshots."""
    folder = tmp_path / "denoising"
    snapshots = [write_tangents(folder, step, shape=(8, 8, 1)) for step in range(5)]
    for step in range(5):
        write_reconstructions(folder, step, shape=(8, 8, 1))
    write_scalars(
        folder,
        [["step", "loss", "val_loss", "tangent_drift"], [0, "", "", 0.0]]
        + [
            [s, 1 / (s + 1), 1 / (s + 2) if s != 2 else "nan", 0.5 / s] for s in range(1, 5)
        ],
    )
    # A callback that stands earlier sees less of the logs.
    write_scalars(folder, [["step", "loss"], [1, 0.5]], "reconstruction_scalars.csv")
    return folder, snapshots
