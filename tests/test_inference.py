"""Saved autoencoders on Keras's backends without derivatives: they load and predict."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest

import keras_manifold as km

ROOT = Path(__file__).parent.parent
NEEDS = {"numpy": "jax", "openvino": "openvino"}

# On a CPU with bfloat16 arithmetic, OpenVINO takes it unless told, which Keras doesn't do.
PREDICTION = """
import functools
import sys
from pathlib import Path
import keras
import numpy as np
import keras_manifold as km

if keras.backend.backend() == "openvino":
    import openvino

    openvino.compile_model = functools.partial(
        openvino.compile_model, config={"INFERENCE_PRECISION_HINT": "f32"}
    )
folder = Path(sys.argv[1])
x = np.load(folder / "x.npy")
for path in folder.glob("*.keras"):
    model = keras.saving.load_model(path)
    codes = model.encode(x)
    outputs = model.predict(x, verbose=0), codes, model.decode(codes)
    names = ("reconstructions", "codes", "decoded")
    np.savez(
        path.with_suffix(".npz"),
        **{name: keras.ops.convert_to_numpy(y) for name, y in zip(names, outputs)},
    )
"""

REFUSALS = """
x = np.ones((2, 3), "float32")
model = km.AutoEncoder.dense((3,), 2, units=(4,))
uses = {
    "jacobian": lambda: km.jacobian(keras.ops.tanh, x),
    "tangent_space": lambda: km.tangent_space(model, x),
    "ContractivePenalty": lambda: km.ContractivePenalty(1.0)(model.encoder, x),
    "vjp": lambda: km.autodiff.vjp(keras.ops.tanh, x),
}
for name, use in uses.items():
    try:
        use()
    except Exception as error:
        print(f"{name}: {error!r}")
    else:
        print(f"{name}: no error")
"""

MODELS = {
    "denoising": lambda: km.AutoEncoder.convolutional(
        (8, 8, 1), 3, filters=(4, 8), noise=km.NoiseInjection("masking", 0.3)
    ),
    "contractive": lambda: km.AutoEncoder.dense(
        (8, 8, 1), 3, units=(16,), noise=km.NoiseInjection(), contractive_penalty=0.1
    ),
}


def output_of(code, backend, *arguments):
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    run = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env=os.environ | {"KERAS_BACKEND": backend, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    return run.stdout


@pytest.fixture(scope="module")
def saved(digits, tmp_path_factory):
    """A folder of trained models, and what each makes of some digits here."""
    folder, x, expected = tmp_path_factory.mktemp("saved"), digits[:20], {}
    for name, made in MODELS.items():
        model = made()
        model.compile("sgd", loss="mse")
        model.fit(digits[:100], verbose=0)
        model.save(folder / f"{name}.keras")
        codes = model.encode(x)
        expected[name] = {
            "reconstructions": model.predict(x, verbose=0),
            "codes": keras.ops.convert_to_numpy(codes),
            "decoded": keras.ops.convert_to_numpy(model.decode(codes)),
        }
    np.save(folder / "x.npy", x)
    return folder, expected


@pytest.fixture(scope="module", params=NEEDS)
def there(request, saved):
    """Arrays expected and found by each model's name, and what was refused."""
    needed = NEEDS[request.param]
    if not importlib.util.find_spec(needed):
        pytest.skip(f"Keras's {request.param} backend needs {needed}, not installed")
    folder, expected = saved
    refused = output_of(PREDICTION + REFUSALS, request.param, folder).splitlines()
    found = {name: dict(np.load(folder / f"{name}.npz")) for name in MODELS}
    return SimpleNamespace(
        backend=request.param, expected=expected, found=found, refused=refused
    )


@pytest.mark.parametrize("name", MODELS)
def test_saved_models_predict_there_as_on_their_own_backend(name, there):
    for part, values in there.expected[name].items():
        np.testing.assert_allclose(there.found[name][part], values, atol=1e-5, err_msg=part)


def test_what_needs_derivatives_says_which_backends_have_them(there):
    assert len(there.refused) == 4
    for line in there.refused:
        assert f"'{there.backend}'" in line, line
        for capable in ("'tensorflow'", "'jax'", "'torch'"):
            assert capable in line, line
