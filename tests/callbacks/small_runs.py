"""Runs of a second, for the tests of what both callbacks do."""

import csv
import functools

import keras
import numpy as np

import keras_manifold as km

BACKEND = keras.backend.backend()
WATCHES = {"tangent": km.TangentAnalyzer, "reconstruction": km.ReconstructionGrid}


def model_of(steps_per_execution=1):
    """An untrained model: the same one each time, whose steps need no compiling again."""
    model, at_first = _reused(steps_per_execution)
    for variable, value in at_first:
        variable.assign(value)
    return model


def new_model(steps_per_execution=1):
    """Another one, also for `BackupAndRestore`: Keras keeps in a model where it goes on."""
    keras.utils.set_random_seed(0)
    model = km.AutoEncoder.dense((8, 8, 1), latent_dim=3, units=(8,))
    model.compile(
        keras.optimizers.SGD(1.0), loss="mse", steps_per_execution=steps_per_execution
    )
    return model


@functools.cache
def _reused(steps_per_execution):
    model = new_model(steps_per_execution)
    model.optimizer.build(model.trainable_variables)
    variables = [*model.variables, *model.optimizer.variables]
    # As NumPy arrays of their own: JAX's steps take the memory of what is assigned.
    values = [np.array(keras.ops.convert_to_numpy(v.value)) for v in variables]
    return model, list(zip(variables, values))


def fit(model, digits, callbacks, epochs=3, **options):
    data = {"x": digits[:100], "batch_size": 10, **options}  # ten batches
    return model.fit(epochs=epochs, callbacks=callbacks, verbose=0, **data)


def rows(directory, prefix="tangent"):
    with open(directory / f"{prefix}_scalars.csv", newline="") as file:
        return list(csv.DictReader(file))


def column(directory, name, prefix="tangent"):
    found = rows(directory, prefix)
    return {int(row["step"]): float(row[name]) for row in found if row[name]}
