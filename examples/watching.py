"""Where does what the callbacks see go?

Trains an autoencoder on handwritten digits and sends its losses, tangent vectors and
reconstructions, while it trains, to a place of your choice: five ways, a few lines each.

    python examples/watching.py                   # files in runs/watching
    python examples/watching.py --to tensorboard  # then: tensorboard --logdir runs/watching
    python examples/watching.py --to mlflow       # and so on: wandb, notebook
"""

import argparse
import contextlib
import time
from pathlib import Path

import keras
from sklearn.datasets import load_digits

import keras_manifold as km


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--to", choices=PLACES, default="directory")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--out", type=Path, default=Path("runs/watching"))
    arguments = parser.parse_args()

    x = (load_digits().images[..., None] / 16).astype("float32")
    # A folder holds one run.
    out = arguments.out / time.strftime("%Y-%m-%d-%H%M%S")
    out.mkdir(parents=True)
    history = trained(x, PLACES[arguments.to], arguments.epochs, out)
    print(
        f"Mean squared error {history['loss'][-1]:.4f}, tangent dimension "
        f"{history['tangent_dimension'][-1]:.1f}. See {out}."
    )


def trained(x, place, epochs, out):
    """Trains with both callbacks, which get what `place` says."""
    keras.utils.set_random_seed(0)
    model = km.AutoEncoder.dense((8, 8, 1), latent_dim=8, units=(64,))
    model.compile(keras.optimizers.Adam(1e-2), loss="mse")
    with place(out) as options:
        watches = [
            km.TangentAnalyzer(x[:8], k=8, **options),
            km.ReconstructionGrid(x[:8], **options),
        ]
        history = model.fit(
            x[:1437],
            validation_data=x[1437:],
            epochs=epochs,
            callbacks=watches,
            verbose=0,
        )
    return history.history


# Each gives the arguments of the callbacks that send what they see to one place.


@contextlib.contextmanager
def directory(out):
    """PNG figures, npz arrays, and the numbers as CSV."""
    yield {"directory": out}


@contextlib.contextmanager
def tensorboard(out):
    """TensorBoard, without TensorFlow: pip install keras_manifold[tensorboard]."""
    yield {"log_dir": out}


@contextlib.contextmanager
def wandb(out):
    """Weights & Biases: pip install wandb. Leave out `mode` to send it to its server."""
    import wandb

    def log(name, value, step):
        if not isinstance(value, dict):  # arrays
            value = wandb.Image(value) if hasattr(value, "savefig") else value
            run.log({name: value}, step=step)

    with wandb.init(project="watching", dir=out, mode="offline") as run:
        yield {"sinks": [log]}


@contextlib.contextmanager
def mlflow(out):
    """MLflow: pip install mlflow. Then: mlflow ui --backend-store-uri sqlite:///..."""
    import mlflow

    def log(name, value, step):
        if isinstance(value, float):
            mlflow.log_metric(name, value, step=step)
        elif hasattr(value, "savefig"):
            mlflow.log_figure(value, f"{name}_{step:04d}.png")

    mlflow.set_tracking_uri(f"sqlite:///{out}/mlflow.db")
    place = (out / "artifacts").absolute().as_uri()
    experiment = mlflow.create_experiment("watching", artifact_location=place)
    with mlflow.start_run(experiment_id=experiment):
        yield {"sinks": [log]}


@contextlib.contextmanager
def notebook(out):
    """A notebook: one picture each in the cell that runs `fit`, which changes in place."""
    yield {"sinks": [km.callbacks.NotebookSink()]}


PLACES = {
    "directory": directory,
    "tensorboard": tensorboard,
    "wandb": wandb,
    "mlflow": mlflow,
    "notebook": notebook,
}


if __name__ == "__main__":
    main()
