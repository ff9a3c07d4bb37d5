"""The picture on top of the README: 28×28 tangent vectors, a walk, and the page of a run.

    python docs/hero.py --out runs/hero

Trains a plain, a denoising and a contractive autoencoder on 5,000 garments of
Fashion-MNIST, half a minute on two cores, and photographs the page that compares them.
`docs/record.py hero` keeps what this writes.
"""

import argparse
import io
import shutil
import time
from pathlib import Path

import keras
from PIL import Image

import keras_manifold as km

EPOCHS = 6
SHOWN = 0  # which test image


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("runs/hero"))
    out = parser.parse_args().out
    (x, _), (x_test, test_labels) = keras.datasets.fashion_mnist.load_data()
    x, x_test = (images[..., None].astype("float32") / 255 for images in (x, x_test))
    started = time.perf_counter()
    models = trained(x[:5_000], x_test, test_labels, out)
    spaces = {
        name: km.tangent_space(model, x_test[:8], verbose=0)
        for name, model in models.items()
    }
    drawn(models, spaces).save(out / "tangents.png")
    page = km.report([out / name for name in models], out / "compare.html")
    photographed(page, out / "page.png")
    for name, space in spaces.items():
        print(f"{name:<12} {km.local_dimension(space).mean():6.2f} directions")
    print(f"{time.perf_counter() - started:.0f} s")


def trained(x, x_test, test_labels, out):
    """A model of each kind, by name; what was watched goes to a folder each."""
    keras.utils.set_random_seed(0)
    options = {
        "plain": {},
        "denoising": {"noise": km.NoiseInjection("gaussian", 0.4, clip=(0, 1), seed=0)},
        "contractive": {"contractive_penalty": km.ContractivePenalty(0.01, seed=0)},
    }
    models = {}
    for name, given in options.items():
        model = km.AutoEncoder.dense((28, 28, 1), latent_dim=16, units=256, **given)
        model.compile(keras.optimizers.Adam(2e-3), "binary_crossentropy")
        seen = {"directory": out / name, "every": 3, "overwrite": True}
        seen["labels"] = test_labels[:3]
        watch = km.TangentAnalyzer(x_test[:3], k=8, **seen)
        grid = km.ReconstructionGrid(x_test[:3], **seen)
        data = {"validation_data": x_test[:500], "epochs": EPOCHS, "batch_size": 64}
        model.fit(x, **data, callbacks=[watch, grid], verbose=0)
        models[name] = model
    return models


def drawn(models, spaces, index=SHOWN):
    """Tangent vectors of one garment by each model, above a walk along the first two."""
    walk = {"model": models["denoising"], "index": index, "directions": 2}
    figures = [
        km.plot.tangents(spaces, index=index, k=8, figsize=(9.6, 4.2)),
        km.plot.walk(spaces["denoising"], figsize=(9.6, 4.2), **walk),
    ]
    parts = []
    for figure in figures:
        with io.BytesIO() as file:
            figure.savefig(file, dpi=110)
            parts.append(Image.open(file).convert("RGB"))
    size = max(part.width for part in parts), sum(part.height for part in parts)
    picture = Image.new("RGB", size, "white")
    for part, top in zip(parts, (0, parts[0].height)):
        picture.paste(part, ((size[0] - part.width) // 2, top))
    return picture


def photographed(page, file):
    """A picture of a page in a browser, without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        tab = browser.new_page(
            viewport={"width": 1280, "height": 800}, color_scheme="light"
        )
        tab.goto(f"{page.resolve().as_uri()}#sample={SHOWN + 1}")
        tab.wait_for_selector("html[data-shown]", state="attached")
        tab.screenshot(path=file)
        browser.close()


if __name__ == "__main__":
    main()
