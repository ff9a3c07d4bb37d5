"""Which scores find the samples of a class that training has not seen?

    python benchmarks/odd_samples.py         # all data sets
    python benchmarks/odd_samples.py digits  # those that are named

A process per data set and seed, on JAX. Fashion-MNIST comes by Keras, from its cache if
it is there. `pip install --no-deps pyod` for two detectors beside scikit-learn's. Writes
benchmarks/results/odd_samples.md.
"""

import json
import sys
from importlib.metadata import PackageNotFoundError, version

import numpy as np
from workers import said_by, written

STDDEV, DRAWS, BATCH, STEPS = 0.3, 16, 128, 400
# Classes held out in turn, training samples, samples to judge, hidden units, codes,
# tangents, seeds.
DATA = {
    "digits": ((1, 4, 8), 1200, 2000, 128, 12, 8, 3),
    "Fashion-MNIST": ((1, 5, 8), 4000, 1000, 256, 32, 8, 3),
    "breast cancer": ((0,), 250, 2000, 64, 8, 4, 3),
}


def main():
    if sys.argv[1:2] == ["--measure"]:
        return print(json.dumps(measured(sys.argv[2], int(sys.argv[3]))))
    found, shares, names = {}, {}, sys.argv[1:] or [*DATA]
    for name in names:
        for seed in range(DATA[name][-1]):
            for round_of_all in said_by(__file__, name, seed, backend="jax"):
                shares.setdefault(name, []).append(round_of_all.pop("share"))
                for score, values in round_of_all.items():
                    found.setdefault(score, {}).setdefault(name, []).append(values)
    columns = [f"{name}: {what}" for name in names for what in ("area", "precision")]
    lines = [
        f"| score | {' | '.join(columns)} |",
        "|---|" + "--:|" * len(columns),
        *(
            f"| {score} | {' | '.join(cells(values, names))} |"
            for score, values in found.items()
        ),
        "| chance | "
        + " | ".join(f"0.50 | {np.mean(shares[name]):.2f}" for name in names)
        + " |",
    ]
    written("odd_samples.md", "Samples of a class that was held out", how(names), lines)


def cells(values, names):
    for name in names:
        areas, precisions = np.transpose(values[name])
        yield f"{areas.mean():.2f} ({areas.min():.2f} to {areas.max():.2f})"
        yield f"{precisions.mean():.2f}"


def how(names):
    try:
        pyod = f"pyod {version('pyod')}"
    except PackageNotFoundError:
        pyod = "no pyod"
    return (
        "Area under the ROC curve, mean and range, and average precision, mean: over the "
        "seeds (splits and trainings) for each class that is held out of the training, and "
        f"met among new samples of the others. Dense autoencoders, noise of {STDDEV}, "
        f"{STEPS} steps. {' '.join(map(told, names))} scikit-learn "
        f"{version('scikit-learn')}, {pyod}, defaults; PCA of as many components as codes."
    )


def told(name):
    classes, trained, judged, units, codes, tangents, seeds = DATA[name]
    notes = {
        "Fashion-MNIST": f", a part only, {judged:,} test images of all classes",
        "breast cancer": ", 30 measurements of spread 1, trained on benign ones",
    }
    return (
        f"{name}{notes.get(name, '')}: number of seeds {seeds}, "
        f"{trained:,} training samples, {units} hidden units, {codes} codes, "
        f"{tangents} tangents, held out {', '.join(map(str, classes))}."
    )


def data(name, held_out, seed):
    """Training samples, samples to judge, and which of these are odd."""
    rng = np.random.default_rng(seed)
    _, count, most, *_ = DATA[name]
    if name == "Fashion-MNIST":
        import keras

        (x, labels), (new, new_labels) = keras.datasets.fashion_mnist.load_data()
        x, new = (some.reshape(-1, 784) / 255 for some in (x, new))
        train = x[rng.permutation(np.flatnonzero(labels != held_out))[:count]]
        judged = rng.permutation(len(new))[:most]
        new, is_odd = new[judged], new_labels[judged] == held_out
    else:
        from sklearn import datasets

        of_digits = name == "digits"
        load = datasets.load_digits if of_digits else datasets.load_breast_cancer
        x, labels = load(return_X_y=True)
        order = rng.permutation(len(x))
        known = order[labels[order] != held_out]
        judged = np.concatenate([known[count:], order[labels[order] == held_out]])[:most]
        train, new, is_odd = x[known[:count]], x[judged], labels[judged] == held_out
        center, scale = (0, 16) if of_digits else (train.mean(0), train.std(0))
        train, new = ((some - center) / scale for some in (train, new))
    return train.astype("float32"), new.astype("float32"), is_odd


def measured(name, seed):
    """Per class that is held out: of each score the area and the average precision."""
    from sklearn.metrics import average_precision_score, roc_auc_score

    rounds = []
    for held_out in DATA[name][0]:
        train, x, is_odd = data(name, held_out, seed)
        found = {"share": float(is_odd.mean())}
        scores = ours(name, train, x, seed) | others(name, train, x, seed)
        for score, values in scores.items():
            area = roc_auc_score(is_odd, values)
            found[score] = [float(area), float(average_precision_score(is_odd, values))]
        rounds.append(found)
    return rounds


def trained(name, train, seed):
    import keras

    import keras_manifold as km

    *_, units, codes, _, _ = DATA[name]
    keras.utils.set_random_seed(seed)
    noise = km.NoiseInjection("gaussian", STDDEV, seed=seed)
    output = None if name == "breast cancer" else "sigmoid"
    model = km.AutoEncoder.dense(
        train.shape[1], codes, units=(units,), output_activation=output, noise=noise
    )
    rate = keras.optimizers.schedules.CosineDecay(3e-3, STEPS)
    model.compile(keras.optimizers.Adam(rate), "mse")
    rng = np.random.default_rng(seed)
    passes = -(-STEPS * BATCH // len(train))
    many = np.concatenate([train[rng.permutation(len(train))] for _ in range(passes)])
    model.fit(many[: STEPS * BATCH], batch_size=BATCH, shuffle=False, verbose=0)
    return model


def ours(name, train, x, seed):
    import keras_manifold as km

    model, tangents = trained(name, train, seed), DATA[name][-2]
    space = km.tangent_space(model, x, of="decoder", k=tangents, batch_size=100, verbose=0)
    rest = x - model.predict(x, batch_size=500, verbose=0)
    along = np.einsum("nkd,nd->nk", space.vectors, rest)
    off = rest - np.einsum("nk,nkd->nd", along, space.vectors)
    loss = km.dimension_curve(
        model, x, [STDDEV], estimator="loss", draws=DRAWS, seed=seed, batch_size=500
    )
    return {
        "error, or norm of the score": model.reconstruction_errors(x, verbose=0),
        f"denoising loss, {DRAWS} draws": loss.dimensions[0],
        "off the tangents of the decoder": np.linalg.norm(off, axis=1),
    }


def others(name, train, x, seed):
    from sklearn.decomposition import PCA
    from sklearn.ensemble import IsolationForest
    from sklearn.neighbors import LocalOutlierFactor

    pca = PCA(DATA[name][4], random_state=seed).fit(train)
    back = pca.inverse_transform(pca.transform(x))
    factor = LocalOutlierFactor(novelty=True).fit(train)
    forest = IsolationForest(random_state=seed).fit(train)
    found = {
        "scikit-learn, error of PCA": np.square(x - back).sum(1),
        "scikit-learn, LocalOutlierFactor": -factor.score_samples(x),
        "scikit-learn, IsolationForest": -forest.score_samples(x),
    }
    try:
        from pyod.models.ecod import ECOD
        from pyod.models.knn import KNN
    except ImportError:
        return found
    for detector, fitted in {"KNN": KNN(), "ECOD": ECOD()}.items():
        found[f"pyod, {detector}"] = fitted.fit(train).decision_function(x)
    return found


if __name__ == "__main__":
    main()
