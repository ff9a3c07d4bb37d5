"""Runs of `tangent_space` that go to disk."""

import itertools
import os
import shutil
import signal
import subprocess
import sys
import threading

import keras
import numpy as np
import pytest
from keras import ops

import keras_manifold as km

zarr = pytest.importorskip("zarr", reason="Zarr is an optional extra")


@pytest.fixture
def x(rng):
    return rng.normal(size=(5, 6)).astype("float32")


def assert_is_that_of(space, w, b, x):
    """The triplets are those of the Jacobian (1 - tanh²(x w + b)) wᵀ, by NumPy's SVD."""
    w, b, x = (np.asarray(values, "float64") for values in (w, b, x))
    jacobians = (1 - np.tanh(x @ w + b)[:, :, None] ** 2) * w.T
    sigma = np.linalg.svd(jacobians, compute_uv=False)[:, : space.singular_values.shape[1]]
    np.testing.assert_allclose(space.singular_values[:], sigma, atol=1e-5 * sigma.max())
    vectors, codes = space.vectors[:], space.code_vectors[:]
    images = vectors @ jacobians.swapaxes(1, 2)
    np.testing.assert_allclose(images, sigma[..., None] * codes, atol=1e-5 * sigma.max())
    products = vectors @ vectors.swapaxes(1, 2)
    np.testing.assert_allclose(products - np.eye(sigma.shape[1]), 0, atol=1e-5)


def cut_off(x, after):
    """Batches of two, and then the user's Ctrl-C."""
    for start in range(0, after, 2):
        yield x[start : start + 2]
    raise KeyboardInterrupt


@pytest.fixture
def begun(encoder, x, tmp_path):
    """Folder of a run that wrote two of the samples."""
    with pytest.raises(KeyboardInterrupt):
        km.tangent_space(encoder, cut_off(x, 4), k=2, path=tmp_path / "space", verbose=0)
    return tmp_path / "space"


def test_results_are_arrays_that_others_read(encoder, x, tmp_path):
    path = tmp_path / "runs" / "space"
    space = km.tangent_space(encoder, x, batch_size=2, path=path)
    assert_is_that_of(space, *encoder.get_weights(), x)
    loaded, elsewhere = km.TangentSpace.load(path), zarr.open_group(path, mode="r")
    for name, array in space.arrays().items():
        np.testing.assert_array_equal(array[:], elsewhere[name][:])
        np.testing.assert_array_equal(array[:], loaded.arrays()[name][:])
    assert loaded.leading(1).vectors.shape == (5, 1, 6)


def test_large_samples_have_a_chunk_for_some_of_them_whatever_the_batch(tmp_path, rng):
    w = rng.normal(size=(2**16, 2)).astype("float32")
    x = np.zeros((20, 2**16), "float32")
    chunks = []
    for batch_size in (3, 20):
        path = tmp_path / str(batch_size)
        space = km.tangent_space(
            lambda x: ops.matmul(x, ops.convert_to_tensor(w)),
            x,
            batch_size=batch_size,
            path=path,
        )
        chunks.append(space.vectors.chunks)
        assert space.vectors.shape == (20, 2, 2**16)
    assert chunks[0] == chunks[1] == (8, 2, 2**16)  # 4 MiB


def test_a_run_that_was_cut_off_goes_on_in_batches_of_another_size(begun, encoder, x):
    assert km.TangentSpace.load(begun).vectors.shape == (2, 2, 6)
    space = km.tangent_space(encoder, x, k=2, batch_size=3, path=begun)
    assert_is_that_of(space, *encoder.get_weights(), x)


def test_a_finished_run_is_not_computed_again(encoder, x, tmp_path):
    path = tmp_path / "space"
    km.tangent_space(encoder, x, path=path)
    written = {file: file.stat().st_mtime_ns for file in path.rglob("c/*")}
    assert len(written) > 2
    km.tangent_space(encoder, x, path=path)
    assert written == {file: file.stat().st_mtime_ns for file in path.rglob("c/*")}


def test_rows_of_a_write_that_was_cut_off_are_no_results(begun, encoder, x):
    vectors = zarr.open_group(begun)["vectors"]
    vectors.resize((4, *vectors.shape[1:]))
    vectors[2:] = 7.0
    assert km.TangentSpace.load(begun).vectors.shape[0] == 2
    space = km.tangent_space(encoder, x[:2], k=2, path=begun)
    assert_is_that_of(space, *encoder.get_weights(), x[:2])


@pytest.mark.parametrize(
    "change", [{"k": 1}, {"of": "reconstruction"}, {"method": "lanczos"}, {"seed": 1}]
)
def test_another_argument_is_refused_by_its_name(change, begun, encoder, x):
    with pytest.raises(ValueError, match=rf"whose run has another .*{next(iter(change))}"):
        km.tangent_space(encoder, x, **{"k": 2, "path": begun} | change)
    assert km.TangentSpace.load(begun).vectors.shape[0] == 2


def test_other_weights_are_refused(begun, encoder, x):
    encoder.set_weights([2 * w for w in encoder.get_weights()])
    with pytest.raises(ValueError, match="another weights"):
        km.tangent_space(encoder, x, k=2, path=begun)


def test_other_samples_are_refused_wherever_they_differ(begun, encoder, x):
    changed = x.copy()
    changed[1] += 1e-3
    with pytest.raises(ValueError, match=r"whose 2 samples are not the first of `x`"):
        km.tangent_space(encoder, changed, k=2, path=begun)
    with pytest.raises(ValueError, match=r"with 2 samples, and x with 1\."):
        km.tangent_space(encoder, x[:1], k=2, path=begun)


def test_another_function_of_the_same_weights_is_refused(begun, encoder, x):
    encoder.layers[0].activation = keras.activations.relu
    with pytest.raises(ValueError, match="the function has changed"):
        km.tangent_space(encoder, x, k=2, path=begun)


@pytest.mark.parametrize("index", [0, 1])
def test_a_function_that_only_turns_its_tangents_is_refused(index, x, tmp_path):
    order = ops.convert_to_tensor(np.eye(6, dtype="float32")[[1, 0, 3, 2, 5, 4]])

    def encode(x):
        return ops.tanh(x) * ops.arange(1.0, 7.0)

    turned = [lambda x: encode(ops.matmul(x, order)), lambda x: -encode(x)][index]
    km.tangent_space(encode, x[:3], path=tmp_path / "space")
    with pytest.raises(ValueError, match="the function has changed"):
        km.tangent_space(turned, x, path=tmp_path / "space")


def test_results_stay_where_they_are_when_the_working_directory_moves(
    encoder, x, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()

    def batches():
        yield x[:2]
        os.chdir("elsewhere")
        yield x[2:]

    space = km.tangent_space(encoder, batches(), path="space", verbose=0)
    assert_is_that_of(space, *encoder.get_weights(), x)
    assert list((tmp_path / "elsewhere").iterdir()) == []
    loaded = km.TangentSpace.load("../space")
    os.chdir(tmp_path.parent)
    assert_is_that_of(loaded, *encoder.get_weights(), x)


def test_a_link_leads_to_the_lock_of_its_folder(encoder, x, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "real")

    def batches():
        with pytest.raises(BlockingIOError, match="Another run"):
            km.tangent_space(encoder, x, path=tmp_path / "real")
        yield x

    batches = batches()
    first = [x[:2]]
    km.tangent_space(
        encoder, itertools.chain(first, batches), path=tmp_path / "link", verbose=0
    )
    assert km.TangentSpace.load(tmp_path / "real").vectors.shape[0] == 7


def test_chunks_that_were_lost_are_noticed(encoder, x, tmp_path):
    path = tmp_path / "space"
    km.tangent_space(lambda x: 0.0 * encoder(x), x, path=path)
    assert not km.TangentSpace.load(path).singular_values[:].any()  # zeros are no loss
    shutil.rmtree(path / "vectors" / "c")
    with pytest.raises(ValueError, match="1 of 1 chunks of vectors are missing"):
        km.TangentSpace.load(path)
    with pytest.raises(ValueError, match="1 of 1 chunks of vectors are missing"):
        km.tangent_space(lambda x: 0.0 * encoder(x), x, path=path)


def test_arrays_that_a_user_adds_are_left_alone(begun, encoder, x):
    zarr.open_group(begun).create_array("labels", data=np.arange(9))
    space = km.tangent_space(encoder, x, k=2, path=begun)
    assert_is_that_of(space, *encoder.get_weights(), x)
    np.testing.assert_array_equal(zarr.open_group(begun)["labels"][:], np.arange(9))
    assert km.TangentSpace.load(begun).vectors.shape == (5, 2, 6)


def test_the_sample_that_is_not_finite_is_counted_from_the_first_of_all(begun, encoder, x):
    x[3] = np.nan
    with pytest.raises(FloatingPointError, match=r"entries in x\[3\] and"):
        km.tangent_space(encoder, x, k=2, path=begun)


def test_what_a_killed_process_left_of_its_first_file_is_no_hindrance(encoder, x, tmp_path):
    (tmp_path / "space").mkdir()
    (tmp_path / "space" / "zarr.abc.partial").write_text("{")
    space = km.tangent_space(encoder, x, path=tmp_path / "space")
    assert_is_that_of(space, *encoder.get_weights(), x)


def test_figures_are_made_of_results_on_disk(rng, tmp_path):
    x = rng.uniform(size=(2, 4, 4, 1)).astype("float32")
    space = km.tangent_space(
        lambda x: ops.sin(ops.reshape(x, (-1, 16))), x, k=2, path=tmp_path / "space"
    )
    for figure in (
        km.plot.tangents(space, index=None),
        km.plot.walk(space, x, steps=3),
        km.plot.spectrum(space),
    ):
        figure.savefig(tmp_path / "figure.png")


def test_folders_of_something_else_are_left_alone(tmp_path, encoder, x):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("x")
    zarr.open_group(tmp_path / "group")["pictures"] = np.ones(3)
    zarr.save(tmp_path / "array", np.ones(3))
    before = sorted(tmp_path.rglob("*"))
    for occupied in ("mine", "mine/notes.txt", "group"):
        with pytest.raises(ValueError, match=r"new or empty folder.*(mine|group)"):
            km.tangent_space(encoder, x, path=tmp_path / occupied)
    with pytest.raises(ValueError, match=r"must hold a Zarr group.*array"):
        km.tangent_space(encoder, x, path=tmp_path / "array")
    assert sorted(p for p in tmp_path.rglob("*") if p.suffix != ".lock") == before


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.mkdir(), "must hold a Zarr group"),
        (lambda path: zarr.save(path, np.ones(3)), "must hold a Zarr group"),
        (lambda path: zarr.open_group(path), "nothing of them is written yet"),
        (
            lambda path: zarr.open_group(path).create_array("vectors", data=np.ones(2)),
            "without singular_values, code_vectors",
        ),
    ],
    ids=["an empty folder", "one array", "an empty group", "some arrays"],
)
def test_what_holds_no_tangent_space_is_not_loaded(make, message, tmp_path):
    make(tmp_path / "space")
    with pytest.raises(ValueError, match=message):
        km.TangentSpace.load(tmp_path / "space")


def test_a_run_that_has_written_nothing_yet_is_said_to_be_empty(encoder, x, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        km.tangent_space(encoder, cut_off(x, 2), path=tmp_path / "space", verbose=0)
    with pytest.raises(ValueError, match="nothing of them is written yet"):
        km.TangentSpace.load(tmp_path / "space")
    space = km.tangent_space(encoder, x, path=tmp_path / "space")
    assert_is_that_of(space, *encoder.get_weights(), x)


def test_two_runs_do_not_write_to_one_folder_at_a_time(encoder, x, tmp_path):
    path = tmp_path / "space"
    errors = []

    def batches():
        yield x[:2]
        try:
            km.tangent_space(encoder, x, path=path)
        except BlockingIOError as error:
            errors.append(str(error))
        yield x[2:]

    space = km.tangent_space(encoder, batches(), path=path, verbose=0)
    (message,) = errors
    assert "Another run" in message
    assert str(tmp_path) in message
    assert_is_that_of(space, *encoder.get_weights(), x)


def test_numpy_numbers_are_written_too(encoder, x, tmp_path):
    options = {"k": np.int64(2), "method": "lanczos", "seed": np.int32(3)}
    km.tangent_space(encoder, x, **options, path=tmp_path / "space")
    space = km.tangent_space(
        encoder, x, k=2, method="lanczos", seed=3, path=tmp_path / "space"
    )
    assert_is_that_of(space, *encoder.get_weights(), x)


def test_threads_that_run_at_once_leave_the_process_as_it_was(encoder, x):
    from threadpoolctl import threadpool_info

    def blas_threads():
        return [
            lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"
        ]

    before = blas_threads()
    inside = threading.Barrier(2, timeout=60)

    def batches():
        yield x[:2]
        inside.wait()
        yield x[2:]

    functions = [encoder, lambda x: 2.0 * encoder(x)]
    threads = [
        threading.Thread(
            target=km.tangent_space, args=(f, batches()), kwargs={"verbose": 0}
        )
        for f in functions
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not inside.broken
    assert blas_threads() == before


PROGRAM = """
import sys
import numpy as np, keras_manifold as km
from keras import ops

w = np.random.default_rng(0).normal(size=(12, 3), scale=0.2).astype("float32")
x = np.random.default_rng(1).normal(size=(200, 12)).astype("float32")

def encode(x):
    return ops.tanh(ops.matmul(x, ops.convert_to_tensor(w)))

def batches():
    for start in range(0, 200, 4):
        print(start, flush=True)
        yield x[start : start + 4]
"""
RUN = "km.tangent_space(encode, batches(), path=sys.argv[1], verbose=0)"


@pytest.mark.slow  # test_parts.py has one that is not, of a part
def test_a_killed_run_leaves_whole_samples_and_goes_on(tmp_path):
    path, made = tmp_path / "space", {}
    command = [sys.executable, "-c", PROGRAM + RUN, path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if line.strip() == "80":
                os.kill(process.pid, signal.SIGKILL)
                break
    exec(PROGRAM, made)
    w, x = made["w"], made["x"]
    written = km.TangentSpace.load(path)
    count = written.vectors.shape[0]
    assert 60 <= count <= 84
    assert_is_that_of(written, w, 0.0, x[:count])
    km.tangent_space(made["encode"], made["batches"](), path=path, verbose=0)
    found = km.TangentSpace.load(path)
    assert found.vectors.shape == (200, 3, 12)
    assert_is_that_of(found, w, 0.0, x)
