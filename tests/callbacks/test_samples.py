"""What is watched of the data that a callback is given."""

import keras
import numpy as np
import pytest

import keras_manifold as km

WATCHES = [km.TangentAnalyzer, km.ReconstructionGrid, km.SampleGrid]


class Batches(keras.utils.PyDataset):
    def __init__(self, x, count=3):
        super().__init__()
        self.x, self.count = x, count

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        batch = self.x[10 * index : 10 * index + 10]
        return batch, np.zeros(len(batch))


@pytest.mark.parametrize("watch", WATCHES)
def test_of_a_data_set_the_first_samples_are_watched(watch, digits):
    data = tf_data(digits[:30]), Batches(digits[:30]), Batches(digits[:5], 1)
    for given in data:
        expected = digits[: min(16, 5 if given is data[2] else 16)]
        np.testing.assert_array_equal(watch(given).x, expected)
    for given in ({"image": digits[:4]}, [digits[:4]], (digits[:4],), digits[:4].tolist()):
        np.testing.assert_allclose(watch(given).x, digits[:4])


def tf_data(x):
    tf = pytest.importorskip("tensorflow")
    named = tf.data.Dataset.from_tensor_slices({"image": x})
    return named.batch(10).map(lambda batch: (batch, batch["image"])).repeat()


@pytest.mark.parametrize("watch", WATCHES)
def test_what_is_no_data_to_watch_is_refused_in_words_that_fit(watch, digits):
    batches = (digits[i : i + 4] for i in range(3))
    with pytest.raises(TypeError, match="generator, whose first batch would be missing"):
        watch(batches)
    assert next(batches) is not None, "nothing was taken from it"
    with pytest.raises(TypeError, match="with 2 entries"):
        watch(Several())
    with pytest.raises(TypeError, match="Received: x of type dict"):
        watch({"a": digits[:2], "b": digits[:2]})
    with pytest.raises(ValueError, match="without batches"):
        watch(Batches(digits, 0))
    with pytest.raises(TypeError, match="x of type object"):
        watch(object())


class Several(Batches):
    def __init__(self):
        super().__init__(np.zeros((20, 4)))

    def __getitem__(self, index):
        batch = self.x[:4]
        return {"a": batch, "b": batch}, batch
