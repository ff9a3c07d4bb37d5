"""Trains, watches and writes pages with the package that a wheel installed.

    PYTHONPATH=FOLDER python .ci/try_wheel.py FOLDER

The package must come from FOLDER; nothing else of the repository is on the path.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

import keras_manifold as km

SOURCE = Path(__file__).parent.parent / "keras_manifold"


def main(installed: Path) -> None:
    """Uses what a user would use first."""
    package = Path(km.__file__).parent
    assert package.parent == installed.resolve(), f"{package} is not in {installed}"
    assert (package / "py.typed").exists(), "no py.typed: types are lost"
    files = [path.relative_to(SOURCE) for path in SOURCE.rglob("*.*")]
    missing = [
        file.as_posix()
        for file in files
        if file.suffix != ".pyc" and not (package / file).exists()
    ]
    assert not missing, f"of the source, the wheel lacks {missing}"

    x = np.random.default_rng(0).uniform(size=(64, 8, 8, 1)).astype("float32")
    model = km.AutoEncoder.dense((8, 8, 1), 3, units=(16,), contractive_penalty=0.01)
    model.compile("adam", loss="mse")
    with tempfile.TemporaryDirectory() as folder:
        runs = [Path(folder) / name for name in ("one", "two")]
        for run in runs:
            watch = km.TangentAnalyzer(x[:4], directory=run)
            model.fit(x, epochs=2, verbose=0, callbacks=[watch])
        page = Path(folder) / "compare.html"
        km.report(runs, page)
        for path in (page, *(run / "index.html" for run in runs)):
            assert "<script" in path.read_text(), f"{path} holds no script"
    space = km.tangent_space(model, x[:4], verbose=0)
    assert np.isfinite(space.singular_values).all()
    print(f"keras_manifold {km.__version__} works as installed in {package.parent}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
