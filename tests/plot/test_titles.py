from types import SimpleNamespace

import pytest

from keras_manifold.plot._titles import title_of, title_of_spaces


@pytest.mark.parametrize(
    ("name", "others", "title"),
    [
        ("loss", [], "loss"),
        ("learning_rate", [], "learning rate"),
        ("contractive_penalty", [], "contractive penalty, mean ‖J‖²"),
        ("tangent_norm", [], "tangent norm, ‖J‖_F"),
        ("tangent_drift", [], "tangent drift, radians"),
        ("grad_norm", [], "grad norm"),
        ("of_decoder_top", ["of_decoder_norm"], "of decoder top"),
        (
            "of_decoder_top",
            ["of_decoder_norm", "of_decoder_dimension"],
            "of decoder top singular value",
        ),
    ],
)
def test_quantities_have_titles(name, others, title):
    assert title_of(name, [name, *others]) == title


def test_the_part_that_all_spaces_are_of_is_named():
    encoder, decoder, old = (SimpleNamespace(of=of) for of in ("encoder", "decoder", None))
    same = {"plain": encoder, "denoising": encoder}
    assert title_of_spaces("Tangent vectors", same) == "Tangent vectors of the encoder"
    for others in ({"a": encoder, "b": decoder}, {"": old}, {"": [3.0, 1.0]}, {}):
        assert title_of_spaces("Tangent vectors", others) is None
