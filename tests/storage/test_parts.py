"""Runs of `tangent_space` in parts, which several processes write into one folder."""

import os
import shutil
import signal
import subprocess
import sys

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers, ops

import keras_manifold as km

zarr = pytest.importorskip("zarr", reason="Zarr is an optional extra")


@pytest.fixture
def x(rng):
    return rng.normal(size=(11, 6)).astype("float32")


def run_parts(encoder, x, path, n, only=None, **settings):
    settings = {"k": 2, "batch_size": 2, "verbose": 0} | settings
    for i in range(n) if only is None else only:
        km.tangent_space(encoder, x, path=path, part=(i, n), **settings)


def assert_same_bits(a, b):
    a, b = a.arrays(), b.arrays()
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_array_equal(a[name][:], b[name][:], err_msg=name)


@pytest.mark.parametrize("n", [1, 2, 3, 6])
@pytest.mark.parametrize("of", ["encoder", "decoder", "reconstruction"])
def test_parts_are_together_what_one_process_computes_bit_by_bit(n, of, rng, tmp_path):
    x = rng.uniform(size=(11, 12)).astype("float32")
    model = km.AutoEncoder.dense((12,), 4, units=(9,))
    run_parts(model, x, tmp_path / "space", n, of=of)
    found = km.TangentSpace.load(tmp_path / "space")
    assert_same_bits(found, km.tangent_space(model, x, k=2, of=of, batch_size=2))
    assert (len(found), found.of) == (11, of)


def test_parts_by_lanczos_begin_with_the_same_vectors(encoder, x, tmp_path):
    settings = {"method": "lanczos", "seed": 3}
    run_parts(encoder, x, tmp_path / "space", 3, **settings)
    alone = km.tangent_space(encoder, x, k=2, batch_size=2, **settings)
    assert_same_bits(km.TangentSpace.load(tmp_path / "space"), alone)


def test_each_part_returns_and_keeps_its_own_samples(encoder, x, tmp_path):
    own = km.tangent_space(
        encoder, x, k=2, batch_size=2, path=tmp_path / "space", part=(1, 3)
    )
    np.testing.assert_array_equal(own.inputs[:], x[4:8])
    loaded = km.TangentSpace.load(tmp_path / "space" / "part_1")
    assert_same_bits(own, loaded)
    assert loaded.of == "encoder"


def test_a_part_of_another_model_that_got_there_unseen_is_named(encoder, x, tmp_path):
    run_parts(encoder, x, tmp_path / "one", 2)
    encoder.set_weights([2 * weight for weight in encoder.get_weights()])
    run_parts(encoder, x, tmp_path / "other", 2)
    shutil.rmtree(tmp_path / "one" / "part_1")
    shutil.copytree(tmp_path / "other" / "part_1", tmp_path / "one" / "part_1")
    with pytest.raises(ValueError, match=r"same model.* of whose parts 1 are not"):
        km.TangentSpace.load(tmp_path / "one")


@given(
    samples=st.integers(1, 9),
    batch_size=st.integers(1, 4),
    n=st.integers(1, 5),
    cut=st.integers(0, 9),
)
@settings(max_examples=4, deadline=None, derandomize=True)
def test_any_cut_into_parts_and_any_interruption_give_the_same_bits(
    samples, batch_size, n, cut, tmp_path_factory
):
    n = min(n, -(-samples // batch_size))
    path = tmp_path_factory.mktemp("cut") / "space"
    w = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
    x = np.random.default_rng(1).normal(size=(samples, 5)).astype("float32")

    class Interrupted(list):
        def __iter__(self):
            for number, batch in enumerate(super().__iter__()):
                if number == cut and not done:
                    done.append(True)
                    raise KeyboardInterrupt
                yield batch

    done: list = []
    batches = Interrupted(np.split(x, range(batch_size, samples, batch_size)))

    encode = keras.Sequential([keras.Input((5,)), layers.Dense(3, activation="tanh")])
    encode.set_weights([w, np.zeros(3)])
    for i in range(n):
        for _ in range(2):
            try:
                km.tangent_space(encode, batches, path=path, part=(i, n), verbose=0)
                break
            except KeyboardInterrupt:
                continue
    assert_same_bits(
        km.TangentSpace.load(path), km.tangent_space(encode, x, batch_size=batch_size)
    )


def test_missing_and_unfinished_parts_are_named_by_their_numbers(encoder, x, tmp_path):
    path = tmp_path / "space"
    run_parts(encoder, x, path, 4, only=[0])

    class Cut(list):
        def __iter__(self):
            yield from self[:4]
            raise KeyboardInterrupt

    batches = Cut(np.split(x, range(2, 11, 2)))
    with pytest.raises(KeyboardInterrupt):
        run_parts(encoder, batches, tmp_path / "cut", 2, only=[1])
    with pytest.raises(ValueError, match=r"All 4 parts.*are missing: 1, 2, 3\. Run"):
        km.TangentSpace.load(path)
    with pytest.raises(ValueError, match=r"missing: 0; unfinished: 1 \(0 samples\)"):
        km.TangentSpace.load(tmp_path / "cut")


def test_another_number_of_parts_is_refused_whichever_comes(encoder, x, tmp_path):
    run_parts(encoder, x, tmp_path / "space", 2, only=[1])
    for part in [(0, 3), (1, 3), (0, 1)]:
        with pytest.raises(ValueError, match=rf"another n \(2 there, {part[1]} here\)"):
            km.tangent_space(
                encoder, x, k=2, batch_size=2, path=tmp_path / "space", part=part
            )
    assert sorted(p.name for p in (tmp_path / "space").iterdir()) == ["part_1", "zarr.json"]


@pytest.mark.parametrize(
    "change", [{"k": 1}, {"method": "lanczos"}, {"seed": 1}, {"batch_size": 3}]
)
def test_another_argument_is_refused_by_its_name(change, encoder, x, tmp_path):
    run_parts(encoder, x, tmp_path / "space", 2, only=[0])
    with pytest.raises(ValueError, match=rf"parts have another .*{next(iter(change))}"):
        run_parts(encoder, x, tmp_path / "space", 2, only=[1], **change)


def test_another_model_is_refused_by_weights_and_by_what_it_does(encoder, x, tmp_path):
    run_parts(encoder, x, tmp_path / "space", 2, only=[1])
    encoder.layers[0].activation = keras.activations.relu
    with pytest.raises(ValueError, match="the function has changed"):
        run_parts(encoder, x, tmp_path / "space", 2, only=[0])
    encoder.set_weights([2 * w for w in encoder.get_weights()])
    with pytest.raises(ValueError, match=r"parts have another weights\."):
        run_parts(encoder, x, tmp_path / "space", 2, only=[0])


def test_another_function_is_refused_though_no_part_has_written_yet(x, tmp_path):
    path = tmp_path / "space"

    class BeforeTheFirst(list):
        """Lets another part begin, and end, before this one has written."""

        def __iter__(self):
            for number, batch in enumerate(super().__iter__()):
                if number == 4 and not seen:
                    seen.append(True)
                    with pytest.raises(ValueError, match="the function has changed"):
                        run_parts(slope(1.0), list(self), path, 2, only=[0])
                yield batch

    def slope(factor):
        return lambda x: ops.tanh(factor * x)

    seen = []
    run_parts(slope(5.0), BeforeTheFirst(np.split(x, range(2, 11, 2))), path, 2, only=[1])
    assert seen


def test_a_data_set_that_ends_early_is_not_finished(encoder, x, tmp_path):
    class Longer(list):
        def __len__(self):
            return 6

    batches = Longer(np.split(x[:10], 5))
    run_parts(encoder, batches, tmp_path / "space", 2, only=[0])
    with pytest.raises(ValueError, match=r"2 of 3 for part=\(1, 2\)"):
        run_parts(encoder, batches, tmp_path / "space", 2, only=[1])
    with pytest.raises(ValueError, match=r"unfinished: 1 \([24] samples\)"):
        km.TangentSpace.load(tmp_path / "space")


def test_of_a_run_that_goes_on_what_is_whole_is_read_when_it_is_sliced(
    encoder, x, tmp_path
):
    path = tmp_path / "space"
    expected = km.tangent_space(encoder, x, k=2, batch_size=2, path=path)
    group = zarr.open_group(path, mode="a")
    for name in group:  # as in the middle of an append
        group[name].resize((13, *group[name].shape[1:]))
    found = km.TangentSpace.load(path)
    assert len(found) == 11
    assert not isinstance(found.vectors, np.ndarray)
    np.testing.assert_array_equal(found.vectors[9:], expected.vectors[9:11])


def test_other_samples_are_refused_by_number_and_by_content(encoder, x, tmp_path):
    run_parts(encoder, x, tmp_path / "space", 2, only=[0])
    with pytest.raises(ValueError, match=r"another samples \(11 there, 10 here\)"):
        run_parts(encoder, x[:10], tmp_path / "space", 2, only=[1])
    changed = x.copy()
    changed[-1] += 1  # of the other part
    with pytest.raises(ValueError, match=r"parts have another data\."):
        run_parts(encoder, changed, tmp_path / "space", 2, only=[0])


def test_one_part_is_written_by_one_while_others_write_theirs(encoder, x, tmp_path):
    path, seen = tmp_path / "space", []

    class Meanwhile(list):
        def __iter__(self):
            for number, batch in enumerate(super().__iter__()):
                if number == 4 and not seen:
                    seen.append(True)
                    run_parts(encoder, list(self), path, 2, only=[0])
                    with pytest.raises(BlockingIOError, match=r"holds .*part_1\.lock"):
                        run_parts(encoder, list(self), path, 2, only=[1])
                yield batch

    run_parts(encoder, Meanwhile(np.split(x, range(2, 11, 2))), path, 2, only=[1])
    assert seen
    alone = km.tangent_space(encoder, x, k=2, batch_size=2)
    assert_same_bits(km.TangentSpace.load(path), alone)


def test_runs_in_parts_and_others_keep_out_of_each_others_folders(encoder, x, tmp_path):
    run_parts(encoder, x, tmp_path / "parts", 2, only=[0])
    with pytest.raises(ValueError, match=r"holds a run in parts: pass part=\(i, n\)"):
        km.tangent_space(encoder, x, k=2, path=tmp_path / "parts")
    km.tangent_space(encoder, x, k=2, path=tmp_path / "whole")
    with pytest.raises(ValueError, match="holds a run that is not in parts"):
        run_parts(encoder, x, tmp_path / "whole", 2)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("x")
    with pytest.raises(ValueError, match=r"new or empty folder.*holds something else"):
        run_parts(encoder, x, tmp_path / "mine", 2)
    zarr.open_group(tmp_path / "group")["pictures"] = np.ones(3)
    with pytest.raises(ValueError, match="a Zarr group of something else"):
        run_parts(encoder, x, tmp_path / "group", 2)


@pytest.mark.parametrize("part", [(2, 2), (-1, 2), (0, 0), 1, (0.5, 2), "01", (0, 1, 2)])
def test_what_is_no_part_is_refused(part, encoder, x, tmp_path):
    with pytest.raises(ValueError, match=r"`part` must be \(i, n\).*Received: part="):
        km.tangent_space(encoder, x, path=tmp_path / "space", part=part)
    assert not (tmp_path / "space").exists()


def test_parts_need_a_folder_batches_and_data_of_known_length(encoder, x, tmp_path):
    with pytest.raises(ValueError, match="Pass the same `path` to all of them"):
        km.tangent_space(encoder, x, part=(0, 2))
    with pytest.raises(ValueError, match=r"needs a batch.*part=\(0, 7\), and x of 6 batch"):
        run_parts(encoder, x, tmp_path / "space", 7)
    for stream in (iter([x]), (batch for batch in [x, x])):
        with pytest.raises(ValueError, match="says how many batches it has"):
            run_parts(encoder, stream, tmp_path / "space", 2)
    assert list(tmp_path.iterdir()) == []


def test_data_sets_are_shared_out_by_their_batches(encoder, x, tmp_path):
    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 6

        def __getitem__(self, index):
            asked.append(index)
            return x[2 * index : 2 * index + 2], None

    asked: list = []
    run_parts(encoder, Batches(), tmp_path / "space", 2, only=[1])
    assert set(asked) == {0, 3, 4, 5}  # and the first, which tells the data
    run_parts(encoder, Batches(), tmp_path / "space", 2, only=[0])
    alone = km.tangent_space(encoder, x, k=2, batch_size=2)
    assert_same_bits(km.TangentSpace.load(tmp_path / "space"), alone)


def test_the_sample_that_is_not_finite_is_counted_from_the_first_of_all(x, tmp_path):
    x = np.abs(x)
    x[9] = 0
    with pytest.raises(FloatingPointError, match="entries in sample 9 and"):
        run_parts(ops.sqrt, x, tmp_path / "space", 2, only=[1])


SOURCE = """
import numpy as np
from keras import ops

w = np.random.default_rng(0).normal(size=(12, 3), scale=0.2).astype("float32")

def encode(x):
    return ops.tanh(ops.matmul(x, ops.convert_to_tensor(w)))

class Batches(list):
    def __init__(self, samples):
        x = np.random.default_rng(1).normal(size=(samples, 12)).astype("float32")
        super().__init__(np.split(x, range(4, samples, 4)))

    def __iter__(self):
        for number, batch in enumerate(super().__iter__()):
            print(number, flush=True)
            yield batch
"""
PROGRAM = (
    SOURCE
    + """
import sys
import keras_manifold as km

path, i, samples = sys.argv[1], *map(int, sys.argv[2:])
km.tangent_space(encode, Batches(samples), path=path, part=(i, 2), verbose=0)
"""
)


def start(path, i, samples):
    command = [sys.executable, "-c", PROGRAM, *map(str, (path, i, samples))]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def kill_at(batch, process):
    """Kills a process when it reads a batch."""
    with process:
        for line in process.stdout:
            if line.strip() == str(batch):
                os.kill(process.pid, signal.SIGKILL)
                break


def assert_parts_of(path, samples):
    """Runs what is left of both parts here, and compares with all at once."""
    made: dict = {}
    exec(SOURCE, made)
    batches = list(made["Batches"](samples))
    for i in range(2):
        km.tangent_space(made["encode"], batches, path=path, part=(i, 2), verbose=0)
    found = km.TangentSpace.load(path)
    np.testing.assert_array_equal(found.inputs[:], np.concatenate(batches))
    assert_same_bits(found, km.tangent_space(made["encode"], batches, verbose=0))


def test_a_part_that_was_killed_goes_on_to_the_same_bits(tmp_path):
    path = tmp_path / "space"
    kill_at(40, start(path, 1, 200))
    with pytest.raises(ValueError, match=r"missing: 0; unfinished: 1 \(\d+ samples\)"):
        km.TangentSpace.load(path)
    assert 48 <= len(km.TangentSpace.load(path / "part_1")) <= 64
    assert_parts_of(path, 200)


@pytest.mark.slow
def test_a_part_that_was_killed_twenty_times_goes_on_beside_the_other(tmp_path):
    path, samples = tmp_path / "space", 2000
    beside = start(path, 0, samples)
    for kill in range(20):
        kill_at(260 + 12 * kill, start(path, 1, samples))
    beside.communicate()
    assert beside.returncode == 0
    with pytest.raises(ValueError, match=r"are unfinished: 1 \(\d+ samples\)"):
        km.TangentSpace.load(path)
    assert len(km.TangentSpace.load(path / "part_1")) >= 4 * 230
    assert_parts_of(path, samples)
