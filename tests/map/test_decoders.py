import keras
import numpy as np
import pytest
from decoders import Linear
from keras import layers, ops

import keras_manifold as km
from keras_manifold._map.decoders import decoder_map, encoder_of

CODE = np.ones(2, "float32")


def test_a_decoder_is_found_in_whatever_has_one():
    model = km.AutoEncoder.dense(6, 2)
    assert decoder_map(model, CODE).functions == (model.decoder,)
    assert decoder_map(model.decoder, CODE).functions == (model.decoder,)
    assert encoder_of(model).functions == (model.encoder,)
    assert encoder_of(model.decoder) is None


def test_what_several_return_is_one_vector_of_means_and_stddevs():
    members = [Linear(np.eye(2)), Linear(3 * np.eye(2))]
    joined = decoder_map(members, CODE)
    found = ops.convert_to_numpy(joined(ops.convert_to_tensor(CODE[None])))
    np.testing.assert_allclose(found, np.array([[1, 1, 3, 3]]) / np.sqrt(2), rtol=1e-6)
    # The first keeps it, and with it what is compiled for it.
    assert decoder_map(members, CODE).functions[0] is joined.functions[0]
    assert decoder_map(members[::-1], CODE).functions[0] is not joined.functions[0]
    km.forget_compiled(members[0])
    assert decoder_map(members, CODE).functions[0] is not joined.functions[0]


def test_the_weights_of_members_are_followed():
    members = [keras.Sequential([keras.Input((2,)), layers.Dense(3)]) for _ in range(2)]
    before = km.pullback_metric(members, CODE[None])
    for member in members:
        member.layers[0].kernel.assign(2 * member.layers[0].kernel)
    np.testing.assert_allclose(
        km.pullback_metric(members, CODE[None]), 4 * before, rtol=1e-5
    )


def test_stddevs_may_be_left_out():
    def decoder(codes):
        return codes, ops.ones_like(codes)

    for with_stddev, size in ((True, 4), (False, 2)):
        function = decoder_map(decoder, CODE, with_stddev=with_stddev)
        assert function(ops.convert_to_tensor(CODE[None])).shape == (1, size)


def test_what_is_no_decoder_is_refused():
    class EncoderOnly:
        def encoder(self, x):
            return x

    with pytest.raises(TypeError, match="has no decoder"):
        decoder_map(EncoderOnly(), CODE)
    with pytest.raises(TypeError, match="one tensor, or a mean and a standard deviation"):
        decoder_map(lambda z: (z, z[:, :1]), CODE)
