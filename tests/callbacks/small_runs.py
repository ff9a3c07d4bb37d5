"""Runs of a second, for the tests of what both callbacks do."""

import csv

import keras

import keras_manifold as km

BACKEND = keras.backend.backend()
WATCHES = {"tangent": km.TangentAnalyzer, "reconstruction": km.ReconstructionGrid}


def model_of(steps_per_execution=1):
    model = km.AutoEncoder.dense((8, 8, 1), latent_dim=3, units=(8,))
    model.compile(
        keras.optimizers.SGD(0.1), loss="mse", steps_per_execution=steps_per_execution
    )
    return model


def fit(model, digits, callbacks, epochs=3, **options):
    data = {"x": digits[:100], "batch_size": 10, **options}  # ten batches
    return model.fit(epochs=epochs, callbacks=callbacks, verbose=0, **data)


def rows(directory, prefix="tangent"):
    with open(directory / f"{prefix}_scalars.csv", newline="") as file:
        return list(csv.DictReader(file))


def column(directory, name, prefix="tangent"):
    found = rows(directory, prefix)
    return {int(row["step"]): float(row[name]) for row in found if row[name]}
