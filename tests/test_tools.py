"""Tools that people bring to Keras: the real packages, of the extra `tools`."""

import keras
import pytest

import keras_manifold as km


def compiled(model):
    model.compile(keras.optimizers.Adam(1e-2), loss="mse")
    return model


def small(**options):
    return km.AutoEncoder.dense((64,), latent_dim=8, units=(16,), **options)


@pytest.mark.filterwarnings("ignore::DeprecationWarning:keras_tuner")
@pytest.mark.filterwarnings("ignore:Skipping variable loading for optimizer")
def test_keras_tuner_searches_the_hyperparameters_of_an_autoencoder(digits, tmp_path):
    keras_tuner = pytest.importorskip("keras_tuner", reason="of the extra `tools`")
    x = digits[:200].reshape(-1, 64)

    def build(hp):
        penalty = hp.Choice("weight", [0.0, 100.0])
        noise = km.NoiseInjection("masking", 0.1)
        return compiled(small(contractive_penalty=penalty, noise=noise))

    tuner = keras_tuner.GridSearch(
        build,
        objective=keras_tuner.Objective("val_reconstruction_loss", "min"),
        max_trials=2,
        directory=tmp_path,
    )
    tuner.search(x, epochs=3, validation_data=(x,), verbose=0)
    (best,) = tuner.get_best_hyperparameters()
    assert best.get("weight") == 0.0, "so strong a penalty spoils the reconstruction"
    (model,) = tuner.get_best_models()
    assert isinstance(model, km.AutoEncoder)
    assert model.predict(x[:2], verbose=0).shape == (2, 64)


def test_a_scikit_learn_pipeline_trains_an_autoencoder_and_classifies_its_codes(digits):
    from sklearn.datasets import load_digits
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    def trained_encoder(X, y):  # noqa: N803
        model = compiled(small(noise=km.NoiseInjection("masking", 0.2)))
        model.fit(X, epochs=15, verbose=0)
        model.encoder.compile(loss="mse")  # the wrapper wants it, for no epoch
        return model.encoder

    x, labels = digits.reshape(-1, 64), load_digits().target
    codes = keras.wrappers.SKLearnTransformer(
        trained_encoder, fit_kwargs={"epochs": 0, "verbose": 0}
    )
    pipeline = make_pipeline(codes, LogisticRegression(max_iter=1000))
    pipeline.fit(x[:1200], labels[:1200])
    assert pipeline[:-1].transform(x[:5]).shape == (5, 8)
    assert pipeline.score(x[1200:], labels[1200:]) > 0.75


@pytest.mark.filterwarnings("ignore:.*``noload`` loader strategy")  # within MLflow
def test_mlflow_logs_what_the_analyzer_reports(digits, tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow", reason="of the extra `tools`")
    from mlflow.keras import MlflowCallback

    monkeypatch.chdir(tmp_path)  # where it puts its artifacts
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    x = digits[:64].reshape(-1, 64)
    with mlflow.start_run() as run:
        history = (
            compiled(small())
            .fit(
                x,
                epochs=2,
                verbose=0,
                callbacks=[km.TangentAnalyzer(x[:3]), MlflowCallback()],
            )
            .history
        )
    logged = mlflow.MlflowClient().get_metric_history(run.info.run_id, "tangent_drift")
    found = [metric.value for metric in logged]
    assert found == pytest.approx(history["tangent_drift"], rel=1e-6)
