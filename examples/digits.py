"""Which manifold do plain, denoising and contractive autoencoders learn?

Trains the three on handwritten digits, watches their tangent vectors while they train,
and compares them in a table and in figures.

    python examples/digits.py                          # 8×8 digits, no network, a minute
    python examples/digits.py --dataset fashion_mnist  # 28×28, the network of the lab
"""

import argparse
import os
import time
from pathlib import Path

import keras
import numpy as np

import keras_manifold as km


def main():
    arguments = parsed_arguments()
    lab = arguments.dataset != "digits"
    epochs = arguments.epochs if arguments.epochs is not None else (64 if lab else 60)
    batch_size = arguments.batch_size or (5000 if lab else 64)
    out = Path(arguments.out or f"runs/{arguments.dataset}")
    x_train, x_valid, x_test = loaded(arguments.dataset)

    started = time.perf_counter()
    keras.utils.set_random_seed(0)
    noise = km.NoiseInjection("gaussian", 0.4, clip=(0, 1), seed=0)
    build = lab_network if lab else small_network
    models = {
        "plain": build(),
        "denoising": build(noise=noise),
        "contractive": build(contractive_penalty=km.ContractivePenalty(0.01, seed=0)),
    }
    histories = {}
    for name, model in models.items():
        print(f"\n{name}: {epochs} epochs on {len(x_train)} images")
        model.compile(keras.optimizers.Adam(1e-4 if lab else 1e-3), "binary_crossentropy")
        # A denoising model is judged on what it is for: noisy in, clean out.
        x_valid_seen = x_valid if model.noise is None else noise(x_valid, training=True)
        every = max(1, epochs // 6)
        for pattern in ("*_*.npz", "*_*.png", "*_scalars.csv"):
            for file in (out / name).glob(pattern):
                file.unlink()  # of an earlier run of this example, which this one replaces
        histories[name] = model.fit(
            x_train,
            validation_data=(x_valid_seen, x_valid),
            epochs=epochs,
            batch_size=batch_size,
            verbose=2 if lab else 0,
            callbacks=[
                km.TangentAnalyzer(x_test[:8], k=16, every=every, directory=out / name),
                km.ReconstructionGrid(x_test[:10], every=every, directory=out / name),
            ],
        )

    spaces = {name: km.tangent_space(model, x_test) for name, model in models.items()}
    print_table(models, spaces, x_test)
    save_figures(models, histories, spaces, x_test, noise, out)
    page = km.report([out / name for name in models], out / "compare.html")
    print(
        f"\n{time.perf_counter() - started:.0f} s. The three side by side, in any browser: "
        f"{page}. Figures: {out}/*.png, and while it trained: {out}/<model>/*.png"
    )


def small_network(**options):
    return km.AutoEncoder.dense((8, 8, 1), latent_dim=16, units=(128,), **options)


def lab_network(**options):
    return km.AutoEncoder.convolutional((28, 28, 1), latent_dim=32, **options)


def loaded(dataset):
    """Training, validation and test images in [0, 1], `(n, height, width, 1)`."""
    if dataset == "digits":
        from sklearn.datasets import load_digits

        x = load_digits().images / 16
        x = np.random.default_rng(0).permutation(x[..., None].astype("float32"))
        return x[:1437], x[1437:1617], x[1617:]
    try:
        (x, _), (x_test, _) = getattr(keras.datasets, dataset).load_data()
    except Exception as error:
        cache = Path(os.environ.get("KERAS_HOME", "~/.keras")) / "datasets"
        place = {
            "mnist": f"the file {cache / 'mnist.npz'}",
            "fashion_mnist": f"its four .gz files in the folder {cache / 'fashion-mnist'}",
        }[dataset]
        raise SystemExit(
            f"The data set {dataset} could not be loaded ({error}): put {place} yourself, "
            "or take --dataset digits, which needs no network."
        ) from error
    x, x_test = (images[..., None].astype("float32") / 255 for images in (x, x_test))
    return x[:-5000], x[-5000:], x_test[:1000]


def print_table(models, spaces, x_test):
    print(f"\non {len(x_test)} test images, without noise:\n")
    print(
        f"{'model':<12} {'reconstruction':>14} {'largest σ':>10} {'‖J‖_F':>8} "
        f"{'local dimension':>16}"
    )
    for name, model in models.items():
        loss = model.evaluate(x_test, verbose=0, return_dict=True)["reconstruction_loss"]
        sigma = spaces[name].singular_values
        norm = np.sqrt((sigma**2).sum(axis=1)).mean()
        dimension = km.local_dimension(sigma).mean()
        print(
            f"{name:<12} {loss:14.4f} {sigma[:, 0].mean():10.3f} {norm:8.3f} "
            f"{dimension:16.2f}"
        )


def save_figures(models, histories, spaces, x_test, noise, out):
    shown = x_test[:10]
    noisy = keras.ops.convert_to_numpy(noise(shown, training=True))
    figures = {
        "learning_curves": km.plot.learning_curves(histories, title="Training"),
        "spectrum": km.plot.spectrum(
            spaces, title="Singular values of the encoder's Jacobian, test images"
        ),
        "reconstructions": km.plot.image_grid(
            [shown, *(model.predict_on_batch(shown) for model in models.values())],
            row_labels=["input", *models],
            title="Test images and their reconstructions",
        ),
        "denoising": km.plot.image_grid(
            [shown, noisy, *(model.predict_on_batch(noisy) for model in models.values())],
            row_labels=["clean", "noisy input", *models],
            title="What each model makes of noisy images",
        ),
        "jacobian_rows": km.plot.image_grid(
            [km.jacobian(model.encoder, x_test[:1])[0, :16] for model in models.values()],
            row_labels=list(models),
            column_labels=[f"code {i}" for i in range(1, 17)],
            signed=True,
            title="How each entry of the code depends on the pixels of the first test "
            "image: rows of the encoder's Jacobian",
        ),
        "tangents": km.plot.tangents(
            spaces,
            k=16 if x_test.shape[1] == 28 else 10,
            images=x_test,
            title="Directions that the code follows at the first test image: tangent "
            "vectors, strongest first",
        ),
    }
    for name, figure in figures.items():
        figure.savefig(out / f"{name}.png")


def parsed_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--dataset", choices=["digits", "mnist", "fashion_mnist"], default="digits"
    )
    parser.add_argument("--epochs", type=int, help="default: 60, on 28×28 images 64")
    parser.add_argument("--batch-size", type=int, help="default: 64, on 28×28 images 5000")
    parser.add_argument("--out", help="folder for the figures; default: runs/<dataset>")
    return parser.parse_args()


if __name__ == "__main__":
    main()
